/** The edits that follow from the last one: a mark in the gutter, Tab to go there, Tab to apply. */

import * as vscode from 'vscode';
import { enabledFor } from './completion';
import type { Session } from './session';

interface Edit {
  uuid: string;
  text: string;
  range: { start: vscode.Position; end: vscode.Position };
  textDocument: { uri: string; version: number };
  command: { command: string; arguments: unknown[] };
}

const PAUSE = 400;

export class NextEdits implements vscode.Disposable {
  private readonly mark: vscode.TextEditorDecorationType;
  private readonly place: vscode.TextEditorDecorationType;
  private readonly rest: vscode.Disposable[];
  private timer: NodeJS.Timeout | undefined;
  private edits: Edit[] = [];
  private asked = new vscode.CancellationTokenSource();

  constructor(
    private readonly session: Session,
    extension: vscode.Uri,
  ) {
    this.mark = vscode.window.createTextEditorDecorationType({
      gutterIconPath: vscode.Uri.joinPath(extension, 'media', 'next-edit.svg'),
      gutterIconSize: 'contain',
      isWholeLine: true,
      overviewRulerColor: new vscode.ThemeColor('editorOverviewRuler.infoForeground'),
    });
    this.place = vscode.window.createTextEditorDecorationType({
      backgroundColor: new vscode.ThemeColor('diffEditor.removedTextBackground'),
    });
    this.rest = [
      this.mark,
      this.place,
      vscode.workspace.onDidChangeTextDocument(({ document, contentChanges }) => {
        if (contentChanges.length && document === vscode.window.activeTextEditor?.document) {
          this.later();
        }
      }),
      vscode.window.onDidChangeActiveTextEditor(() => this.show([])),
    ];
  }

  dispose(): void {
    clearTimeout(this.timer);
    this.asked.cancel();
    vscode.Disposable.from(...this.rest).dispose();
  }

  private later(): void {
    clearTimeout(this.timer);
    this.asked.cancel();
    this.show([]);
    this.timer = setTimeout(() => void this.ask(), PAUSE);
  }

  private async ask(): Promise<void> {
    const editor = vscode.window.activeTextEditor;
    const on = vscode.workspace.getConfiguration('lido.nextEdit').get('enabled', true);
    if (!editor || !on || this.session.state !== 'running' || !enabledFor(editor.document.languageId)) {
      return;
    }
    this.asked = new vscode.CancellationTokenSource();
    const token = this.asked.token;
    const document = editor.document;
    try {
      const { edits } = await this.session.ask<{ edits: Edit[] }>(
        'textDocument/copilotInlineEdit',
        { textDocument: { uri: document.uri.toString(), version: document.version }, position: editor.selection.active },
        token,
      );
      const version = document.version;
      if (!token.isCancellationRequested && vscode.window.activeTextEditor === editor) {
        this.show(edits.filter((edit) => edit.textDocument.uri === document.uri.toString() && edit.textDocument.version === version));
      }
    } catch (error) {
      if (!token.isCancellationRequested) {
        this.session.log.debug(`next edit: ${String(error)}`);
      }
    }
  }

  private show(edits: Edit[]): void {
    if (!edits.length && !this.edits.length) {
      return;
    }
    this.edits = edits;
    const [edit] = edits;
    void vscode.commands.executeCommand('setContext', 'lido.nextEdit', !!edit);
    const editor = vscode.window.activeTextEditor;
    if (!editor) {
      return;
    }
    const options = edits.map((each): vscode.DecorationOptions => ({
      range: span(each),
      hoverMessage: vscode.l10n.t('Next edit: Tab goes there, Tab again applies it, Esc dismisses it.'),
      renderOptions: {
        after: {
          contentText: ` → ${each.text || '∅'}`,
          color: new vscode.ThemeColor('editorGhostText.foreground'),
          fontStyle: 'italic',
        },
      },
    }));
    editor.setDecorations(this.mark, options.map(({ range }) => range));
    editor.setDecorations(this.place, options);
    if (edit) {
      this.session.notify('textDocument/didShowInlineEdit', { item: { command: edit.command } });
    }
  }

  /** Where the cursor is on the edit's line, applies it; else goes there. */
  async go(): Promise<void> {
    const editor = vscode.window.activeTextEditor;
    const [edit] = this.edits;
    if (!editor || !edit) {
      return;
    }
    const range = span(edit);
    if (editor.selection.active.line !== range.start.line) {
      editor.selection = new vscode.Selection(range.end, range.end);
      editor.revealRange(range, vscode.TextEditorRevealType.InCenterIfOutsideViewport);
      return;
    }
    if (await editor.edit((builder) => builder.replace(range, edit.text))) {
      await vscode.commands.executeCommand(edit.command.command, ...edit.command.arguments);
    }
  }

  dismiss(): void {
    // As with `show`: the first is what is offered, the others say what will be.
    const [edit] = this.edits;
    if (edit) {
      this.session.notify('lido/completion/dismissed', { id: edit.uuid, reason: 'escape' });
    }
    this.show([]);
  }
}

function span(edit: Edit): vscode.Range {
  const { start, end } = edit.range;
  return new vscode.Range(start.line, start.character, end.line, end.character);
}
