import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { Editor, missing } from './harness.ts';

describe('around the editor', { skip: missing(), timeout: 240_000 }, () => {
  let editor: Editor;

  before(async () => {
    editor = await Editor.open({
      files: { 'basket.py': 'def total(prices):\n    return sum(prices)\n' },
      scripts: [
        { pieces: ['Round ', 'totals ', 'to cents'], match: '[Cc]ommit message', delay: 0.05 },
        { pieces: ['round(prices, 2)'] },
      ],
      settings: { 'terminal.integrated.gpuAcceleration': 'off' }, // its text in the page, not on a canvas
    });
    const git = (...words: string[]) =>
      execFileSync('git', ['-c', 'user.name=A', '-c', 'user.email=a@example.com', ...words], { cwd: editor.folder });
    git('init', '-q');
    git('add', '.');
    git('commit', '-q', '-m', 'Begin');
    await editor.ready();
  });
  after(() => editor?.close());

  test('activation takes less than 150 ms of the extension host', async () => {
    const times = () => [...editor.log().matchAll(/activated in (\d+) ms/g)].map((match) => Number(match[1]));
    assert.ok(times().length, editor.log());
    // The best of some starts: what else the machine does meanwhile is not the extension's.
    for (let tries = 0; tries < 4 && Math.min(...times()) >= 150; tries++) {
      await editor.page.reload();
      await editor.ready();
    }
    console.log('activated in', times(), 'ms');
    assert.ok(Math.min(...times()) < 150, String(times()));
  });

  test('a commit message is written from the changes', async () => {
    await editor.doing('commit-message', async () => {
      await editor.openFile('basket.py', '2:24');
      await editor.page.keyboard.press('Home');
      await editor.page.keyboard.press('Shift+End');
      await editor.page.keyboard.type('return round(sum(prices), 2)');
      await editor.page.keyboard.press('Escape');
      await editor.save('basket.py', /round/);
      await editor.page.keyboard.press('Control+Shift+G');
      const input = editor.page.locator('.scm-editor');
      await editor.page.locator('.scm-view .monaco-list-row', { hasText: 'basket.py' }).first().waitFor();
      await editor.page.getByRole('button', { name: 'Write Commit Message' }).first().click();
      await input.filter({ hasText: 'Round totals to cents' }).waitFor();
      await editor.screenshot('commit-message');
    });
  });

  test('a language is switched off and on again', async () => {
    await editor.doing('language-off', async () => {
      await editor.openFile('basket.py');
      await editor.command('Lido: Toggle Completions for This Language');
      await editor.ready(/Completions are off here/);
      await editor.command('Lido: Toggle Completions for This Language');
      await editor.ready();
    });
  });

  test('while completions are snoozed nothing is suggested', async () => {
    await editor.doing('snooze', async () => {
      await editor.command('Lido: Snooze Completions');
      await editor.page.locator('.quick-input-list .monaco-list-row', { hasText: '15 minutes' }).click();
      await editor.ready(/snoozed/);
      const before = editor.events().length;
      await editor.openFile('basket.py');
      await editor.page.keyboard.press('Control+End');
      await editor.page.keyboard.type('x = ');
      await editor.page.waitForTimeout(1500); // that nothing comes can only be seen by waiting
      assert.equal(await editor.page.locator('.ghost-text').count(), 0);
      assert.equal(editor.events().length, before);
      await editor.page.locator('[id$="lido.status"] a').click();
      await editor.page.locator('.quick-input-list .monaco-list-row', { hasText: 'Metrics' }).waitFor();
      await editor.screenshot('menu');
      await editor.page.locator('.quick-input-list .monaco-list-row', { hasText: 'End Snooze' }).click();
      await editor.ready();
      await editor.page.keyboard.press('Control+1'); // the editor: the focus went back to the status bar
      await editor.page.keyboard.type('y = ');
      assert.match(await editor.ghost(), /round/);
      await editor.page.keyboard.press('Tab');
      await editor.event('accepted');
    });
  });

  test('the metrics show what was accepted', async () => {
    await editor.doing('metrics', async () => {
      await editor.command('Lido: Show Metrics');
      const page = editor.page.frameLocator('iframe.webview.ready').last().frameLocator('iframe');
      await page.getByRole('heading', { name: 'The last 28 days' }).waitFor();
      const row = page.locator('tr', { has: page.getByRole('rowheader', { name: 'python' }) });
      assert.match(await row.innerText(), /python\s+\d+\s+1\s/);
      await editor.screenshot('metrics');
    });
  });

  test('the walkthrough opens', async () => {
    await editor.doing('walkthrough', async () => {
      await editor.command('View: Close All Editors');
      await editor.command('Welcome: Open Walkthrough...');
      await editor.page.locator('.quick-input-widget input').first().fill('Get started with Lido');
      await editor.page.locator('.quick-input-list .monaco-list-row.focused', { hasText: 'Get started with Lido' }).waitFor();
      await editor.page.keyboard.press('Enter');
      await editor.page.locator('.getting-started-step.expanded').waitFor();
      await editor.screenshot('walkthrough');
    });
  });

  test('the doctor examines the model that the editor is set to', async () => {
    await editor.doing('doctor', async () => {
      await editor.command('Lido: Doctor');
      const rows = editor.page.locator('.terminal-wrapper.active .xterm-rows').first();
      await rows.filter({ hasText: /All is well|to mend/ }).waitFor();
      await editor.screenshot('doctor');
      assert.match((await rows.innerText()).replace(/\s+/g, ' '), /scripted \(completion, chat, plan\)/);
    });
  });
});
