/** The open reviews, as the server has them. */

import * as vscode from 'vscode';
import type { Review, ReviewFile, ReviewHunk } from '../generated/messages';
import type { Session } from '../session';
import * as model from './model';

export class Reviews implements vscode.Disposable {
  private readonly found = new Map<string, Review>();
  private readonly changed = new vscode.EventEmitter<string>();
  /** A review's id, whenever anything in it may have changed. */
  readonly onDidChange = this.changed.event;
  private readonly listening: vscode.Disposable;
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly session: Session) {
    this.listening = vscode.Disposable.from(
      vscode.workspace.onDidChangeTextDocument(({ document, contentChanges }) => {
        if (contentChanges.length && this.of(document.uri).length) {
          this.refreshSoon();
        }
      }),
      session.onState((now) => {
        if (now === 'running') {
          void this.resume();
        } else {
          // Its reviews were the server's; the next one says what is still undecided.
          for (const id of [...this.found.keys()]) {
            this.close(id);
          }
        }
      }),
    );
    if (session.state === 'running') {
      void this.resume();
    }
  }

  /** Lists what was left undecided when the server before this one ended. */
  private async resume(): Promise<void> {
    try {
      for (const review of await this.session.request('lido/review/list', {})) {
        this.found.set(review.reviewId, review);
        this.changed.fire(review.reviewId);
      }
    } catch (error) {
      this.session.log.warn(`reviews from before: ${String(error)}`);
    }
  }

  dispose(): void {
    clearTimeout(this.timer);
    this.listening.dispose();
    this.changed.dispose();
  }

  all(): Review[] {
    return [...this.found.values()];
  }

  get(reviewId: string): Review | undefined {
    return this.found.get(reviewId);
  }

  /** Reviews and files that touch the document, with something undecided. */
  of(uri: vscode.Uri): { review: Review; file: ReviewFile }[] {
    const wanted = uri.toString();
    return this.all().flatMap((review) =>
      review.files
        .filter((file) => model.open(file) && vscode.Uri.parse(file.uri).toString() === wanted)
        .map((file) => ({ review, file })),
    );
  }

  find(hunkId: string): { review: Review; file: ReviewFile; hunk: ReviewHunk } | undefined {
    for (const review of this.all()) {
      for (const file of review.files) {
        const hunk = file.hunks.find((each) => each.hunkId === hunkId);
        if (hunk) {
          return { review, file, hunk };
        }
      }
    }
    return undefined;
  }

  /** Asks the server how the review stands. */
  async fetch(reviewId: string): Promise<Review> {
    const review = await this.session.request('lido/review/get', { reviewId });
    this.found.set(reviewId, review);
    this.changed.fire(reviewId);
    return review;
  }

  /** Decides, and says what could not be done. */
  async decide(reviewId: string, hunkIds: string[], decision: 'accept' | 'reject', preview = false): Promise<void> {
    if (!hunkIds.length) {
      return;
    }
    const { hunks } = await this.session.request('lido/review/decide', { reviewId, hunkIds, decision, preview });
    const problems = new Set(hunks.filter((hunk) => hunk.state === 'failed' || hunk.state === 'conflict').map((hunk) => hunk.message));
    await this.fetch(reviewId);
    for (const problem of problems) {
      void vscode.window.showWarningMessage(`Lido: ${problem ?? vscode.l10n.t('The change could not be applied.')}`);
    }
  }

  async undo(reviewId: string): Promise<void> {
    const { restored, failed } = await this.session.request('lido/review/undo', { reviewId });
    if (this.found.has(reviewId)) {
      await this.fetch(reviewId);
    }
    const names = restored.map((uri) => vscode.workspace.asRelativePath(vscode.Uri.parse(uri)));
    if (failed.length) {
      void vscode.window.showWarningMessage(`Lido: ${failed.join(' ')}`);
    } else {
      void vscode.window.setStatusBarMessage(vscode.l10n.t('$(discard) Lido: {0} as before', names.join(', ')), 5000);
    }
  }

  /** Forgets the review; what is undecided stays undecided. */
  close(reviewId: string): void {
    this.found.delete(reviewId);
    this.changed.fire(reviewId);
  }

  private refreshSoon(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      for (const review of this.all().filter((each) => each.files.some(model.open))) {
        this.fetch(review.reviewId).catch((error: unknown) => this.session.log.warn(`review ${review.reviewId}: ${String(error)}`));
      }
    }, 200);
  }
}
