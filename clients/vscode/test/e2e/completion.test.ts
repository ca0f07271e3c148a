import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Editor, missing } from './harness.ts';

const skip = missing();
const files = { 'basket.py': 'def total(prices):\n    subtotal = sum(prices)\n    return \n' };

describe('completions in VS Code', { skip, timeout: 240_000 }, () => {
  let editor: Editor;

  before(async () => {
    editor = await Editor.open({
      files: { ...files, 'area.py': 'def area(w):\n    return w\n\n\nprint(area(1))\nprint(area(2))\n', 'lines.py': 'first = 1\nsecond = 2\n', 'list.py': 'first = 1\n' },
      settings: { 'workbench.hover.delay': 0 },
      scripts: [{ pieces: [' ', '+', ' ', 'l', 'e', 'n', '(', 'f', 'i', 'r', 's', 't', ')'], delay: 0.02, match: String.raw`u = first<.fim_suffix.>` }, { pieces: ['[first,\n     ', 'second]'], match: String.raw`v =\s*<.fim_suffix.>` }, { pieces: ['round', '(subtotal', ', 2)'], match: String.raw`(return|[wyz] =)\s*<.fim_suffix.>` }, { pieces: [''] }],
    });
    await editor.ready();
  });
  after(() => editor?.close());

  test('ghost text appears and Tab accepts it, and the log says so', async () => {
    await editor.openFile('basket.py', '3:12');
    await editor.page.keyboard.press('End');
    await editor.page.keyboard.type(' ');
    assert.match(await editor.ghost(), /round\(subtotal, 2\)/);
    assert.equal(await editor.page.locator('.notification-toast').count(), 0);
    await editor.screenshot('ghost-text');
    await editor.page.keyboard.press('Tab');
    await editor.page.waitForFunction(() => !document.querySelector('.ghost-text'));
    assert.match(await editor.text(), /return +round\(subtotal, 2\)/);
    const accepted = await editor.event('accepted');
    assert.equal(accepted.language, 'python');
    assert.match(String(accepted.editor), /Code/i);
    assert.equal(editor.events().filter((event) => event.kind === 'accepted').length, 1);
  });

  test('a word is accepted, and Escape dismisses the rest', async () => {
    await editor.page.keyboard.press('Control+End');
    await editor.page.keyboard.type('\ny = ');
    assert.match(await editor.ghost(), /round/);
    await editor.page.waitForTimeout(400); // as a person: what is gone after a blink was not seen
    await editor.page.keyboard.press('Control+ArrowRight');
    await editor.page.waitForFunction(() => /y\s=\sround/.test(document.querySelector('.view-lines')?.textContent?.replace(/\u00a0/g, ' ') ?? ''));
    await editor.page.keyboard.press('Escape');
    await editor.page.waitForFunction(() => !document.querySelector('.ghost-text'));
    const partly = await editor.event('partially_accepted');
    assert.ok(Number(partly.accepted_characters) >= 5);
    await editor.page.keyboard.type('\nz = ');
    assert.match(await editor.ghost(), /round/);
    await editor.page.keyboard.press('Escape');
    const rejected = await editor.event('rejected');
    assert.equal(rejected.reason, 'escape');
  });

  test('a line is accepted, and the next one offered', async () => {
    await editor.doing('line', async () => {
      await editor.openFile('lines.py', '1:1');
      await editor.page.keyboard.press('Control+End');
      await editor.page.keyboard.type('\nv = ');
      assert.match(await editor.ghost(), /first/);
      await editor.page.waitForTimeout(400); // as a person
      await editor.page.keyboard.press('Control+Alt+ArrowRight');
      await editor.page.waitForFunction(() => /v\s=\s\[first/.test((document.querySelector('.editor-group-container.active .view-lines')?.textContent ?? '').replace(/\u00a0/g, ' ')));
      await editor.screenshot('line');
      await editor.page.keyboard.press('Escape');
    });
  });

  test("ghost text goes on from what the editor's own list has chosen", async () => {
    await editor.doing('list', async () => {
      await editor.openFile('list.py', '1:1');
      await editor.page.keyboard.press('Control+End');
      await editor.page.keyboard.type('\nu = fi');
      await editor.page.keyboard.press('Control+Space');
      await editor.page.locator('.suggest-widget.visible .monaco-list-row.focused', { hasText: 'first' }).waitFor();
      assert.equal(await editor.ghost(), 'rst + len(first)');
      await editor.screenshot('beside-the-list');
      await editor.page.keyboard.press('Tab'); // the list's
      await editor.page.locator('.suggest-widget.visible').waitFor({ state: 'hidden' });
      assert.equal(await editor.ghost(), ' + len(first)');
      await editor.page.keyboard.press('Tab'); // ours
      await editor.save('list.py', /u = first \+ len\(first\)/);
    });
  });

  test('the status tells how fast the model answers', async () => {
    await editor.doing('pace', async () => {
      await editor.page.locator('[id$="lido.status"]').hover();
      await editor.page.locator('.workbench-hover', { hasText: /scripted: qwen2.5-coder-7b \(ready, [\d.]+ tokens\/s\)/ }).waitFor();
      await editor.screenshot('status-tooltip');
      await editor.page.mouse.move(500, 300);
    });
  });

  test('the uses of a renamed function are the next edits', async () => {
    await editor.openFile('area.py', '1:9');
    await editor.page.keyboard.press('Control+Shift+ArrowLeft');
    await editor.page.keyboard.type('surface');
    const offered = (count: number) =>
      editor.page.waitForFunction(
        (wanted) => document.querySelectorAll('.editor-group-container.active .cgmr[class*="ced-"]').length === wanted,
        count,
      );
    await editor.doing('next-edit', async () => {
      await offered(2);
      await editor.screenshot('next-edit');
      await editor.page.keyboard.press('Tab'); // goes there
      await editor.page.locator('.statusbar-item', { hasText: 'Ln 5' }).waitFor();
      assert.match(await editor.text(), /print\(area.*\n.*print\(area/);
      await editor.page.keyboard.press('Tab'); // applies it
      await editor.event('accepted', 'next_edit');
      await offered(1);
      await editor.save('area.py', /print\(surface\(1\)\)\nprint\(area\(2\)\)/);
      await editor.page.keyboard.press('Escape');
      await offered(0);
      assert.equal((await editor.event('rejected', 'next_edit')).reason, 'escape');
    });
  });

  test('a server that was killed comes back', async () => {
    await editor.doing('killed', async () => {
      const first = editor.server();
      process.kill(first, 'SIGKILL');
      await editor.ready(/Starting|not running/);
      await editor.ready();
      assert.notEqual(editor.server(), first);
      await editor.openFile('basket.py', '1:1');
      await editor.page.keyboard.press('Control+End');
      await editor.page.keyboard.type('\nw = ');
      assert.match(await editor.ghost(), /round/);
    });
  });
});

describe('when something is wrong', { skip, timeout: 240_000 }, () => {
  test('an unreachable backend tells the person what to do', async () => {
    const editor = await Editor.open({
      files,
      settings: {
        'lido.models': { gateway: { provider: 'openai', base_url: 'http://127.0.0.1:9/v1', model: 'm' } },
        'lido.roles': { completion: 'gateway' },
      },
    });
    try {
      await editor.ready();
      await editor.openFile('basket.py', '3:12');
      await editor.page.keyboard.press('End');
      await editor.command('Lido: Ask for a Completion');
      await editor.doing('unreachable', async () => {
        await editor.ready(/cannot be reached/);
        const told = editor.page.locator('.notification-toast', { hasText: /cannot be reached.*base_url/ });
        await told.getByRole('button', { name: 'Run Doctor' }).waitFor();
        await editor.screenshot('unreachable-backend');
      });
    } finally {
      await editor.close();
    }
  });

  test('an untrusted workspace cannot configure anything', async () => {
    const editor = await Editor.open({
      files: {
        ...files,
        '.lido.toml': '[completion]\nenabled = false\n',
        '.vscode/settings.json': JSON.stringify({
          'lido.server.command': ['/bin/false'],
          'lido.models': { evil: { provider: 'openai', base_url: 'http://127.0.0.1:9/v1', model: 'm' } },
          'lido.roles': { completion: 'evil' },
          'lido.plan.allow_commands': ['rm'],
        }),
      },
      scripts: [{ pieces: ['round(subtotal, 2)'] }],
      settings: { 'security.workspace.trust.enabled': true, 'security.workspace.trust.startupPrompt': 'never' },
    });
    try {
      await editor.ready();
      await editor.openFile('basket.py', '3:12');
      await editor.page.keyboard.press('End');
      await editor.page.keyboard.type(' ');
      assert.match(await editor.ghost(), /round\(subtotal, 2\)/);
      await editor.screenshot('untrusted-workspace');
    } finally {
      await editor.close();
    }
  });

  test('files that are not on the disk are completed, too', async () => {
    const editor = await Editor.open({
      virtual: { folder: 'memory:/shop', extension: 'memory-files' },
      scripts: [{ pieces: ['round(subtotal, 2)'] }],
    });
    try {
      await editor.doing('virtual', async () => {
        await editor.ready();
        // VS Code cannot search there.
        await editor.page.locator('.explorer-folders-view .monaco-list-row', { hasText: 'basket.py' }).dblclick();
        await editor.page.locator('.editor-group-container.active .monaco-editor.focused').first().waitFor();
        await editor.page.keyboard.press('Control+End');
        await editor.page.keyboard.press('ArrowUp');
        await editor.page.keyboard.press('End');
        await editor.page.keyboard.type(' ');
        assert.match(await editor.ghost(), /round\(subtotal, 2\)/);
        await editor.screenshot('virtual-workspace');
        await editor.page.keyboard.press('Tab');
        await editor.event('accepted');
        assert.equal(await editor.page.locator('.notification-toast').count(), 0);
      });
    } finally {
      await editor.close();
    }
  });

  test('a model that is not on the machine is offered', async () => {
    const settings = {
      'lido.models': { local: { provider: 'embedded', model: 'qwen2.5-coder-0.5b' } },
      'lido.roles': { completion: 'local', chat: 'local', plan: 'local' },
    };
    const editor = await Editor.open({ files, settings });
    try {
      await editor.doing('no-model', async () => {
        await editor.ready();
        await editor.openFile('basket.py', '3:12');
        await editor.page.keyboard.press('End');
        await editor.page.keyboard.type(' ');
        const told = editor.page.locator('.notification-toast', { hasText: 'qwen2.5-coder-0.5b is not on this machine' });
        await told.getByRole('button', { name: 'Fetch Model' }).waitFor();
        await editor.screenshot('no-model');
      });
    } finally {
      await editor.close();
    }
  });

  test('a server that cannot start is given up, with ways out', async () => {
    const editor = await Editor.open({ files, settings: { 'lido.server.command': ['/bin/false'] } });
    try {
      await editor.doing('no-server', async () => {
        const told = editor.page.locator('.notification-toast', { hasText: 'Lido' });
        await told.getByRole('button', { name: 'Try Again' }).first().waitFor({ timeout: 60_000 });
        await editor.screenshot('no-server');
        assert.equal(await told.count(), 1);
      });
    } finally {
      await editor.close();
    }
  });

  test('a missing Python is explained, with ways out', async () => {
    const editor = await Editor.open({ files, ownServer: true, settings: { 'lido.server.python': '/nonexistent/python' } });
    try {
      await editor.doing('no-python', async () => {
        const told = editor.page.locator('.notification-toast', { hasText: 'Lido needs Python 3.11 or newer, or uv' });
        await told.getByRole('button', { name: 'Get Python' }).waitFor({ timeout: 60_000 });
        await editor.screenshot('no-python');
        await told.getByRole('button', { name: 'Settings' }).click();
        await editor.page.locator('.settings-editor .setting-item-contents', { hasText: 'Python' }).first().waitFor();
        await editor.screenshot('settings');
      });
    } finally {
      await editor.close();
    }
  });
});
