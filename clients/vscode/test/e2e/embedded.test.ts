import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { Editor, missing, models } from './harness.ts';

const model = path.join(models, 'qwen2.5-coder-1.5b-instruct-q4_k_m.gguf');
const skip = missing() ?? (existsSync(model) ? undefined : 'needs the embedded model (lido model pull qwen2.5-coder-1.5b)');

test('out of the box: the extension sets its server up, and the embedded model completes', { skip, timeout: 400_000 }, async () => {
  const editor = await Editor.open({
    ownServer: true,
    embedded: true,
    files: { 'basket.py': 'def total(prices: list[float], rate: float) -> float:\n    """The sum of the prices with tax."""\n    subtotal = sum(prices)\n' },
  });
  try {
    await editor.doing('embedded', async () => {
      await editor.page.locator('.notification-toast', { hasText: 'Lido' }).first().waitFor({ timeout: 30_000 });
      await editor.screenshot('setting-up');
      await editor.ready(/Ready|loading/);
      await editor.openFile('basket.py', '3:27');
      await editor.page.keyboard.press('End');
      await editor.page.keyboard.type('\n    return ', { delay: 60 });
      const text = await editor.ghost(120_000);
      assert.match(text, /subtotal/);
      await editor.screenshot('embedded-model');
      await editor.page.keyboard.press('Tab');
      await editor.page.waitForFunction(() => !document.querySelector('.ghost-text'));
      assert.match(await editor.text(), /return .*subtotal/);
      assert.match(String((await editor.event('accepted')).model), /qwen2\.5-coder/);
    });
  } finally {
    await editor.close();
  }
});
