/** The plans' page: each plan a card with its steps, its question, and what came of it. */

import type { PlanState, PlanStep } from '../../generated/messages';
import type { Chip } from '../../chat/protocol';
import { Composer, acceptDrops, chipElement } from '../../chat/webview/composer';
import { h, icon, tool } from '../../chat/webview/dom';
import { filled, host, strings } from '../../chat/webview/host';
import type { FromView, ShownPlan, ToView } from '../protocol';
import * as state from '../state';
import type { PlanStrings } from '../strings';

interface Draft {
  text: string;
  chips: Chip[];
  mode: 'plan' | 'agent';
  test: string;
}

const vscode = host<FromView, Draft>();
const say = strings<PlanStrings>();

const log = h('main', { class: 'log', 'aria-label': say.plans });
const announcer = h('div', { class: 'unseen', role: 'status', 'aria-live': 'polite' });
const mode = h(
  'select',
  { class: 'models', title: say.mode, 'aria-label': say.mode, onChange: () => keep() },
  h('option', { value: 'plan', title: say.planDetail }, say.plan),
  h('option', { value: 'agent', title: say.agentDetail }, say.agent),
);
const test = h('input', { type: 'text', class: 'test', placeholder: say.test, 'aria-label': say.test, spellcheck: false, onInput: () => keep() });
const composer = new Composer({
  words: say,
  commands: [],
  send: (text, chips) => vscode.postMessage({ type: 'start', text, chips, mode: mode.value as Draft['mode'], testCommand: test.value.trim() }),
  stop: () => undefined,
  query: (request, query) => vscode.postMessage({ type: 'suggest', request, query }),
  pick: (kind) => vscode.postMessage({ type: 'pick', kind }),
  changed: () => keep(),
});
composer.toolbar.firstElementChild?.after(mode);
document.body.append(log, h('footer', {}, test, composer.element), announcer);
acceptDrops(say.dropHint, (uris) => vscode.postMessage({ type: 'drop', uris }));

function keep(): void {
  vscode.setState({ text: composer.text, chips: composer.attached, mode: mode.value as Draft['mode'], test: test.value });
}

// ---------------------------------------------------------------- plans

const icons: Record<PlanState, string> = {
  exploring: 'loading',
  planning: 'loading',
  waiting: 'question',
  editing: 'loading',
  testing: 'loading',
  review: 'git-pull-request-draft',
  done: 'pass',
  gaveUp: 'circle-slash',
  cancelled: 'circle-slash',
  failed: 'error',
};
const words: Record<PlanState, string> = { ...say, review: say.reviewing };
const stepIcons: Record<NonNullable<PlanStep['state']>, string> = {
  pending: 'circle-large-outline',
  running: 'loading',
  done: 'pass-filled',
  failed: 'error',
  skipped: 'circle-slash',
};

function draw(plans: readonly ShownPlan[], error: string | undefined): void {
  const cards = new Map([...log.querySelectorAll<HTMLElement>(':scope > article')].map((card) => [card.dataset['plan'], card]));
  const follow = log.scrollHeight - log.scrollTop - log.clientHeight < 60;
  for (const plan of plans) {
    const key = JSON.stringify(plan);
    let card = cards.get(plan.planId);
    if (!card) {
      card = h('article', { class: 'plan', 'data-plan': plan.planId, tabindex: 0, 'aria-label': plan.instruction || say.plan });
      log.append(card);
    }
    if (card.dataset['key'] !== key) {
      if (card.dataset['state'] !== plan.state) {
        announcer.textContent = `${words[plan.state]}. ${plan.question ?? plan.message ?? ''}`;
      }
      card.dataset['key'] = key;
      card.dataset['state'] = plan.state;
      card.replaceChildren(...contents(plan));
      // Never onto the buttons of consent, where a key that was meant for something else would agree.
      if (plan.asks && plan.asks !== 'consent' && !composer.text) {
        card.querySelector<HTMLElement>('.question .button, .question > input')?.focus();
      }
    }
  }
  log.querySelectorAll('.welcome, .error').forEach((element) => element.remove());
  if (!plans.length) {
    log.prepend(welcome());
  }
  if (error) {
    log.append(h('div', { class: 'error', role: 'alert' }, icon('error'), h('span', {}, error)));
  }
  if (follow) {
    log.scrollTop = log.scrollHeight;
    [...log.querySelectorAll('.question')].at(-1)?.scrollIntoView({ block: 'nearest' });
  }
}

function contents(plan: ShownPlan): HTMLElement[] {
  const { planId, reviewId } = plan;
  const status = icon(icons[plan.state]);
  status.classList.toggle('spin', icons[plan.state] === 'loading');
  const parts: HTMLElement[] = [
    h('p', { class: 'task' }, plan.instruction || say.fromAction),
    ...(plan.chips.length ? [h('ul', { class: 'chips' }, ...plan.chips.map((chip) => chipElement(chip)))] : []),
    h('p', { class: 'state' }, status, h('span', {}, h('b', {}, words[plan.state]), plan.message ? ` · ${plan.message}` : '')),
  ];
  if (plan.asks === 'steps') {
    return [...parts, editor(plan)];
  }
  if (plan.steps.length) {
    parts.push(h('ol', { class: 'steps' }, ...plan.steps.map(step)));
  }
  if (plan.question) {
    parts.push(question(plan));
  }
  const buttons = [
    reviewId ? h('button', { type: 'button', class: 'button', onClick: () => vscode.postMessage({ type: 'review', reviewId }) }, say.review) : undefined,
    state.final(plan.state)
      ? plan.instruction
        ? h('button', { type: 'button', class: 'secondary', onClick: () => again(plan) }, say.again)
        : undefined
      : h('button', { type: 'button', class: 'secondary', onClick: () => vscode.postMessage({ type: 'cancel', planId }) }, say.cancel),
  ];
  parts.push(h('div', { class: 'buttons' }, ...buttons));
  return parts;
}

function step(each: PlanStep): HTMLElement {
  const now = each.state ?? 'pending';
  const sign = icon(stepIcons[now]);
  sign.classList.toggle('spin', now === 'running');
  const link = (file: string) => h('a', { href: '#', onClick: (event: Event) => (event.preventDefault(), vscode.postMessage({ type: 'path', path: file })) }, file);
  return h(
    'li',
    { class: `step ${now}`, ...(now === 'running' ? { 'aria-current': 'step' } : {}) },
    sign,
    h(
      'div',
      { class: 'words' },
      h('span', {}, each.title),
      h('span', { class: 'unseen' }, ` (${say[`${now}Step`]})`),
      each.detail ? h('div', { class: 'detail' }, each.detail) : undefined,
      h('div', { class: 'files' }, ...(each.files ?? []).map(link)),
    ),
  );
}

function again(plan: ShownPlan): void {
  mode.value = plan.mode;
  test.value = plan.testCommand;
  composer.set(plan.instruction, plan.chips);
  keep();
}

function question(plan: ShownPlan): HTMLElement {
  const { planId } = plan;
  const reply = (text: string) => vscode.postMessage({ type: 'answer', planId, text });
  const button = (label: string, text: string, kind = 'secondary') =>
    h('button', { type: 'button', class: kind, onClick: () => reply(text) }, label);
  if (plan.asks === 'consent') {
    return h(
      'div',
      { class: 'question', role: 'group', 'aria-label': say.waiting },
      // How to answer is what the buttons say.
      h('p', {}, plan.question?.replace(/ Answer yes, always .*$/, '')),
      h('div', { class: 'buttons' }, button(say.yes, 'yes', 'button'), button(say.always, 'always'), button(say.no, 'no')),
    );
  }
  const box = h('input', { type: 'text', 'aria-label': plan.question });
  const form = h(
    'form',
    { class: 'question', onSubmit: (event: Event) => (event.preventDefault(), box.value.trim() && reply(box.value.trim())) },
    h('p', {}, plan.question),
    box,
    h('div', { class: 'buttons' }, h('button', { type: 'submit', class: 'button' }, say.answer)),
  );
  return form;
}

/** The steps, to be changed, moved, left out and added to before anything is written. */
function editor(plan: ShownPlan): HTMLElement {
  const { planId } = plan;
  let steps: PlanStep[] = plan.steps.map((each) => ({ ...each }));
  const list = h('ol', { class: 'steps' });
  const show = (focus?: number): void => {
    list.replaceChildren(
      ...steps.map((each, index) => {
        const n = index + 1;
        const change = (next: PlanStep[], to: number) => () => {
          steps = next;
          show(Math.min(to, steps.length - 1));
        };
        const title = h('textarea', { class: 'field', rows: 1, 'aria-label': filled(say.step, n), onInput: () => (each.title = title.value) }, each.title);
        const names = h('input', {
          type: 'text',
          class: 'file',
          value: (each.files ?? []).join(', '),
          'aria-label': filled(say.files, n),
          spellcheck: false,
          onInput: () => (each.files = state.files(names.value)),
        });
        return h(
          'li',
          { class: 'step' },
          icon('circle-large-outline'),
          h('div', { class: 'words' }, title, names),
          h(
            'div',
            { class: 'moves' },
            tool('arrow-up', filled(say.up, n), change(state.moved(steps, index, -1), index - 1), { disabled: index === 0 }),
            tool('arrow-down', filled(say.down, n), change(state.moved(steps, index, 1), index + 1), { disabled: n === steps.length }),
            tool('close', filled(say.drop, n), change(steps.filter((_, at) => at !== index), index)),
          ),
        );
      }),
    );
    if (focus !== undefined) {
      list.querySelectorAll('textarea')[focus]?.focus();
    }
  };
  show();
  return h(
    'div',
    { class: 'question', role: 'group', 'aria-label': plan.question ?? '' },
    h('p', {}, plan.question ?? ''),
    list,
    h(
      'div',
      { class: 'buttons' },
      h('button', { type: 'button', class: 'button', onClick: () => vscode.postMessage({ type: 'answer', planId, text: '', steps: steps.map(({ title, detail, files }) => ({ title, detail, files })) }) }, say.goOn),
      h('button', { type: 'button', class: 'secondary', onClick: () => ((steps = [...steps, { title: '', files: steps.at(-1)?.files ?? [] }]), show(steps.length - 1)) }, say.add),
      h('button', { type: 'button', class: 'secondary', onClick: () => vscode.postMessage({ type: 'cancel', planId }) }, say.cancel),
    ),
  );
}

function welcome(): HTMLElement {
  return h(
    'div',
    { class: 'welcome' },
    icon('checklist'),
    h('h2', {}, say.welcome),
    h('p', {}, say.welcomeDetail),
    h('p', { class: 'small' }, say.planDetail),
    h('p', { class: 'small' }, say.agentDetail),
  );
}

// ---------------------------------------------------------------- the extension's messages

addEventListener('message', ({ data }: MessageEvent<ToView>) => {
  switch (data.type) {
    case 'plans':
      return draw(data.plans, data.error);
    case 'suggestions':
      return composer.suggest(data.request, data.items);
    case 'attach':
      composer.attach(data.chips);
      return composer.focus();
    case 'context':
      return composer.look(data.chip);
    case 'compose':
      return composer.set(data.text, data.chips);
  }
});

const draft = vscode.getState();
if (draft) {
  mode.value = draft.mode;
  test.value = draft.test;
  composer.set(draft.text, draft.chips);
}
draw([], undefined);
vscode.postMessage({ type: 'ready' });
