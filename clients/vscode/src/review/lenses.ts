/** Accept, reject and next above each hunk: in the differences, and in the file itself. */

import * as vscode from 'vscode';
import type { ReviewFile, ReviewHunk } from '../generated/messages';
import { fromUri, present, scheme } from './content';
import * as model from './model';
import type { Reviews } from './reviews';

export class Lenses implements vscode.CodeLensProvider, vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<void>();
  readonly onDidChangeCodeLenses = this.changed.event;
  private readonly listening: vscode.Disposable;

  constructor(private readonly reviews: Reviews) {
    this.listening = reviews.onDidChange(() => this.changed.fire());
  }

  dispose(): void {
    this.listening.dispose();
    this.changed.dispose();
  }

  async provideCodeLenses(document: vscode.TextDocument): Promise<vscode.CodeLens[]> {
    if (document.uri.scheme === scheme) {
      const found = fromUri(this.reviews, document.uri);
      if (found?.side !== 'proposed') {
        return [];
      }
      const { places } = model.proposed(found.file, await present(found.file));
      return places.flatMap(({ hunk, first }) => lenses(hunk, Math.min(first, document.lineCount - 1), false));
    }
    return this.reviews
      .of(document.uri)
      .flatMap(({ file }) => file.hunks.filter(model.undecided))
      .flatMap((hunk) => lenses(hunk, hunk.oldRange.start.line, true));
  }
}

function lenses(hunk: ReviewHunk, line: number, inFile: boolean): vscode.CodeLens[] {
  const lens = (title: string, command: string) =>
    new vscode.CodeLens(new vscode.Range(line, 0, line, 0), { title, command, arguments: [{ kind: 'hunk', hunkId: hunk.hunkId }] });
  if (hunk.state === 'conflict') {
    return [lens(vscode.l10n.t('Changed meanwhile: drop the proposal'), 'lido.hunk.reject'), lens(vscode.l10n.t('Next'), 'lido.hunk.next')];
  }
  return [
    lens(inFile ? vscode.l10n.t('Accept “{0}”', hunk.description) : vscode.l10n.t('Accept'), 'lido.hunk.accept'),
    lens(vscode.l10n.t('Reject'), 'lido.hunk.reject'),
    ...(inFile ? [lens(vscode.l10n.t('Show'), 'lido.hunk.show')] : []),
    lens(vscode.l10n.t('Next'), 'lido.hunk.next'),
  ];
}

/** Marks the lines that a pending hunk would change, in the file itself; what would stand there is in the hover. */
export class Marks implements vscode.Disposable {
  private readonly replaced = vscode.window.createTextEditorDecorationType({
    isWholeLine: true,
    backgroundColor: new vscode.ThemeColor('diffEditor.removedLineBackground'),
    overviewRulerColor: new vscode.ThemeColor('editorOverviewRuler.modifiedForeground'),
    overviewRulerLane: vscode.OverviewRulerLane.Left,
  });
  private readonly listening: vscode.Disposable;

  constructor(private readonly reviews: Reviews) {
    this.listening = vscode.Disposable.from(
      reviews.onDidChange(() => this.draw()),
      vscode.window.onDidChangeVisibleTextEditors(() => this.draw()),
    );
  }

  dispose(): void {
    this.listening.dispose();
    this.replaced.dispose();
  }

  private draw(): void {
    for (const editor of vscode.window.visibleTextEditors) {
      if (editor.document.uri.scheme !== scheme) {
        const marks = this.reviews.of(editor.document.uri).flatMap(({ file }) => file.hunks.filter((hunk) => hunk.state === 'pending').flatMap((hunk) => mark(file, hunk)));
        editor.setDecorations(this.replaced, marks);
      }
    }
  }
}

function mark(file: ReviewFile, hunk: ReviewHunk): vscode.DecorationOptions[] {
  const { start, end } = hunk.oldRange;
  const last = end.character === 0 ? end.line - 1 : end.line;
  if (last < start.line) {
    return []; // it only adds lines; the lens says where
  }
  const hoverMessage = new vscode.MarkdownString(vscode.l10n.t('Lido proposes:')).appendCodeblock(hunk.newText, file.uri.split('.').at(-1));
  return [{ range: new vscode.Range(start.line, 0, last, 0), hoverMessage }];
}
