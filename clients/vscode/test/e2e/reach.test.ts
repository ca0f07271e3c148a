import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import path from 'node:path';
import { describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { Editor, missing } from './harness.ts';
import { view } from './view.ts';

const skip = missing();
const python = path.resolve(import.meta.dirname, '../../../../.venv/bin/python');

async function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}

describe('ways to reach the server, and into the chat', { skip, timeout: 120_000 }, () => {
  test('a server that listens on TCP completes, and a file that is dropped is attached', async () => {
    const port = await freePort();
    const server = spawn(python, ['-m', 'lido', 'serve', '--tcp', `127.0.0.1:${port}`], {
      stdio: 'ignore',
      env: { ...process.env, LIDO_SERVE_TOKEN: 'entered-by-the-person' },
    });
    const editor = await Editor.open({
      files: { 'basket.py': 'def total(prices):\n    subtotal = sum(prices)\n    return \n' },
      scripts: [{ pieces: ['round', '(subtotal', ', 2)'] }],
      settings: { 'lido.server.command': [], 'lido.server.tcp': `127.0.0.1:${port}` },
    });
    try {
      await editor.doing('tcp', async () => {
        const wants = editor.page.locator('.notification-toast', { hasText: 'wants its token' });
        await wants.getByRole('button', { name: 'Enter Token' }).click();
        await editor.page.locator('.quick-input-widget input[type="password"]').fill('entered-by-the-person');
        await editor.screenshot('token');
        await editor.page.keyboard.press('Enter');
        await editor.ready();
        assert.doesNotMatch(editor.log(), /entered-by-the-person/);
        await editor.openFile('basket.py', '3:12');
        await editor.page.keyboard.press('End');
        await editor.page.keyboard.type(' ');
        assert.match(await editor.ghost(), /round\(subtotal, 2\)/);
        await editor.page.keyboard.press('Tab');

        await editor.command('Lido: Open Chat');
        const chat = await view(editor, '.composer textarea');
        const uri = pathToFileURL(path.join(editor.folder, 'basket.py')).href;
        await chat.evaluate((dropped) => {
          const dataTransfer = new DataTransfer();
          dataTransfer.setData('text/uri-list', dropped);
          document.body.dispatchEvent(new DragEvent('drop', { dataTransfer, bubbles: true, cancelable: true }));
        }, uri);
        await chat.locator('.composer .chip', { hasText: 'basket.py' }).first().waitFor();
        await editor.screenshot('dropped');
      });
    } finally {
      await editor.close();
      server.kill();
    }
  });
});
