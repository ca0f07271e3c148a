/** The chat's page. It draws what the extension tells it and says what the person does; it holds no more than
 * the draft. */

import type { ConversationSummary } from '../../generated/messages';
import type { ChatState, Chip, FromView, ModelChoice, ShownMessage, ToView } from '../protocol';
import { Composer, acceptDrops, chipElement } from './composer';
import { h, icon, tool } from './dom';
import { filled, host, strings } from './host';
import { type Block, blocks } from './markdown';

interface Draft {
  text: string;
  chips: Chip[];
}

const vscode = host<FromView, Draft>();
const say = strings();
const labels = { apply: say.apply, insert: say.insert, copy: say.copy, terminal: say.terminal, code: say.code };
const commands = (['explain', 'fix', 'tests', 'doc', 'commit', 'review'] as const).map((name) => ({ name, detail: say[name] }));

let state: ChatState = { title: '', messages: [], busy: false };
let replaces: string | undefined;

// ---------------------------------------------------------------- the parts of the page

const log = h('main', { class: 'log', 'aria-label': say.conversation });
const announcer = h('div', { class: 'unseen', role: 'status', 'aria-live': 'polite' });
const banner = h('div', { class: 'banner', hidden: true });
const models = h('select', {
  class: 'models',
  title: say.model,
  'aria-label': say.model,
  onChange: () => vscode.postMessage({ type: 'model', name: models.value }),
});
const composer = new Composer({
  words: say,
  commands,
  send: (text, chips) => {
    vscode.postMessage({ type: 'send', text, chips, replaces });
    edit(undefined);
    follow = true;
  },
  stop: () => vscode.postMessage({ type: 'stop' }),
  query: (request, query) => vscode.postMessage({ type: 'suggest', request, query }),
  pick: (kind) => vscode.postMessage({ type: 'pick', kind }),
  changed: () => vscode.setState({ text: composer.text, chips: composer.attached }),
});
composer.toolbar.firstElementChild?.after(
  tool('symbol-event', say.commands, () => {
    if (!composer.text) {
      composer.type('/');
    }
    composer.box.focus();
  }),
  models,
);
const foot = h('footer', {}, banner, composer.element);
const search = h('input', {
  type: 'search',
  placeholder: say.search,
  'aria-label': say.search,
  onInput: () => vscode.postMessage({ type: 'history', query: search.value }),
});
const found = h('ul', { class: 'conversations' });
const history = h(
  'section',
  { class: 'history', 'aria-label': say.history, hidden: true },
  h('header', {}, tool('arrow-left', say.back, () => showHistory(false)), search, tool('add', say.newChat, () => (showHistory(false), vscode.postMessage({ type: 'new' })))),
  found,
);
document.body.append(history, log, foot, announcer);
acceptDrops(say.drop, (uris) => vscode.postMessage({ type: 'drop', uris }));

// ---------------------------------------------------------------- messages

/** The newest text stays in view until the person scrolls up. */
let follow = true;
log.addEventListener('scroll', () => {
  follow = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
});

function draw(next: ChatState): void {
  const before = state;
  const other = next.conversationId !== before.conversationId && before.messages[0]?.text !== next.messages[0]?.text;
  state = next;
  const elements = [...log.querySelectorAll<HTMLElement>(':scope > article')];
  next.messages.forEach((message, index) => {
    const old = elements[index];
    const key = JSON.stringify([{ ...message, text: '' }, index === next.messages.length - 1, next.busy]);
    if (old && old.dataset['role'] === message.role && !other) {
      if (old.dataset['key'] !== key || before.messages[index]?.text !== message.text) {
        redraw(old, message, index);
      }
      old.dataset['key'] = key;
    } else {
      const element = h('article', { class: `message ${message.role}`, 'data-role': message.role, tabindex: 0 });
      element.dataset['key'] = key;
      redraw(element, message, index);
      if (old) {
        old.replaceWith(element);
      } else {
        log.append(element);
      }
    }
  });
  elements.slice(next.messages.length).forEach((element) => element.remove());
  log.querySelectorAll('.welcome, .error').forEach((element) => element.remove());
  if (!next.messages.length) {
    log.prepend(welcome());
  }
  if (next.error) {
    log.append(problem(next.error));
  }
  if (other) {
    follow = true;
  }
  composer.working(next.busy);
  announce(before, next);
  scroll();
}

function redraw(element: HTMLElement, message: ShownMessage, index: number): void {
  const mine = message.role === 'user';
  const answering = state.busy && index === state.messages.length - 1;
  element.setAttribute('aria-label', mine ? say.question : 'Lido');
  element.setAttribute('aria-busy', String(answering));
  let body = element.querySelector<HTMLElement>(':scope > .body');
  if (!body) {
    body = h('div', { class: 'body' });
  }
  const head = h(
    'header',
    {},
    icon(mine ? 'account' : 'sparkle'),
    h('span', { class: 'who' }, mine ? say.you : 'Lido'),
    message.model ? h('span', { class: 'model' }, message.model) : undefined,
    h('span', { class: 'stretch' }),
    mine && message.messageId && !state.busy ? tool('edit', say.edit, () => edit(message)) : undefined,
  );
  if (mine) {
    body.replaceChildren(h('p', { class: 'plain' }, message.text));
  } else {
    write(body, message, answering);
  }
  const rest: HTMLElement[] = [];
  if (message.chips.length) {
    rest.push(h('ul', { class: 'chips' }, ...message.chips.map((chip) => chipElement(chip))));
  }
  if (!mine && !message.complete && !answering) {
    rest.push(h('p', { class: 'note' }, icon('debug-stop'), say.stopped));
  }
  rest.push(...message.notes.map((note) => h('p', { class: 'note' }, icon('info'), note)));
  if (!mine && !answering && message.text) {
    rest.push(actions(message, index === state.messages.length - 1));
  }
  element.replaceChildren(head, body, ...rest);
}

function actions(message: ShownMessage, last: boolean): HTMLElement {
  const rate = (rating: 'up' | 'down') =>
    tool(
      rating === 'up' ? 'thumbsup' : 'thumbsdown',
      say[rating],
      () => vscode.postMessage({ type: 'feedback', messageId: message.messageId, rating }),
      { 'aria-pressed': message.rating === rating },
    );
  return h(
    'div',
    { class: 'actions', role: 'toolbar' },
    copyButton(say.copyAnswer, message.text),
    last ? tool('refresh', say.retry, () => vscode.postMessage({ type: 'retry' })) : undefined,
    message.messageId ? rate('up') : undefined,
    message.messageId ? rate('down') : undefined,
  );
}

function copyButton(label: string, text: string): HTMLButtonElement {
  const button = tool('copy', label, () => {
    vscode.postMessage({ type: 'copy', text });
    done(button);
  });
  return button;
}

/** Says for a moment that the button did what it says. */
function done(button: HTMLButtonElement): void {
  const old = button.querySelector('.codicon');
  if (old && !old.classList.contains('codicon-check')) {
    const before = old.className;
    old.className = 'codicon codicon-check';
    announcer.textContent = say.copied;
    setTimeout(() => (old.className = before), 1200);
  }
}

const drawn = new WeakMap<HTMLElement, Block[]>();

/** Draws an answer's text, touching only the blocks that are not as they were. */
function write(body: HTMLElement, message: ShownMessage, answering: boolean): void {
  const next = blocks(message.text, labels, message.codeBlocks);
  const before = drawn.get(body) ?? [];
  body.classList.add('markdown');
  body.classList.toggle('answering', answering);
  let same = 0;
  while (same < next.length && next[same]?.source === before[same]?.source && next[same]?.html === before[same]?.html) {
    same++;
  }
  while (body.childElementCount > same) {
    body.lastElementChild?.remove();
  }
  for (const block of next.slice(same)) {
    const element = h('div', { class: 'block' });
    element.innerHTML = block.html; // our renderer's: raw HTML in the text was escaped there
    body.append(element);
  }
  if (answering && !message.text) {
    body.append(h('p', { class: 'block thinking' }, say.thinking));
  }
  drawn.set(body, answering && !message.text ? [] : next);
}

let frame = 0;

function grow(text: string): void {
  const last = state.messages.at(-1);
  if (last?.role !== 'assistant') {
    return;
  }
  last.text += text;
  frame ||= requestAnimationFrame(() => {
    frame = 0;
    const newest = state.messages.at(-1);
    const element = log.querySelector<HTMLElement>(':scope > article:last-of-type > .body');
    if (newest?.role === 'assistant' && element) {
      write(element, newest, state.busy);
      scroll();
    }
  });
}

function scroll(): void {
  if (follow) {
    log.scrollTop = log.scrollHeight;
  }
}

/** Screen readers hear that an answer begins, and the answer once it is whole; not each piece. */
function announce(before: ChatState, next: ChatState): void {
  if (next.busy && !before.busy) {
    announcer.textContent = say.answering;
  } else if (before.busy && !next.busy) {
    const last = next.messages.at(-1);
    announcer.textContent = next.error ?? (last?.role === 'assistant' ? `${say.answered} ${last.text.slice(0, 2000)}` : '');
  }
}

function welcome(): HTMLElement {
  const start = ({ name, detail }: (typeof commands)[number]) =>
    h('li', {}, h('button', { type: 'button', class: 'link', onClick: () => composer.set(`/${name} `, composer.attached) }, h('code', {}, `/${name}`), ' ', detail));
  return h(
    'div',
    { class: 'welcome' },
    icon('comment-discussion'),
    h('h2', {}, say.welcome),
    h('p', {}, say.welcomeDetail),
    h('ul', {}, ...commands.map(start)),
    h('p', { class: 'small' }, say.disclaimer),
  );
}

function problem(text: string): HTMLElement {
  const again = state.conversationId && state.messages.some((message) => message.role === 'user');
  return h(
    'div',
    { class: 'error', role: 'alert' },
    icon('error'),
    h('span', {}, text),
    again ? h('button', { type: 'button', class: 'secondary', onClick: () => vscode.postMessage({ type: 'retry' }) }, say.retry) : undefined,
  );
}

// ---------------------------------------------------------------- editing a question

function edit(message: ShownMessage | undefined): void {
  replaces = message?.messageId;
  banner.hidden = !message;
  banner.replaceChildren(h('span', {}, say.editing), tool('close', say.cancel, () => (edit(undefined), composer.set('', []))));
  if (message) {
    composer.set(message.text, message.chips);
  }
}

addEventListener('keydown', (event) => {
  if (event.key === 'Escape') {
    if (!history.hidden) {
      showHistory(false);
    } else if (state.busy) {
      vscode.postMessage({ type: 'stop' });
    } else if (replaces) {
      edit(undefined);
      composer.set('', []);
    }
  } else if (event.key === 'ArrowUp' && event.target === composer.box && !composer.text && !state.busy) {
    const last = state.messages.filter((message) => message.role === 'user' && message.messageId).at(-1);
    if (last) {
      event.preventDefault();
      edit(last);
    }
  } else if ((event.key === 'ArrowUp' || event.key === 'ArrowDown') && (event.target as HTMLElement).matches('article')) {
    const to = event.key === 'ArrowUp' ? 'previousElementSibling' : 'nextElementSibling';
    const next = (event.target as HTMLElement)[to];
    if (next instanceof HTMLElement && next.matches('article')) {
      event.preventDefault();
      next.focus();
    }
  }
});

// ---------------------------------------------------------------- clicks inside answers

log.addEventListener('click', (event) => {
  const target = (event.target as HTMLElement).closest<HTMLElement>('[data-path], [data-action]');
  const path = target?.dataset['path'];
  if (path !== undefined) {
    event.preventDefault();
    vscode.postMessage({ type: 'path', path });
    return;
  }
  const figure = target?.closest<HTMLElement>('figure');
  const text = figure?.querySelector('code')?.textContent ?? '';
  switch (target?.dataset['action']) {
    case 'apply':
      vscode.postMessage({ type: 'apply', text, language: figure?.dataset['language'] ?? '', uri: figure?.dataset['uri'] });
      break;
    case 'insert':
      vscode.postMessage({ type: 'insert', text });
      break;
    case 'terminal':
      vscode.postMessage({ type: 'terminal', text });
      break;
    case 'copy':
      vscode.postMessage({ type: 'copy', text });
      done(target as HTMLButtonElement);
      break;
  }
});

// ---------------------------------------------------------------- history

function showHistory(show: boolean): void {
  history.hidden = !show;
  log.hidden = foot.hidden = show;
  if (show) {
    search.focus();
  } else {
    search.value = '';
    composer.focus();
  }
}

function list(items: ConversationSummary[], query: string): void {
  if (query !== search.value) {
    return; // the answer to an earlier question
  }
  const row = (item: ConversationSummary): HTMLElement => {
    const { conversationId, title } = item;
    const open = h(
      'button',
      { type: 'button', class: 'open', 'aria-current': conversationId === state.conversationId, onClick: () => (showHistory(false), vscode.postMessage({ type: 'open', conversationId })) },
      h('span', { class: 'label' }, title),
      h('span', { class: 'detail' }, `${new Date(item.updated).toLocaleString([], { dateStyle: 'medium', timeStyle: 'short' })} · ${filled(say.messages, item.messages)}`),
    );
    const element = h(
      'li',
      {},
      open,
      tool('edit', `${say.rename}: ${title}`, () => rename(element, item)),
      tool('export', `${say.export}: ${title}`, () => vscode.postMessage({ type: 'export', conversationId })),
      tool('trash', `${say.delete}: ${title}`, () => vscode.postMessage({ type: 'delete', conversationId, title })),
    );
    return element;
  };
  found.replaceChildren(...(items.length ? items.map(row) : [h('li', { class: 'none' }, say.none)]));
}

function rename(row: HTMLElement, item: ConversationSummary): void {
  const keep = [...row.childNodes];
  const box = h('input', {
    type: 'text',
    value: item.title,
    'aria-label': say.rename,
    onKeydown: (event: KeyboardEvent) => {
      if (event.key === 'Enter' && box.value.trim()) {
        vscode.postMessage({ type: 'rename', conversationId: item.conversationId, title: box.value.trim() });
      } else if (event.key === 'Escape') {
        event.stopPropagation();
        row.replaceChildren(...keep);
      }
    },
  });
  row.replaceChildren(box);
  box.select();
}

found.addEventListener('keydown', (event) => {
  const row = (event.target as HTMLElement).closest('li');
  if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
    const to = event.key === 'ArrowDown' ? row?.nextElementSibling : row?.previousElementSibling;
    to?.querySelector('button')?.focus();
    event.preventDefault();
  }
});
search.addEventListener('keydown', (event) => {
  if (event.key === 'ArrowDown') {
    found.querySelector('button')?.focus();
    event.preventDefault();
  }
});

// ---------------------------------------------------------------- the extension's messages

function showModels({ models: known, standard, picked }: ModelChoice): void {
  const option = (value: string, text: string) => h('option', { value, selected: value === picked }, text);
  models.replaceChildren(
    option('', standard ? `${say.standard} (${standard})` : say.standard),
    ...known.map((model) => option(model.name, model.name)),
  );
  models.hidden = known.length === 0;
}

addEventListener('message', ({ data }: MessageEvent<ToView>) => {
  switch (data.type) {
    case 'state':
      return draw(data.state);
    case 'delta':
      return grow(data.text);
    case 'suggestions':
      return composer.suggest(data.request, data.items);
    case 'attach':
      composer.attach(data.chips);
      return composer.focus();
    case 'context':
      return composer.look(data.chip);
    case 'compose':
      showHistory(false);
      return composer.set(data.text, data.chips);
    case 'history':
      if (data.show) {
        search.value = data.query;
        showHistory(true);
      }
      return list(data.items, data.query);
    case 'models':
      return showModels(data.choice);
    case 'focus':
      return showHistory(false);
  }
});

const draft = vscode.getState();
if (draft) {
  composer.set(draft.text, draft.chips);
}
draw(state);
vscode.postMessage({ type: 'ready' });
