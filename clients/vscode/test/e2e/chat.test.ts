import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Frame } from 'playwright-core';
import { Editor, missing } from './harness.ts';
import { accessible, theme, themes, view } from './view.ts';

const skip = missing();
const basket = 'def total(items):\n    return sum(item["price"] for item in items)\n\n\ndef count(items):\n    return len(items)\n';
const fixed = 'def total(items):\n    """Price times quantity."""\n    return sum(item["price"] * item["quantity"] for item in items)\n';
const answer =
  'The total ignores **quantities**, see `basket.py:2`.\n\n' +
  `\`\`\`python\n# basket.py\n${fixed}\`\`\`\n\n` +
  '| items | before | after |\n|---|---|---|\n| two apples | 1.00 | 2.00 |\n\nThen run:\n\n```bash\npython -m pytest -q\n```\n';
const pieces = (text: string) => text.match(/[\s\S]{1,8}/g) ?? [];

describe('chat in VS Code', { skip, timeout: 300_000 }, () => {
  let editor: Editor;
  let chat: Frame;
  const box = () => chat.locator('.composer textarea');
  const articles = () => chat.locator('article');
  const ask = async (text: string) => {
    await box().fill(text);
    await box().press('Enter');
  };
  const answered = async (count: number) => {
    await chat.locator('article.assistant').nth(count - 1).waitFor();
    await chat.locator('article.assistant:last-of-type .actions').waitFor({ timeout: 20_000 });
  };

  before(async () => {
    editor = await Editor.open({
      files: { 'basket.py': basket, 'src/receipt.py': 'def receipt(items):\n    return ""\n' },
      scripts: [
        { match: 'SLOWLY', pieces: Array.from({ length: 400 }, (_, n) => `word${n} `), delay: 0.05 },
        { match: 'Say hello', pieces: ['Hello', ' from', ' Lido.'] },
        { match: 'total', pieces: pieces(answer), delay: 0.03 },
      ],
    });
    editor.page.setDefaultTimeout(15_000);
    await editor.ready();
    await editor.openFile('basket.py');
    await editor.command('Lido: Open Chat');
    chat = await view(editor, '.composer .models option:nth-child(2)');
  });
  after(() => editor?.close());

  test('an empty chat says what it can do', async () => {
    assert.match(await chat.locator('.welcome').innerText(), /\/explain/);
    await editor.screenshot('chat-welcome');
    await accessible(chat);
  });

  test('an answer streams, with what was attached by @ and by looking at it', async () => {
    await box().focus();
    await box().pressSequentially('Why is the total wrong? @rec');
    await chat.locator('[role=option]', { hasText: 'receipt.py' }).waitFor();
    await editor.screenshot('chat-attach');
    await box().press('Enter');
    await chat.locator('.composer .chip', { hasText: 'receipt.py' }).waitFor();
    await box().press('Enter');
    await chat.locator('article.assistant', { hasText: 'quantities' }).waitFor();
    assert.equal(await chat.getByRole('button', { name: 'Stop (Escape)' }).count(), 1, 'it was whole before it was seen to stream');
    assert.doesNotMatch(await articles().nth(1).innerText(), /pytest/);
    await answered(1);
    assert.deepEqual(await chat.locator('article.user .chip').allInnerTexts(), ['receipt.py', 'basket.py']);
    assert.match(await articles().nth(1).innerText(), /pytest/);
    assert.equal(await chat.locator('article.assistant .code .name').first().innerText(), 'basket.py');
    assert.ok((await chat.locator('.hljs-keyword').count()) > 0);
    assert.match((await chat.locator('[role=status]').textContent()) ?? '', /Lido answered: The total ignores/);
  });

  test('it can be read in each theme, and by a checker of accessibility', async () => {
    for (const name of themes) {
      await theme(editor, name);
      await editor.screenshot(`chat-${name}`);
      await accessible(chat);
    }
    await theme(editor, 'dark');
  });

  test('a code block is applied, through the review', async () => {
    await chat.getByRole('button', { name: 'Apply' }).click();
    await editor.page.locator('.monaco-diff-editor').first().waitFor();
    assert.equal(editor.file('basket.py'), basket);
    await editor.page.locator('.codelens-decoration a', { hasText: 'Accept' }).first().waitFor();
    await editor.screenshot('chat-apply');
    await editor.page.locator('.codelens-decoration a', { hasText: 'Accept' }).first().click();
    const deadline = Date.now() + 15_000;
    while (!editor.file('basket.py').startsWith(fixed) && Date.now() < deadline) {
      await editor.page.waitForTimeout(100);
    }
    assert.equal(editor.file('basket.py'), basket.replace(/^def total[\s\S]*?items\)\n(?=\n)/, fixed));
    const accepted = await editor.event('accepted', 'chat_apply');
    assert.equal(accepted.language, 'python');
  });

  test('a place that the answer cites is opened', async () => {
    await chat.locator('a[data-path="basket.py:2"]').click();
    await editor.page.locator('.tab.active[data-resource-name="basket.py"]').waitFor();
    await editor.page.getByText('Ln 2, Col 1').waitFor();
  });

  test('a word on an answer is kept', async () => {
    const up = chat.getByRole('button', { name: 'Good answer' });
    await up.click();
    await chat.locator('[aria-label="Good answer"][aria-pressed="true"]').waitFor();
    await editor.event('accepted', 'chat');
  });

  test('an answer is stopped, kept as far as it came, and asked for again', async () => {
    await ask('Tell me SLOWLY');
    await chat.locator('article.assistant', { hasText: 'word5' }).waitFor();
    await box().press('Escape');
    await chat.locator('.note', { hasText: 'Stopped' }).waitFor();
    const text = await articles().nth(3).locator('.body').innerText();
    assert.match(text, /^word0 .*word5/);
    assert.doesNotMatch(text, /word399/);
    await chat.getByRole('button', { name: 'Try again' }).click();
    await chat.locator('.note', { hasText: 'Stopped' }).waitFor({ state: 'detached' });
    await chat.locator('article.assistant', { hasText: 'word3' }).waitFor();
    await box().press('Escape');
    await chat.locator('.note', { hasText: 'Stopped' }).waitFor();
    assert.equal(await articles().count(), 4);
  });

  test('an earlier question is edited and sent again, by the keyboard alone', async () => {
    await box().press('ArrowUp');
    assert.equal(await box().inputValue(), 'Tell me SLOWLY');
    await box().fill('Say hello');
    await editor.screenshot('chat-edit');
    await box().press('Enter');
    await chat.locator('article.assistant', { hasText: 'Hello from Lido.' }).waitFor();
    await chat.locator('article.assistant:last-of-type .actions').waitFor();
    assert.deepEqual(await chat.locator('article.user .body').allInnerTexts(), ['Why is the total wrong?', 'Say hello']);
  });

  test('the conversation is there again after a reload', async () => {
    await editor.load();
    await editor.ready();
    await editor.command('Lido: Open Chat');
    chat = await view(editor, 'article.assistant');
    assert.deepEqual(await chat.locator('article.user .body').allInnerTexts(), ['Why is the total wrong?', 'Say hello']);
    assert.deepEqual(await chat.locator('article.user').first().locator('.chip').allInnerTexts(), ['receipt.py', 'basket.py']);
    assert.equal(await chat.locator('[aria-label="Good answer"][aria-pressed="true"]').count(), 1);
  });

  test('conversations are found, renamed, exported and deleted', async () => {
    await editor.command('Lido: New Chat');
    await chat.locator('.welcome').waitFor();
    await ask('Say hello');
    await answered(1);
    await editor.command('Lido: Chat History');
    await chat.locator('.conversations li').nth(1).waitFor();
    await chat.locator('.conversations li', { hasText: 'Why is' }).getByRole('button', { name: /^Rename/ }).click();
    await chat.locator('.conversations input').fill('Quantities');
    await chat.locator('.conversations input').press('Enter');
    await chat.locator('.conversations .label', { hasText: 'Quantities' }).waitFor();
    await editor.screenshot('chat-history');
    await accessible(chat);
    await chat.locator('input[type=search]').fill('ignores **quant');
    await chat.locator('.conversations li', { hasText: 'Say hello' }).waitFor({ state: 'detached' });
    assert.deepEqual(await chat.locator('.conversations .label').allInnerTexts(), ['Quantities']);
    await chat.getByRole('button', { name: /^Export/ }).click();
    await editor.page.locator('.tab.active[data-resource-name^="Untitled"]').waitFor();
    await editor.page.locator('.view-line', { hasText: '# Quantities' }).waitFor();
    await chat.getByRole('button', { name: /^Delete/ }).click();
    await editor.page.locator('.monaco-dialog-box').getByRole('button', { name: 'Delete' }).click();
    await chat.locator('.conversations .none, .conversations .label', { hasText: /No conversation|Say hello/ }).first().waitFor();
    assert.equal(await chat.locator('.conversations .label', { hasText: 'Quantities' }).count(), 0);
  });

  test('nothing of it is in the log', () => {
    const logs = readFileSync(path.join(editor.home, 'lido', 'events.sqlite3'), 'latin1');
    assert.doesNotMatch(logs, /ignores \*\*quantities/);
  });
});

describe('VS Code’s own chat', { skip, timeout: 200_000 }, () => {
  let editor: Editor;

  before(async () => {
    editor = await Editor.open({
      files: { 'basket.py': basket },
      scripts: [{ pieces: pieces(answer), delay: 0.01 }],
    });
    await editor.ready();
  });
  after(() => editor?.close());

  test('@lido answers there, without an account, and offers the change for review', async () => {
    await editor.command('Chat: Open Chat');
    const input = editor.page.locator('.interactive-input-part .monaco-editor').first();
    await editor.page.locator('.interactive-input-part', { hasText: 'Lido: scripted' }).waitFor();
    await input.click();
    await editor.page.keyboard.type('@lido why is the total wrong?', { delay: 30 });
    await editor.page.keyboard.press('Enter');
    const button = editor.page.locator('.interactive-item-container').getByText('Review the change to basket.py');
    await button.waitFor();
    await editor.screenshot('native-chat');
    await button.click();
    await editor.page.locator('.monaco-diff-editor').first().waitFor();
  });
});
