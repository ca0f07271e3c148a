/** Both sides of a review's differences, as read-only documents: the file as it is now, and as it would be. */

import * as vscode from 'vscode';
import type { Review, ReviewFile } from '../generated/messages';
import * as model from './model';
import type { Reviews } from './reviews';

export const scheme = 'lido-review';

type Side = 'now' | 'proposed';

/** `lido-review:/src/a.py?review,3,proposed`: its path tells the language, its query the rest. */
export function sideUri(review: Review, file: ReviewFile, side: Side): vscode.Uri {
  const target = vscode.Uri.parse((side === 'proposed' && file.newUri) || file.uri);
  return vscode.Uri.from({ scheme, path: target.path, query: [review.reviewId, review.files.indexOf(file), side].join(',') });
}

/** Which file of which review a document of ours shows. */
export function fromUri(reviews: Reviews, uri: vscode.Uri): { review: Review; file: ReviewFile; side: Side } | undefined {
  if (uri.scheme !== scheme) {
    return undefined;
  }
  const [reviewId = '', index = '', side] = uri.query.split(',');
  const review = reviews.get(reviewId);
  const file = review?.files[Number(index)];
  return review && file && { review, file, side: side as Side };
}

/** The file's text as the editor has it; "" where there is no such file. */
export async function present(file: ReviewFile): Promise<string> {
  const accepted = file.kind === 'rename' && file.hunks[0]?.state === 'accepted';
  const uri = vscode.Uri.parse((accepted && file.newUri) || file.uri);
  try {
    return (await vscode.workspace.openTextDocument(uri)).getText();
  } catch {
    return '';
  }
}

export class Content implements vscode.TextDocumentContentProvider, vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<vscode.Uri>();
  readonly onDidChange = this.changed.event;
  private readonly listening: vscode.Disposable;

  constructor(private readonly reviews: Reviews) {
    this.listening = reviews.onDidChange((reviewId) => {
      for (const document of vscode.workspace.textDocuments) {
        if (document.uri.scheme === scheme && document.uri.query.startsWith(`${reviewId},`)) {
          this.changed.fire(document.uri);
        }
      }
    });
  }

  async provideTextDocumentContent(uri: vscode.Uri): Promise<string> {
    const found = fromUri(this.reviews, uri);
    if (!found) {
      return vscode.l10n.t('This review is closed.');
    }
    const now = await present(found.file);
    return found.side === 'now' ? now : model.proposed(found.file, now).text;
  }

  dispose(): void {
    this.listening.dispose();
    this.changed.dispose();
  }
}
