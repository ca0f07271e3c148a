/** The list of a review's files and hunks. */

import * as vscode from 'vscode';
import type { Review, ReviewFile, ReviewHunk } from '../generated/messages';
import * as model from './model';
import type { Reviews } from './reviews';

export type Node =
  | { kind: 'review'; reviewId: string }
  | { kind: 'file'; reviewId: string; index: number }
  | { kind: 'hunk'; reviewId: string; index: number; hunkId: string };

const icons: Record<ReviewHunk['state'], [string, string?]> = {
  pending: ['circle-large-outline'],
  accepted: ['pass-filled', 'testing.iconPassed'],
  rejected: ['circle-slash', 'disabledForeground'],
  conflict: ['warning', 'list.warningForeground'],
  failed: ['error', 'list.errorForeground'],
  undone: ['discard', 'disabledForeground'],
};

export class Tree implements vscode.TreeDataProvider<Node>, vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<Node | undefined>();
  readonly onDidChangeTreeData = this.changed.event;
  private readonly listening: vscode.Disposable;
  /** Nodes are compared by identity when one is revealed. */
  private readonly nodes = new Map<string, Node>();

  constructor(private readonly reviews: Reviews) {
    this.listening = reviews.onDidChange(() => this.changed.fire(undefined));
  }

  dispose(): void {
    this.listening.dispose();
    this.changed.dispose();
  }

  node(node: Node): Node {
    const key = Object.values(node).join(' ');
    const known = this.nodes.get(key) ?? node;
    this.nodes.set(key, known);
    return known;
  }

  getChildren(parent?: Node): Node[] {
    if (!parent) {
      // The newest first.
      return this.reviews.all().reverse().map(({ reviewId }) => this.node({ kind: 'review', reviewId }));
    }
    const review = this.reviews.get(parent.reviewId);
    if (parent.kind === 'review') {
      return review?.files.map((_, index) => this.node({ kind: 'file', reviewId: parent.reviewId, index })) ?? [];
    }
    if (parent.kind === 'file') {
      const { reviewId, index } = parent;
      return review?.files[index]?.hunks.map(({ hunkId }) => this.node({ kind: 'hunk', reviewId, index, hunkId })) ?? [];
    }
    return [];
  }

  getParent(node: Node): Node | undefined {
    const { reviewId } = node;
    switch (node.kind) {
      case 'review':
        return undefined;
      case 'file':
        return this.node({ kind: 'review', reviewId });
      case 'hunk':
        return this.node({ kind: 'file', reviewId, index: node.index });
    }
  }

  getTreeItem(node: Node): vscode.TreeItem {
    const review = this.reviews.get(node.reviewId);
    const file = node.kind === 'review' ? undefined : review?.files[node.index];
    if (!review || (node.kind !== 'review' && !file)) {
      return new vscode.TreeItem('');
    }
    switch (node.kind) {
      case 'review':
        return ofReview(review);
      case 'file':
        return ofFile(review, file!);
      case 'hunk': {
        const hunk = file!.hunks.find((each) => each.hunkId === node.hunkId);
        return hunk ? ofHunk(file!, hunk, node) : new vscode.TreeItem('');
      }
    }
  }
}

function ofReview(review: Review): vscode.TreeItem {
  const hunks = review.files.flatMap((file) => file.hunks);
  const { pending } = model.count(hunks);
  const { Collapsed, Expanded } = vscode.TreeItemCollapsibleState;
  const item = new vscode.TreeItem(review.title || vscode.l10n.t('Changes'), pending ? Expanded : Collapsed);
  // VS Code remembers by its id whether it was open: once decided it is another item, and closed.
  item.id = pending ? review.reviewId : `${review.reviewId} decided`;
  item.description = summary(hunks);
  item.tooltip = review.title;
  item.iconPath = new vscode.ThemeIcon(pending ? 'git-pull-request-draft' : 'pass');
  item.contextValue = ['review', pending ? 'open' : 'decided', hunks.some((hunk) => hunk.state === 'accepted') ? 'undoable' : ''].join(' ');
  return item;
}

function ofFile(review: Review, file: ReviewFile): vscode.TreeItem {
  const uri = vscode.Uri.parse(file.newUri ?? file.uri);
  const item = new vscode.TreeItem(uri, vscode.TreeItemCollapsibleState.Expanded);
  const kind = {
    modify: '',
    create: vscode.l10n.t('new'),
    delete: vscode.l10n.t('deleted'),
    rename: vscode.l10n.t('renamed'),
  }[file.kind];
  const folder = vscode.workspace.asRelativePath(vscode.Uri.joinPath(uri, '..'), false);
  item.id = `${review.reviewId} ${file.uri}`;
  item.description = [vscode.workspace.getWorkspaceFolder(vscode.Uri.joinPath(uri, '..')) && !folder.startsWith('/') ? folder : '', kind, summary(file.hunks)]
    .filter(Boolean)
    .join(' · ');
  item.iconPath = vscode.ThemeIcon.File;
  item.contextValue = `file ${model.open(file) ? 'open' : 'decided'}`;
  item.command = { command: 'lido.file.open', title: vscode.l10n.t('Show the changes'), arguments: [{ kind: 'file', reviewId: review.reviewId, index: review.files.indexOf(file) }] };
  return item;
}

function ofHunk(file: ReviewFile, hunk: ReviewHunk, node: Node): vscode.TreeItem {
  const label = hunk.description || vscode.l10n.t('Line {0}', hunk.oldRange.start.line + 1);
  const item = new vscode.TreeItem(label);
  const { added, removed } = model.size(hunk);
  item.id = hunk.hunkId;
  item.description = [`+${added} −${removed}`, stateWord(hunk.state)].filter(Boolean).join(' · ');
  const [icon, colour] = icons[hunk.state];
  item.iconPath = new vscode.ThemeIcon(icon, colour ? new vscode.ThemeColor(colour) : undefined);
  item.contextValue = `hunk ${hunk.state}`;
  item.tooltip = tooltip(file, hunk);
  item.accessibilityInformation = { label: `${label}, ${stateWord(hunk.state) || vscode.l10n.t('undecided')}` };
  item.command = { command: 'lido.hunk.show', title: vscode.l10n.t('Show the change'), arguments: [node] };
  return item;
}

function tooltip(file: ReviewFile, hunk: ReviewHunk): vscode.MarkdownString {
  const text = new vscode.MarkdownString();
  if (hunk.state === 'conflict') {
    text.appendText(vscode.l10n.t('These lines were changed meanwhile. Now:')).appendCodeblock(hunk.conflictText ?? '');
    text.appendText(vscode.l10n.t('Proposed:'));
  }
  return text.appendCodeblock(hunk.newText.slice(0, 4000), file.uri.split('.').at(-1) ?? '');
}

export function stateWord(state: ReviewHunk['state']): string {
  return {
    pending: '',
    accepted: vscode.l10n.t('accepted'),
    rejected: vscode.l10n.t('rejected'),
    conflict: vscode.l10n.t('changed meanwhile'),
    failed: vscode.l10n.t('failed'),
    undone: vscode.l10n.t('undone'),
  }[state];
}

function summary(hunks: readonly ReviewHunk[]): string {
  const { pending, all } = model.count(hunks);
  return pending ? vscode.l10n.t('{0} of {1} to decide', pending, all) : vscode.l10n.t('decided');
}
