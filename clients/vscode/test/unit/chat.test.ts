import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ChatAnswer, Conversation } from '../../src/generated/messages';
import type { Chip } from '../../src/chat/protocol';
import * as state from '../../src/chat/state';
import { same, trigger } from '../../src/chat/webview/composer';
import { blocks, citation } from '../../src/chat/webview/markdown';

const labels = { apply: 'Apply', insert: 'Insert', copy: 'Copy', terminal: 'Terminal', code: 'Code' };
const html = (text: string, fences: { language: string; text: string; uri?: string }[] = []) =>
  blocks(text, labels, fences)
    .map((block) => block.html)
    .join('');
const chip = (label: string): Chip => ({ attachment: { kind: 'file', uri: `file:///w/${label}` }, label, icon: 'file', title: label });
const name = (attachment: { name?: string }): Chip => ({ ...chip(attachment.name ?? ''), label: attachment.name ?? '' });

describe('an answer as HTML', () => {
  it('shows markup of the model’s as text', () => {
    const shown = html('Hi <img src=x onerror=alert(1)>\n\n<script>alert(2)</script>');
    assert.doesNotMatch(shown, /<(?:img|script)/);
    assert.match(shown, /&lt;img/);
  });

  it('leads nowhere but to the web and to files of the workspace', () => {
    assert.doesNotMatch(html('[a](javascript:alert(1)) ![x](data:text/html,hi) [b](vbscript:x)'), /href="(?:javascript|data|vbscript)/i);
    assert.match(html('[docs](https://example.com/a"b)'), /href="https:\/\/example.com\/a%22b"/);
    assert.match(html('[here](src/a%20b.py#L3)'), /href="#" data-path="src\/a b.py#L3"/);
    assert.match(html('![logo](https://example.com/x.png)'), /^<p><a href="https:\/\/example.com\/x.png"/);
    assert.match(html('See `basket.py:12`.'), /data-path="basket.py:12"/);
  });

  it('names the file of a block once the server has said so, and offers to apply it', () => {
    const text = '```python\nx = "<b>"\n```\n';
    assert.match(html(text), /data-language="python"/);
    assert.doesNotMatch(html(text), /data-uri/);
    const known = html(text, [{ language: 'python', text: 'x = "<b>"\n', uri: 'file:///w/my%20file.py' }]);
    assert.match(known, /data-uri="file:\/\/\/w\/my%20file.py"/);
    assert.match(known, /<span class="name">my file.py<\/span>/);
    assert.match(known, /data-action="apply"/);
    assert.match(known, /<span class="hljs-string">&quot;&lt;b&gt;&quot;<\/span>/);
  });

  it('offers the terminal, not the editor, for shell commands', () => {
    const shown = html('```bash\nmake test\n```');
    assert.match(shown, /data-action="terminal"/);
    assert.doesNotMatch(shown, /data-action="apply"/);
  });

  it('keeps blocks that are complete while the rest still streams', () => {
    const text = 'One\n\n- a\n- b\n\n```js\nlet x = 1;\nlet y = 2;\n```\n\nEnd of **it**.';
    let before = blocks('', labels);
    let redrawn = 0;
    for (let length = 1; length <= text.length; length++) {
      const now = blocks(text.slice(0, length), labels);
      let equal = 0;
      while (equal < now.length && now[equal]?.html === before[equal]?.html) {
        equal++;
      }
      assert.ok(equal >= Math.min(before.length, now.length) - 1, 'more than the last block changed');
      redrawn += now.length - equal;
      before = now;
    }
    assert.equal(before.length, 4);
    assert.ok(redrawn <= text.length);
  });

  it('knows a place in a file from other code', () => {
    assert.deepEqual(['a.py', 'src/a.py:3', 'Makefile', 'x.y()', 'a b.py', '../x.py', 'dir/Makefile:3'].map(citation), [true, true, false, false, false, true, true]);
  });
});

describe('completing', () => {
  it('takes @ at a word’s beginning and / at the text’s', () => {
    assert.deepEqual(trigger('see @bas', 8), { sign: '@', query: 'bas', start: 4 });
    assert.deepEqual(trigger('/ex', 3), { sign: '/', query: 'ex', start: 0 });
    assert.equal(trigger('me@example', 10), undefined);
    assert.equal(trigger('and /ex', 7), undefined);
    assert.equal(trigger('@a b', 4), undefined);
  });

  it('tells attachments apart by what they attach', () => {
    assert.ok(same(chip('a.py'), { ...chip('a.py'), label: 'other' }));
    assert.ok(!same(chip('a.py'), chip('b.py')));
    const kept = chip('a.py');
    assert.ok(same(chip('a.py'), { ...kept, attachment: { ...kept.attachment, name: 'a.py' } }));
  });
});

describe('a conversation', () => {
  const kept: Conversation = {
    conversationId: 'c',
    title: 'T',
    messages: [
      { messageId: '1', role: 'user', text: 'q', time: '', codeBlocks: [], complete: true, attachments: [{ kind: 'file', name: 'a.py' }] },
      { messageId: '2', role: 'assistant', text: 'a', time: '', codeBlocks: [], complete: true, attachments: [] },
    ],
  };
  const answer: ChatAnswer = { conversationId: 'c', messageId: '2', text: 'a', codeBlocks: [], usage: { promptTokens: 0, completionTokens: 0, cachedTokens: 0 }, notes: ['cut'] };

  it('grows while it streams and takes ids and notes when it is whole', () => {
    let now = state.asked(state.empty, 'q', [chip('a.py')], 't');
    now = state.grown(state.grown(now, 'a', 'c'), 'b');
    assert.deepEqual([now.messages.at(-1)?.text, now.conversationId, now.busy], ['ab', 'c', true]);
    now = state.loaded(kept, name, now, answer);
    assert.deepEqual([now.busy, now.messages[1]?.messageId, now.messages[1]?.notes, now.messages[0]?.chips[0]?.label], [false, '2', ['cut'], 'a.py']);
    // Notes are the answer's alone, and stay when a later answer comes.
    assert.deepEqual(state.loaded(kept, name, now).messages[1]?.notes, ['cut']);
  });

  it('is cut where an earlier question is asked otherwise', () => {
    const now = state.asked(state.loaded(kept, name), 'q2', [], 't', '1');
    assert.deepEqual(now.messages.map((each) => each.text), ['q2', '']);
  });

  it('keeps what had come when the person stops it, and nothing empty', () => {
    const begun = state.asked(state.empty, 'q', [], 't');
    assert.deepEqual(state.broken(begun, 'no model').messages.map((each) => each.role), ['user']);
    assert.equal(state.broken(begun, 'no model').error, 'no model');
    const stopped = state.broken(state.grown(begun, 'half'), '');
    assert.deepEqual([stopped.messages.at(-1)?.complete, stopped.error, stopped.busy], [false, undefined, false]);
  });

  it('answers the last question again', () => {
    const now = state.retried(state.loaded(kept, name), 't');
    assert.deepEqual(now.messages.map((each) => each.text), ['q', '']);
    assert.equal(state.retried(state.empty, 't'), state.empty);
  });
});
