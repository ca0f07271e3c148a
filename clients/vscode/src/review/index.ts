import * as vscode from 'vscode';
import type { Review, ReviewFile, ReviewHunk } from '../generated/messages';
import type { Session } from '../session';
import { Content, fromUri, present, scheme, sideUri } from './content';
import { Lenses, Marks } from './lenses';
import * as model from './model';
import { Reviews } from './reviews';
import { type Node, Tree } from './tree';

export const viewId = 'lido.reviewView';

/** Review of proposed changes: a list of files and hunks, VS Code's own differences, and its refactor preview. */
export function registerReview(context: vscode.ExtensionContext, session: Session): void {
  const reviews = new Reviews(session);
  const tree = new Tree(reviews);
  const content = new Content(reviews);
  const lenses = new Lenses(reviews);
  const view = vscode.window.createTreeView(viewId, { treeDataProvider: tree });
  const ui = new ReviewUi(reviews, tree, view);
  const command = (name: string, work: (node?: Partial<Node> & { hunkId?: string }) => unknown) =>
    vscode.commands.registerCommand(name, async (node?: Partial<Node>) => {
      try {
        await work(node);
      } catch (error) {
        void vscode.window.showErrorMessage(`Lido: ${error instanceof Error ? error.message : String(error)}`);
      }
    });
  const all = (review: Review | undefined, decision: 'accept' | 'reject', preview = false) =>
    review && ui.decide(review, review.files.flatMap((file) => file.hunks), decision, preview);
  context.subscriptions.push(
    reviews,
    tree,
    content,
    lenses,
    view,
    ui,
    new Marks(reviews),
    vscode.workspace.registerTextDocumentContentProvider(scheme, content),
    vscode.languages.registerCodeLensProvider([{ scheme }, { scheme: 'file' }, { scheme: 'untitled' }, { scheme: 'vscode-remote' }], lenses),
    vscode.commands.registerCommand('lido.changes.open', (reviewId: string) => ui.open(reviewId)),
    command('lido.changes.acceptAll', (node) => all(ui.review(node), 'accept')),
    command('lido.changes.rejectAll', (node) => all(ui.review(node), 'reject')),
    command('lido.changes.preview', (node) => all(ui.review(node), 'accept', true)),
    command('lido.changes.undo', (node) => {
      const review = ui.review(node);
      return review && reviews.undo(review.reviewId);
    }),
    command('lido.changes.showAll', (node) => ui.showAll(ui.review(node))),
    command('lido.changes.close', (node) => {
      const review = ui.review(node);
      return review && ui.close(review);
    }),
    command('lido.file.open', (node) => ui.showFile(node)),
    command('lido.file.accept', (node) => ui.decideFile(node, 'accept')),
    command('lido.file.reject', (node) => ui.decideFile(node, 'reject')),
    command('lido.hunk.show', (node) => ui.showHunk(node)),
    command('lido.hunk.accept', (node) => ui.decideHunk(node, 'accept')),
    command('lido.hunk.reject', (node) => ui.decideHunk(node, 'reject')),
    command('lido.hunk.next', (node) => ui.step(node, 1)),
    command('lido.hunk.previous', (node) => ui.step(node, -1)),
  );
}

type Given = (Partial<Node> & { hunkId?: string; index?: number }) | undefined;

/** What a person does with the reviews, in the list and in editors. */
class ReviewUi implements vscode.Disposable {
  private readonly listening: vscode.Disposable;

  constructor(
    private readonly reviews: Reviews,
    private readonly tree: Tree,
    private readonly view: vscode.TreeView<Node>,
  ) {
    this.listening = vscode.Disposable.from(
      reviews.onDidChange(() => this.tell()),
      vscode.window.onDidChangeActiveTextEditor(() => this.tellEditor()),
    );
    this.tell();
  }

  dispose(): void {
    this.listening.dispose();
  }

  // ---------------------------------------------------------------- which is meant

  /** The review that a command is about: the one it was given, that of the active editor, or the newest. */
  review(given: Given): Review | undefined {
    if (given?.reviewId) {
      return this.reviews.get(given.reviewId);
    }
    const active = this.active();
    const all = this.reviews.all();
    return active?.review ?? all.filter((review) => review.files.some(model.open)).at(-1) ?? all.at(-1);
  }

  private active(): { review: Review; file: ReviewFile } | undefined {
    const uri = vscode.window.activeTextEditor?.document.uri;
    return uri && (fromUri(this.reviews, uri) ?? this.reviews.of(uri)[0]);
  }

  private async hunk(given: Given): Promise<{ review: Review; file: ReviewFile; hunk: ReviewHunk } | undefined> {
    if (given?.hunkId) {
      return this.reviews.find(given.hunkId);
    }
    const editor = vscode.window.activeTextEditor;
    const active = this.active();
    if (!editor || !active) {
      return undefined;
    }
    const { review, file } = active;
    const line = editor.selection.active.line;
    const shown = fromUri(this.reviews, editor.document.uri);
    const hunk =
      shown?.side === 'proposed'
        ? model.nearest(model.proposed(file, await present(file)).places, line)?.hunk
        : (model.hunkAt(file, line) ?? file.hunks.find(model.undecided));
    return hunk && { review, file, hunk };
  }

  // ---------------------------------------------------------------- showing

  /** A new review: listed, and its first change shown. */
  async open(reviewId: string): Promise<void> {
    const review = await this.reviews.fetch(reviewId);
    const first = model.next(review, undefined);
    const node = this.tree.node({ kind: 'review', reviewId });
    await this.view.reveal(node, { focus: false, select: false, expand: 2 });
    if (first) {
      await this.show(review, first.file, first.hunk);
    }
  }

  async showFile(given: Given): Promise<void> {
    const review = this.review(given);
    const file = given?.index === undefined ? this.active()?.file : review?.files[given.index];
    if (review && file) {
      await this.show(review, file, file.hunks.find(model.undecided));
    }
  }

  async showHunk(given: Given): Promise<void> {
    const found = await this.hunk(given);
    if (found) {
      await this.show(found.review, found.file, found.hunk);
    }
  }

  private async show(review: Review, file: ReviewFile, hunk?: ReviewHunk): Promise<void> {
    const { places } = model.proposed(file, await present(file));
    const place = places.find((each) => each.hunk.hunkId === hunk?.hunkId);
    const line = place?.first ?? 0;
    const name = vscode.workspace.asRelativePath(vscode.Uri.parse(file.newUri ?? file.uri));
    const title = vscode.l10n.t('{0} (proposed by Lido)', name);
    await vscode.commands.executeCommand('vscode.diff', sideUri(review, file, 'now'), sideUri(review, file, 'proposed'), title, {
      selection: new vscode.Range(line, 0, line, 0),
      preview: true,
    } satisfies vscode.TextDocumentShowOptions);
    if (hunk) {
      const node = this.tree.node({ kind: 'hunk', reviewId: review.reviewId, index: review.files.indexOf(file), hunkId: hunk.hunkId });
      if (this.view.visible) {
        await this.view.reveal(node, { focus: false, select: true });
      }
    }
  }

  /** Every file's differences in one editor. */
  async showAll(review: Review | undefined): Promise<void> {
    if (review) {
      const resources = review.files.map((file) => [vscode.Uri.parse(file.newUri ?? file.uri), sideUri(review, file, 'now'), sideUri(review, file, 'proposed')]);
      await vscode.commands.executeCommand('vscode.changes', review.title || vscode.l10n.t('Proposed changes'), resources);
    }
  }

  async step(given: Given, step: 1 | -1): Promise<void> {
    const here = await this.hunk(given);
    const review = here?.review ?? this.review(given);
    const next = review && model.next(review, here?.hunk.hunkId, step);
    if (review && next) {
      await this.show(review, next.file, next.hunk);
    } else {
      void vscode.window.showInformationMessage(vscode.l10n.t('Everything in this review is decided.'));
    }
  }

  // ---------------------------------------------------------------- deciding

  async decideHunk(given: Given, decision: 'accept' | 'reject'): Promise<void> {
    const found = await this.hunk(given);
    if (found) {
      await this.decide(found.review, [found.hunk], decision);
    }
  }

  async decideFile(given: Given, decision: 'accept' | 'reject'): Promise<void> {
    const review = this.review(given);
    const file = given?.index === undefined ? this.active()?.file : review?.files[given.index];
    if (review && file) {
      await this.decide(review, file.hunks, decision);
    }
  }

  /** Decides what is undecided among `hunks`; where the person looks at the differences, the next one comes. */
  async decide(review: Review, hunks: readonly ReviewHunk[], decision: 'accept' | 'reject', preview = false): Promise<void> {
    const wanted = hunks.filter((hunk) => (decision === 'accept' ? hunk.state === 'pending' : model.undecided(hunk)));
    const looking = vscode.window.activeTextEditor?.document.uri.scheme === scheme;
    await this.reviews.decide(review.reviewId, wanted.map((hunk) => hunk.hunkId), decision, preview);
    const now = this.reviews.get(review.reviewId);
    if (!now) {
      return;
    }
    const next = model.next(now, wanted.at(-1)?.hunkId);
    if (looking && next) {
      await this.show(now, next.file, next.hunk);
    }
    await this.closeDecided(now);
    if (!next) {
      await this.finished(now);
    }
  }

  /** Says what became of the review, and offers to take it back. */
  private async finished(review: Review): Promise<void> {
    const { accepted, rejected } = model.count(review.files.flatMap((file) => file.hunks));
    const undo = vscode.l10n.t('Undo');
    const message = vscode.l10n.t('Lido: {0} changes accepted, {1} rejected.', accepted, rejected);
    const choices = accepted ? [undo] : [];
    void vscode.window.showInformationMessage(message, ...choices).then((choice) => (choice === undo ? this.reviews.undo(review.reviewId) : undefined));
    const first = review.files.find((file) => file.kind !== 'delete' && file.hunks.some((hunk) => hunk.state === 'accepted'));
    if (first && !vscode.window.activeTextEditor) {
      await vscode.window.showTextDocument(vscode.Uri.parse(first.newUri ?? first.uri));
    }
  }

  /** Closes the differences of files that have nothing left to decide. */
  private async closeDecided(review: Review | undefined, every = false): Promise<void> {
    const tabs = vscode.window.tabGroups.all
      .flatMap((group) => group.tabs)
      .filter((tab) => {
        if (!(tab.input instanceof vscode.TabInputTextDiff)) {
          return false;
        }
        const shown = fromUri(this.reviews, tab.input.modified);
        return shown?.review.reviewId === review?.reviewId && (every || !model.open(shown!.file));
      });
    if (tabs.length) {
      await vscode.window.tabGroups.close(tabs);
    }
  }

  async close(review: Review): Promise<void> {
    await this.closeDecided(review, true);
    this.reviews.close(review.reviewId);
  }

  // ---------------------------------------------------------------- what menus and keys go by

  private tell(): void {
    const all = this.reviews.all();
    const { pending } = model.count(all.flatMap((review) => review.files).flatMap((file) => file.hunks));
    this.view.badge = pending ? { value: pending, tooltip: vscode.l10n.t('{0} changes to decide', pending) } : undefined;
    void vscode.commands.executeCommand('setContext', 'lido.hasReview', all.length > 0);
    void vscode.commands.executeCommand('setContext', 'lido.hasUndecided', pending > 0);
    this.tellEditor();
  }

  private tellEditor(): void {
    const active = this.active();
    void vscode.commands.executeCommand('setContext', 'lido.editorHasHunks', !!active && model.open(active.file));
  }
}
