/** What the tests of chat, plans and reviews share: the pages inside VS Code, and its themes. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Frame } from 'playwright-core';
import type { Editor } from './harness.ts';

/** The web view that has such an element. */
export async function view(editor: Editor, selector: string): Promise<Frame> {
  for (let tries = 0; tries < 150; tries++) {
    for (const frame of editor.page.frames()) {
      try {
        if (frame.parentFrame() && (await frame.locator(selector).count())) {
          return frame;
        }
      } catch {
        // A frame that goes while it is looked at is not the one.
      }
    }
    await editor.page.waitForTimeout(200);
  }
  await editor.screenshot('failed');
  throw new Error(`no web view has ${selector}`);
}

/** A theme's name in the list, and the class that the workbench has with it. */
const kinds = { dark: ['Dark Modern', '.vs-dark'], light: ['Light Modern', '.vs'], contrast: ['Dark High Contrast', '.hc-black'] } as const;

export const themes = ['dark', 'light', 'contrast'] as const;

export async function theme(editor: Editor, name: (typeof themes)[number]): Promise<void> {
  const [label, kind] = kinds[name];
  const rows = editor.page.locator('.quick-input-list .monaco-list-row');
  const input = editor.page.locator('.quick-input-widget input').first();
  await editor.page.keyboard.press('F1');
  await input.fill('>Preferences: Color Theme');
  await rows.filter({ hasText: 'Preferences: Color Theme' }).click();
  await editor.page.locator('.quick-input-widget input[placeholder*="Color Theme"]').waitFor();
  await input.fill(label);
  await rows.filter({ hasText: label }).first().click();
  await editor.page.locator(`.monaco-workbench${kind}`).waitFor();
  await editor.page.waitForTimeout(500); // the web views are told after the workbench
}

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** What a checker of accessibility finds wrong in a page: names, roles, contrast and the like. */
export async function accessible(frame: Frame): Promise<void> {
  await frame.evaluate(axe);
  const found = await frame.evaluate(async () => {
    const { axe: checker } = window as unknown as { axe: { run(options: object): Promise<{ violations: { id: string; nodes: { html: string; failureSummary: string }[] }[] }> } };
    const { violations } = await checker.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'] });
    return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.html} ${node.failureSummary}`).join(' | ')}`);
  });
  assert.deepEqual(found, []);
}
