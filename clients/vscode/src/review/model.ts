/** What a review comes to in text. Pure; offsets and positions are UTF-16, as VS Code counts. */

import type { Position, Range, Review, ReviewFile, ReviewHunk } from '../generated/messages';

export interface Place {
  hunk: ReviewHunk;
  /** Lines of the proposed text, [first, last), from 0; equal where the hunk only removes. */
  first: number;
  last: number;
}

export interface Proposal {
  text: string;
  places: Place[];
}

export function undecided(hunk: ReviewHunk): boolean {
  return hunk.state === 'pending' || hunk.state === 'conflict';
}

export function open(file: ReviewFile): boolean {
  return file.hunks.some(undecided);
}

/** Offset of a position; one past the end of its line, or of the text, is the end. */
export function offsetAt(text: string, position: Position): number {
  let start = 0;
  for (let line = 0; line < position.line; line++) {
    const match = /\r\n|\r|\n/g;
    match.lastIndex = start;
    if (!match.exec(text)) {
      return text.length;
    }
    start = match.lastIndex;
  }
  const rest = text.slice(start).search(/[\r\n]/);
  return Math.min(start + position.character, rest < 0 ? text.length : start + rest);
}

function lineOf(text: string, offset: number): number {
  return text.slice(0, offset).match(/\r\n|\r|\n/g)?.length ?? 0;
}

/** Whether the hunk stands for the file itself: its creation, deletion or renaming. */
export function whole(file: ReviewFile, hunk: ReviewHunk): boolean {
  return file.kind === 'create' || file.kind === 'delete' || (file.kind === 'rename' && file.hunks[0] === hunk && !hunk.newText);
}

/** The file as it would be with everything that is still pending, from its text as it is now. */
export function proposed(file: ReviewFile, now: string): Proposal {
  const pending = file.hunks.filter((hunk) => hunk.state === 'pending');
  if (file.kind === 'create' || file.kind === 'delete') {
    const hunk = pending[0];
    const text = !hunk ? now : file.kind === 'create' ? hunk.newText : '';
    return { text, places: hunk ? [{ hunk, first: 0, last: lines(text) }] : [] };
  }
  const edits = pending
    .map((hunk) => ({ hunk, start: offsetAt(now, hunk.oldRange.start), end: offsetAt(now, hunk.oldRange.end) }))
    .sort((a, b) => a.start - b.start || a.end - b.end);
  let text = '';
  let at = 0;
  const places: Place[] = [];
  for (const { hunk, start, end } of edits) {
    text += now.slice(at, start);
    const first = lineOf(text, text.length);
    text += hunk.newText;
    at = end;
    if (!whole(file, hunk)) {
      places.push({ hunk, first, last: first + lines(hunk.newText) });
    } else {
      places.push({ hunk, first: 0, last: 0 });
    }
  }
  return { text: text + now.slice(at), places };
}

function lines(text: string): number {
  const count = text.split(/\r\n|\r|\n/).length;
  return text === '' ? 0 : /[\r\n]$/.test(text) ? count - 1 : count;
}

/** The hunk at a line of the proposed text, else the nearest. */
export function nearest(places: readonly Place[], line: number): Place | undefined {
  const distance = ({ first, last }: Place) => (line < first ? first - line : line >= last ? line - Math.max(first, last - 1) : 0);
  return places.reduce<Place | undefined>((best, each) => (best && distance(best) <= distance(each) ? best : each), undefined);
}

/** The hunk whose present lines hold the line of the document, if any; conflicts too. */
export function hunkAt(file: ReviewFile, line: number): ReviewHunk | undefined {
  return file.hunks.filter(undecided).find(({ oldRange: { start, end } }) => {
    const last = end.character === 0 && end.line > start.line ? end.line - 1 : end.line;
    return line >= start.line && line <= last;
  });
}

/** The next undecided hunk after `hunkId` in reading order, from the start again at the end. */
export function next(review: Review, hunkId: string | undefined, step: 1 | -1 = 1): { file: ReviewFile; hunk: ReviewHunk } | undefined {
  const all = review.files.flatMap((file) => file.hunks.map((hunk) => ({ file, hunk })));
  const at = all.findIndex(({ hunk }) => hunk.hunkId === hunkId);
  const from = at < 0 ? (step > 0 ? -1 : 0) : at;
  for (let n = 1; n <= all.length; n++) {
    const each = all[(((from + step * n) % all.length) + all.length) % all.length]!;
    if (undecided(each.hunk)) {
      return each;
    }
  }
  return undefined;
}

export interface Count {
  pending: number;
  accepted: number;
  rejected: number;
  all: number;
}

export function count(hunks: readonly ReviewHunk[]): Count {
  const having = (...states: ReviewHunk['state'][]) => hunks.filter((hunk) => states.includes(hunk.state)).length;
  return { pending: having('pending', 'conflict'), accepted: having('accepted'), rejected: having('rejected'), all: hunks.length };
}

/** Added and removed lines, as +3 −1. */
export function size(hunk: ReviewHunk): { added: number; removed: number } {
  return { added: lines(hunk.newText), removed: lineCount(hunk.oldRange) };
}

function lineCount({ start, end }: Range): number {
  return end.line - start.line + (end.character > 0 ? 1 : 0);
}
