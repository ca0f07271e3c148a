import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { HunkState, Review, ReviewFile, ReviewHunk } from '../../src/generated/messages';
import * as model from '../../src/review/model';

function hunk(hunkId: string, from: number, to: number, newText: string, state: HunkState = 'pending'): ReviewHunk {
  return { hunkId, uri: 'file:///a.py', oldRange: { start: { line: from, character: 0 }, end: { line: to, character: 0 } }, newText, state, description: hunkId };
}

function file(kind: ReviewFile['kind'], ...hunks: ReviewHunk[]): ReviewFile {
  return { uri: 'file:///a.py', kind, hunks };
}

describe('the proposed text', () => {
  it('has every pending hunk, and no other', () => {
    const { text, places } = model.proposed(
      file('modify', hunk('a', 0, 1, 'A\nA2\n'), hunk('b', 1, 2, 'B\n', 'rejected'), hunk('c', 2, 3, ''), hunk('d', 4, 4, 'D\n')),
      'a\nb\nc\nd\n',
    );
    assert.equal(text, 'A\nA2\nb\nd\nD\n');
    assert.deepEqual(places.map(({ hunk: { hunkId }, first, last }) => [hunkId, first, last]), [['a', 0, 2], ['c', 3, 3], ['d', 4, 5]]);
  });

  it('keeps line endings, and wide characters in their places', () => {
    const wide = hunk('w', 1, 1, 'X');
    wide.oldRange = { start: { line: 1, character: 2 }, end: { line: 1, character: 3 } };
    assert.equal(model.proposed(file('modify', wide), 'a\r\n😀b\r\nc').text, 'a\r\n😀X\r\nc');
    assert.equal(model.offsetAt('a\nbc', { line: 1, character: 99 }), 4);
    assert.equal(model.offsetAt('a\nbc\nd', { line: 0, character: 99 }), 1);
    assert.equal(model.offsetAt('a', { line: 9, character: 0 }), 1);
  });

  it('is all of a new file and nothing of a deleted one', () => {
    assert.equal(model.proposed(file('create', hunk('n', 0, 0, 'new\n')), '').text, 'new\n');
    assert.equal(model.proposed(file('create', hunk('n', 0, 0, 'new\n', 'rejected')), '').text, '');
    assert.equal(model.proposed(file('delete', hunk('x', 0, 1, '')), 'old\n').text, '');
    assert.equal(model.proposed(file('delete', hunk('x', 0, 1, '', 'rejected')), 'old\n').text, 'old\n');
  });
});

describe('finding hunks', () => {
  const first = file('modify', hunk('a', 0, 1, 'A\n', 'accepted'), hunk('b', 4, 6, 'B\n'));
  const second: ReviewFile = { ...file('modify', hunk('c', 1, 2, 'C\n', 'conflict')), uri: 'file:///b.py' };
  const review: Review = { reviewId: 'r', title: '', files: [first, second] };

  it('goes from one undecided to the next, over files and round', () => {
    assert.equal(model.next(review, undefined)?.hunk.hunkId, 'b');
    assert.equal(model.next(review, 'b')?.hunk.hunkId, 'c');
    assert.equal(model.next(review, 'c')?.hunk.hunkId, 'b');
    assert.equal(model.next(review, 'b', -1)?.hunk.hunkId, 'c');
    assert.equal(model.next(review, undefined, -1)?.hunk.hunkId, 'c');
    assert.equal(model.next({ ...review, files: [] }, undefined), undefined);
  });

  it('takes the one under the cursor', () => {
    assert.deepEqual([3, 4, 5, 6].map((line) => model.hunkAt(first, line)?.hunkId), [undefined, 'b', 'b', undefined]);
    const { places } = model.proposed(file('modify', hunk('a', 0, 1, 'A\n'), hunk('b', 4, 6, 'B\n')), 'a\nb\nc\nd\ne\nf\ng\n');
    assert.deepEqual([0, 1, 3, 9].map((line) => model.nearest(places, line)?.hunk.hunkId), ['a', 'a', 'b', 'b']);
  });

  it('counts what is decided', () => {
    assert.deepEqual(model.count(review.files.flatMap((each) => each.hunks)), { pending: 2, accepted: 1, rejected: 0, all: 3 });
    assert.deepEqual(model.size(hunk('x', 2, 5, 'one\ntwo')), { added: 2, removed: 3 });
    assert.ok(model.open(second));
  });
});
