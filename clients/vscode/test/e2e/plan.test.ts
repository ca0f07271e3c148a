import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Frame } from 'playwright-core';
import { Editor, missing } from './harness.ts';
import { accessible, theme, themes, view } from './view.ts';

const skip = missing();
const basket =
  'def total(items):\n    return sum(item["price"] for item in items)\n\n\ndef count(items):\n    return len(items)\n\n\n' +
  'def cheapest(items):\n    return min(items, key=lambda item: item["price"])\n\n\n' +
  'def names(items):\n    return [item["name"] for item in items]\n';
const receipt = 'from basket import total\n\n\ndef receipt(items):\n    lines = [item["name"] for item in items]\n    return "\\n".join(lines)\n';
const edit = (file: string, before: string, after: string) => `${file}\n<<<<<<< SEARCH\n${before}\n=======\n${after}\n>>>>>>> REPLACE\n\n`;
const quantity: [string, string] = ['item["price"] for item in items)', 'item["price"] * item["quantity"] for item in items)'];
const once: [string, string] = ['return [item["name"] for item in items]', 'return list(dict.fromkeys(item["name"] for item in items))'];
const last: [string, string] = ['    return "\\n".join(lines)', '    lines.append(f"Total: {total(items):.2f}")\n    return "\\n".join(lines)'];
const edits =
  edit('basket.py', `    return sum(${quantity[0]}`, `    return sum(${quantity[1]}`) +
  edit('basket.py', `    ${once[0]}`, `    ${once[1]}`) +
  edit('src/receipt.py', last[0], last[1]);
const steps = [
  { file: 'basket.py', change: 'Multiply each price by its quantity' },
  { file: 'basket.py', change: 'Round the total' },
  { file: 'src/receipt.py', change: 'End with the total' },
];

describe('plans and reviews in VS Code', { skip, timeout: 300_000 }, () => {
  let editor: Editor;
  let plans: Frame;
  const files = () => [editor.file('basket.py'), editor.file('src/receipt.py')];
  const until = async (wanted: [string, string]) => {
    const deadline = Date.now() + 15_000;
    while (JSON.stringify(files()) !== JSON.stringify(wanted) && Date.now() < deadline) {
      await editor.page.waitForTimeout(100);
    }
    assert.deepEqual(files(), wanted);
  };
  const rows = () => editor.page.locator('.pane', { has: editor.page.locator('.pane-header[aria-label^="Review"]') }).locator('.monaco-list-row');
  const start = async (instruction: string) => {
    for (let tries = 0; ; tries++) {
      await editor.command('Lido: New Plan');
      plans = await view(editor, 'input.test');
      await plans.locator('.composer textarea').fill(instruction);
      await plans.locator('.composer textarea').press('Enter');
      try {
        return await plans.getByText(instruction).first().waitFor({ timeout: 8000 });
      } catch (error) {
        // A page that VS Code is about to load anew takes what is typed into it along.
        await editor.screenshot(`plan-start-${tries}`);
        if (tries) {
          throw error;
        }
      }
    }
  };
  const begin = async (instruction: string) => {
    await editor.doing('plan-begin', async () => {
      await start(instruction);
      await plans.locator('.question .steps').waitFor({ timeout: 20_000 });
    });
  };

  before(async () => {
    editor = await Editor.open({
      theme: 'Default Light Modern',
      files: { 'basket.py': basket, 'src/receipt.py': receipt, 'package.json': '{\n  "name" "shop"\n}\n' },
      scripts: [
        { match: 'Now make these changes', pieces: edits.match(/[\s\S]{1,40}/g) ?? [], delay: 0.03 },
        { match: 'Plan the work', pieces: [JSON.stringify({ steps })] },
        // What the model is told of the editor's problems ends the run.
        { match: 'package.json:2: error', pieces: [], tool_calls: [{ id: '4', name: 'give_up', arguments: '{"reason": "The editor says so."}' }] },
        { match: 'what is reported', pieces: [], tool_calls: [{ id: '3', name: 'diagnostics', arguments: '{}' }] },
        { match: 'by agent', pieces: [], tool_calls: [{ id: '1', name: 'test', arguments: '{}' }], times: 1 },
        { match: 'by agent', pieces: [], tool_calls: [{ id: '2', name: 'give_up', arguments: '{"reason": "The tests may not run."}' }] },
      ],
    });
    editor.page.setDefaultTimeout(15_000);
    await editor.ready();
    await editor.openFile('basket.py');
  });
  after(() => editor?.close());

  test('a plan shows its steps, to be changed before anything is written', async () => {
    await begin('The receipt must show the total, and the total must count quantities');
    assert.deepEqual(await plans.locator('.step textarea').evaluateAll((boxes) => boxes.map((box) => (box as HTMLTextAreaElement).value)), steps.map((step) => step.change));
    for (const name of themes) {
      await theme(editor, name);
      await editor.screenshot(`plan-steps-${name}`);
      await accessible(plans);
    }
    await theme(editor, 'light');
    await plans.locator('.step textarea').nth(1).fill('Names once each, in order');
    await plans.getByRole('button', { name: 'Move step 2 up' }).click();
    await plans.getByRole('button', { name: 'Go on' }).click();
    await plans.locator('.step.done').nth(2).waitFor({ timeout: 20_000 });
    assert.deepEqual(await plans.locator('.step .words > span:first-child').allInnerTexts(), ['Names once each, in order', steps[0]!.change, steps[2]!.change]);
    assert.deepEqual(files(), [basket, receipt]);
  });

  test('the review lists files and hunks, beside VS Code’s own differences', async () => {
    await editor.page.locator('.codelens-decoration a', { hasText: 'Accept' }).nth(1).waitFor();
    await editor.page.waitForFunction(() => document.querySelectorAll('.pane-body .monaco-list-row').length >= 6);
    assert.equal(await rows().count(), 6);
    await editor.screenshot('review-light');
    await theme(editor, 'contrast');
    await editor.screenshot('review-contrast');
    await theme(editor, 'dark');
    await editor.screenshot('review-dark');
  });

  test('one hunk is accepted by its lens, one rejected by key, one accepted by its button', async () => {
    // Where the mouse rests on a row, its hover would lie over the lens.
    await editor.page.mouse.move(1, 1);
    await editor.page.locator('.context-view .hover-contents').first().waitFor({ state: 'hidden' });
    await editor.page.locator('.codelens-decoration a', { hasText: 'Accept' }).first().click();
    const first = basket.replace(...quantity);
    await until([first, receipt]);
    await editor.page.waitForFunction(() => document.querySelectorAll('.editor-group-container.active .codelens-decoration').length === 1);
    await editor.page.locator('.monaco-diff-editor .editor.modified .view-lines').first().click();
    await editor.page.keyboard.press('Control+Alt+n');
    await editor.page.locator('.tab.active', { hasText: 'receipt.py' }).waitFor();
    assert.deepEqual(files(), [first, receipt]);
    await editor.screenshot('review-second-file');
    await editor.page.locator('.editor-actions').getByRole('button', { name: /^Accept Change/ }).click();
    await until([first, receipt.replace(...last)]);
    await editor.page.locator('.notification-toast', { hasText: '2 changes accepted, 1 rejected' }).waitFor();
    await editor.screenshot('review-done');
    const outcomes = (await editor.event('rejected', 'plan')) && editor.events().filter((event) => event.feature === 'plan').map((event) => event.kind);
    assert.deepEqual(outcomes.filter((kind) => kind === 'accepted' || kind === 'rejected').sort(), ['accepted', 'accepted', 'rejected']);
  });

  test('what was accepted is undone', async () => {
    await editor.page.locator('.notification-toast').getByRole('button', { name: 'Undo' }).click();
    await until([basket, receipt]);
    await editor.event('undone', 'plan');
  });

  test('the refactor preview asks about each change; what is left out there stays to be decided', async () => {
    await begin('The same again');
    await plans.getByRole('button', { name: 'Go on' }).click();
    await editor.page.locator('.codelens-decoration a', { hasText: 'Accept' }).nth(1).waitFor({ timeout: 20_000 });
    await editor.command('Lido: Preview in Refactor Preview');
    const preview = editor.page.locator('.bulk-edit-panel');
    await preview.locator('.monaco-list-row', { hasText: 'receipt.py' }).waitFor();
    await preview.locator('.monaco-list-row', { hasText: 'basket.py' }).locator('.edit-checkbox').click();
    await editor.screenshot('review-refactor-preview');
    await preview.getByRole('button', { name: 'Apply' }).click();
    await until([basket.replace(...quantity).replace(...once), receipt]);
    await editor.page.locator('.pane-body .monaco-list-row', { hasText: '1 of 1 to decide' }).waitFor();
  });

  test('a question is answered where it is asked, and a plan is cancelled', async () => {
    await start('And once more');
    const question = plans.locator('.question', { hasText: 'Which file, function or class do you mean?' });
    await question.locator('input').fill('The one in basket.py');
    await editor.screenshot('plan-question');
    await question.locator('input').press('Enter');
    await plans.locator('.question .steps').waitFor();
    await plans.getByRole('button', { name: 'Cancel' }).last().click();
    await plans.locator('article:last-of-type .state', { hasText: 'Cancelled' }).waitFor();
  });

  test('an agent runs nothing that is not agreed to', async () => {
    await plans.locator('select.models').selectOption('agent');
    await plans.locator('input.test').fill('python -m pytest -q');
    await start('Mend basket.py by agent');
    const question = plans.locator('.question', { hasText: 'Run `python -m pytest -q`' });
    await question.waitFor();
    await editor.screenshot('plan-consent');
    await accessible(plans);
    await question.getByRole('button', { name: 'Do not run' }).click();
    await plans.locator('article:last-of-type .state', { hasText: 'Gave up' }).waitFor();
  });

  test('an agent sees what the editor reports', async () => {
    await editor.doing('diagnostics', async () => {
      await editor.openFile('package.json');
      await editor.page.locator('.editor-group-container.active .squiggly-error').first().waitFor();
      await plans.locator('select.models').selectOption('agent');
      await plans.locator('input.test').fill('');
      await start('Look at what is reported');
      await plans.locator('article:last-of-type', { hasText: 'The editor says so.' }).waitFor();
      await editor.screenshot('plan-diagnostics');
    });
  });

  test('what is undecided is listed again by the next server', async () => {
    await editor.command('Lido: Restart Server');
    await editor.page.locator('.pane-body .monaco-list-row', { hasText: 'to decide' }).first().waitFor({ state: 'detached' });
    await editor.doing('review-restart', () => editor.page.locator('.pane-body .monaco-list-row', { hasText: '1 of 1 to decide' }).waitFor({ timeout: 20_000 }));
    await editor.screenshot('review-after-restart');
    await editor.command('Lido: Accept All');
    await until([basket.replace(...quantity).replace(...once), receipt.replace(...last)]);
  });
});
