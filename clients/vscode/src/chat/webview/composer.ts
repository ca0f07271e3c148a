/** The box that people write in: grows with its text, completes `@` and `/`, holds attachments. */

import type { Chip, Suggestion } from '../protocol';
import { h, icon, tool } from './dom';
import { filled } from './host';

export interface Command {
  name: string;
  detail: string;
}

export interface Words {
  placeholder: string;
  send: string;
  stop: string;
  attach: string;
  remove: string;
  contextOn: string;
  contextOff: string;
}

interface Wishes {
  words: Words;
  commands: Command[];
  send(text: string, chips: Chip[]): void;
  stop(): void;
  /** Suggestions for `@query` come later, by `suggest`. */
  query(request: number, query: string): void;
  pick(kind: NonNullable<Suggestion['kind']>): void;
  changed(): void;
}

/** What completes at the caret: `@wo` or a leading `/ex`. */
export function trigger(text: string, caret: number): { sign: '@' | '/'; query: string; start: number } | undefined {
  const match = /(?:^|\s)(@)([^\s@]*)$|^(\/)([a-z]*)$/.exec(text.slice(0, caret));
  if (!match) {
    return undefined;
  }
  const sign = (match[1] ?? match[3]) as '@' | '/';
  const query = match[2] ?? match[4] ?? '';
  return { sign, query, start: caret - query.length - 1 };
}

/** Equal attachments are attached once. A name says nothing more where there is a place. */
export function same(one: Chip, other: Chip): boolean {
  const key = ({ attachment: a }: Chip) => JSON.stringify([a.kind, a.uri ?? a.name, a.range]);
  return key(one) === key(other);
}

export class Composer {
  readonly element: HTMLElement;
  readonly box: HTMLTextAreaElement;
  readonly toolbar = h('div', { class: 'toolbar' });
  private readonly chipList = h('ul', { class: 'chips', 'aria-live': 'polite' });
  private readonly popup = h('ul', { class: 'popup', role: 'listbox', id: 'suggestions', hidden: true });
  private readonly button: HTMLButtonElement;
  private chips: Chip[] = [];
  private context: Chip | undefined;
  private contextOn = true;
  private suggestions: Suggestion[] = [];
  private chosen = 0;
  private request = 0;
  private busy = false;

  constructor(private readonly wishes: Wishes) {
    const { words } = wishes;
    this.box = h('textarea', {
      rows: 1,
      placeholder: words.placeholder,
      'aria-label': words.placeholder,
      'aria-controls': 'suggestions',
      'aria-autocomplete': 'list',
      onInput: () => this.typed(),
      onKeydown: (event: KeyboardEvent) => this.key(event),
      onClick: () => this.complete(),
      onBlur: () => setTimeout(() => this.close(), 150),
    });
    this.button = tool('send', words.send, () => (this.busy ? wishes.stop() : this.send()), { class: 'tool primary' });
    this.toolbar.append(
      tool('mention', words.attach, () => this.type('@')),
      h('span', { class: 'stretch' }),
      this.button,
    );
    this.element = h('div', { class: 'composer' }, this.popup, h('div', { class: 'frame' }, this.chipList, this.box, this.toolbar));
    this.draw();
  }

  // ---------------------------------------------------------------- from outside

  get text(): string {
    return this.box.value;
  }

  get attached(): Chip[] {
    return this.chips;
  }

  set(text: string, chips: Chip[]): void {
    this.box.value = text;
    this.chips = chips;
    this.draw();
    this.grow();
    this.focus();
  }

  focus(): void {
    this.box.focus();
    this.box.setSelectionRange(this.box.value.length, this.box.value.length);
  }

  attach(chips: readonly Chip[]): void {
    this.chips = [...this.chips, ...chips.filter((chip) => !this.chips.some((old) => same(old, chip)))];
    this.draw();
    this.wishes.changed();
  }

  /** What the person looks at in the editor; it goes along unless switched off. */
  look(chip: Chip | undefined): void {
    this.context = chip;
    this.draw();
  }

  working(busy: boolean): void {
    this.busy = busy;
    const label = busy ? this.wishes.words.stop : this.wishes.words.send;
    this.button.replaceChildren(icon(busy ? 'stop-circle' : 'send'));
    this.button.title = label;
    this.button.setAttribute('aria-label', label);
    this.allow();
  }

  suggest(request: number, items: Suggestion[]): void {
    if (request === this.request && document.activeElement === this.box) {
      this.open(items);
    }
  }

  /** Writes a sign where the caret is, as if it had been typed. */
  type(sign: string): void {
    const { selectionStart, value } = this.box;
    const before = value.slice(0, selectionStart);
    const gap = before && !/\s$/.test(before) ? ' ' : '';
    this.box.focus();
    this.box.setRangeText(gap + sign, selectionStart, this.box.selectionEnd, 'end');
    this.typed();
  }

  /** What goes with the question: what was attached, and what is looked at. */
  going(): Chip[] {
    const { context } = this;
    const along = context && this.contextOn && !this.chips.some((chip) => same(chip, context)) ? [context] : [];
    return [...this.chips, ...along];
  }

  // ---------------------------------------------------------------- typing

  private send(): void {
    const text = this.box.value.trim();
    if (!text || this.busy) {
      return;
    }
    const chips = this.going();
    this.box.value = '';
    this.chips = [];
    this.close();
    this.draw();
    this.grow();
    this.wishes.send(text, chips);
    this.wishes.changed();
  }

  private typed(): void {
    this.grow();
    this.allow();
    this.complete();
    this.wishes.changed();
  }

  private allow(): void {
    this.button.disabled = !this.busy && !this.box.value.trim();
  }

  private grow(): void {
    this.box.style.height = 'auto';
    this.box.style.height = `${Math.min(this.box.scrollHeight, 240)}px`;
    this.allow();
  }

  private key(event: KeyboardEvent): void {
    if (event.isComposing) {
      return;
    }
    const open = !this.popup.hidden;
    if (open && (event.key === 'ArrowDown' || event.key === 'ArrowUp')) {
      event.preventDefault();
      const step = event.key === 'ArrowDown' ? 1 : -1;
      this.choose((this.chosen + step + this.suggestions.length) % this.suggestions.length);
    } else if (open && (event.key === 'Enter' || event.key === 'Tab') && !event.shiftKey) {
      event.preventDefault();
      this.take(this.chosen);
    } else if (open && event.key === 'Escape') {
      event.preventDefault();
      event.stopPropagation();
      this.close();
    } else if (event.key === 'Enter' && !event.shiftKey && !event.altKey) {
      event.preventDefault();
      this.send();
    }
  }

  // ---------------------------------------------------------------- completing

  private complete(): void {
    const found = trigger(this.box.value, this.box.selectionStart);
    if (!found) {
      this.close();
    } else if (found.sign === '@') {
      this.wishes.query(++this.request, found.query);
    } else {
      this.open(
        this.wishes.commands
          .filter((command) => command.name.startsWith(found.query))
          .map(({ name, detail }) => ({ label: `/${name}`, detail, icon: 'terminal' })),
      );
    }
  }

  private open(items: Suggestion[]): void {
    this.suggestions = items;
    this.popup.hidden = items.length === 0;
    this.popup.replaceChildren(
      ...items.map((item, index) =>
        h(
          'li',
          { role: 'option', id: `suggestion-${index}`, onMousedown: (event: MouseEvent) => (event.preventDefault(), this.take(index)) },
          icon(item.icon),
          h('span', { class: 'label' }, item.label),
          h('span', { class: 'detail' }, item.detail),
        ),
      ),
    );
    if (items.length) {
      this.choose(0);
    } else {
      this.box.removeAttribute('aria-activedescendant');
    }
  }

  private choose(index: number): void {
    this.chosen = index;
    [...this.popup.children].forEach((item, at) => item.setAttribute('aria-selected', String(at === index)));
    this.box.setAttribute('aria-activedescendant', `suggestion-${index}`);
    this.popup.children[index]?.scrollIntoView({ block: 'nearest' });
  }

  private take(index: number): void {
    const item = this.suggestions[index];
    const found = trigger(this.box.value, this.box.selectionStart);
    this.close();
    if (!item || !found) {
      return;
    }
    const typed = item.chip || item.kind ? '' : `${item.label} `;
    this.box.setRangeText(typed, found.start, this.box.selectionStart, 'end');
    this.grow();
    if (item.chip) {
      this.attach([item.chip]);
    } else if (item.kind) {
      this.wishes.pick(item.kind);
    }
    this.box.focus();
    this.wishes.changed();
  }

  private close(): void {
    this.request++;
    this.popup.hidden = true;
    this.box.removeAttribute('aria-activedescendant');
  }

  // ---------------------------------------------------------------- attachments

  private draw(): void {
    const { words } = this.wishes;
    const items = this.chips.map((chip) =>
      chipElement(chip, tool('close', filled(words.remove, chip.label), () => this.detach(chip))),
    );
    const { context } = this;
    if (context && !this.chips.some((chip) => same(chip, context))) {
      const label = filled(this.contextOn ? words.contextOn : words.contextOff, context.title);
      const toggle = tool(this.contextOn ? 'eye' : 'eye-closed', label, () => this.toggle(), { 'aria-pressed': this.contextOn });
      const element = chipElement(context, toggle);
      element.classList.add('context');
      element.classList.toggle('off', !this.contextOn);
      items.push(element);
    }
    this.chipList.hidden = items.length === 0;
    this.chipList.replaceChildren(...items);
    this.allow();
  }

  private toggle(): void {
    this.contextOn = !this.contextOn;
    this.draw();
    this.chipList.querySelector<HTMLElement>('.context button')?.focus();
  }

  private detach(chip: Chip): void {
    this.chips = this.chips.filter((each) => each !== chip);
    this.draw();
    this.focus();
    this.wishes.changed();
  }
}

export function chipElement(chip: Chip, ...after: HTMLElement[]): HTMLLIElement {
  return h('li', { class: 'chip', title: chip.title }, icon(chip.icon), h('span', { class: 'label' }, chip.label), ...after);
}

/** What was dropped onto the page, as URIs. */
export function dropped(data: DataTransfer): string[] {
  const lists = ['application/vnd.code.uri-list', 'text/uri-list'].map((type) => data.getData(type));
  const uris = (lists.find(Boolean) ?? '').split(/\r?\n/).filter((line) => line && !line.startsWith('#'));
  return [...new Set(uris)];
}

/** Files and folders dropped anywhere on the page are attached. */
export function acceptDrops(hint: string, drop: (uris: string[]) => void): void {
  const veil = h('div', { class: 'veil', hidden: true, 'data-hint': hint });
  document.body.append(veil);
  addEventListener('dragover', (event) => {
    event.preventDefault();
    veil.hidden = false;
  });
  for (const end of ['dragleave', 'dragend', 'drop'] as const) {
    addEventListener(end, (event) => {
      if (end !== 'dragleave' || !event.relatedTarget) {
        veil.hidden = true;
      }
    });
  }
  addEventListener('drop', (event) => {
    event.preventDefault();
    const uris = event.dataTransfer ? dropped(event.dataTransfer) : [];
    if (uris.length) {
      drop(uris);
    }
  });
}
