/** The chat's view: holds the conversation, speaks with the server, and lets the page draw. */

import * as vscode from 'vscode';
import { ProgressType } from 'vscode-languageclient';
import type { ChatAnswer, ChatDelta, ModelStatus } from '../generated/messages';
import type { Session } from '../session';
import * as attachments from './attachments';
import { options, page } from './page';
import type { Chip, ChatState, FromView, ToView } from './protocol';
import * as state from './state';
import { strings } from './strings';

const lastConversation = 'lido.chat.conversation';
const pickedModel = 'lido.chat.model';
const delta = new ProgressType<ChatDelta>();

export class ChatView implements vscode.WebviewViewProvider, vscode.Disposable {
  static readonly id = 'lido.chatView';

  private view: vscode.WebviewView | undefined;
  private ready = false;
  private waiting: ToView[] = [];
  private state: ChatState = state.empty;
  private asking: vscode.CancellationTokenSource | undefined;
  private suggesting: vscode.CancellationTokenSource | undefined;
  private models: ModelStatus[] = [];
  private standard = '';
  /** What the list of conversations was last searched for. */
  private searched = '';
  private restoring: Promise<void> | undefined;
  private readonly disposables: vscode.Disposable[] = [];

  constructor(
    private readonly context: vscode.ExtensionContext,
    private readonly session: Session,
  ) {
    this.disposables.push(
      vscode.window.onDidChangeActiveTextEditor(() => this.tellContext()),
      vscode.window.onDidChangeTextEditorSelection(() => this.tellContext()),
      session.onNotification('lido/status', (status) => {
        this.models = status.models;
        this.tellModels();
      }),
      session.onState((now) => {
        if (now === 'running') {
          void this.restore();
        }
      }),
    );
  }

  dispose(): void {
    this.asking?.cancel();
    vscode.Disposable.from(...this.disposables).dispose();
  }

  resolveWebviewView(view: vscode.WebviewView): void {
    this.view = view;
    this.ready = false;
    view.webview.options = options(this.context.extensionUri);
    view.webview.onDidReceiveMessage((message: FromView) => this.receive(message), undefined, this.disposables);
    view.onDidDispose(() => {
      this.view = undefined;
      this.ready = false;
    });
    view.webview.html = page(view.webview, this.context.extensionUri, 'chat', vscode.l10n.t('Lido Chat'), strings());
  }

  // ---------------------------------------------------------------- what others ask for

  /** Shows the view, with a question in its box; sent at once where `send` says so. */
  async compose(text: string, chips: Chip[] = [], send = false): Promise<void> {
    await this.reveal();
    if (send && !this.state.busy) {
      await this.send(text, chips);
    } else {
      this.post({ type: 'compose', text, chips });
    }
  }

  /** Chat and plans take turns in the side bar, so that each has its whole height. */
  private async reveal(): Promise<void> {
    await vscode.commands.executeCommand('setContext', 'lido.plans', false);
    await vscode.commands.executeCommand(`${ChatView.id}.focus`);
  }

  async attach(chips: Chip[]): Promise<void> {
    await this.reveal();
    this.post({ type: 'attach', chips });
  }

  async focus(): Promise<void> {
    await this.reveal();
    this.post({ type: 'focus' });
  }

  /** An empty conversation; nothing is kept of it before its first question. */
  async begin(): Promise<void> {
    this.asking?.cancel();
    this.show(state.empty);
    await this.context.workspaceState.update(lastConversation, undefined);
    await this.focus();
  }

  async showHistory(): Promise<void> {
    await this.reveal();
    await this.history('', true);
  }

  async export(conversationId = this.state.conversationId): Promise<void> {
    if (!conversationId) {
      void vscode.window.showInformationMessage(vscode.l10n.t('There is no conversation to export yet.'));
      return;
    }
    const { text } = await this.session.request('lido/chat/export', { conversationId });
    const document = await vscode.workspace.openTextDocument({ language: 'markdown', content: text });
    await vscode.window.showTextDocument(document);
  }

  async pickModel(): Promise<void> {
    await this.askModels();
    const standard = { label: vscode.l10n.t('Standard'), description: this.standard, name: '' };
    const items = this.models.map((each) => ({ label: each.name, description: each.model, name: each.name }));
    const picked = await vscode.window.showQuickPick([standard, ...items], { placeHolder: vscode.l10n.t('Which model answers in the chat') });
    if (picked) {
      await this.setModel(picked.name);
    }
  }

  // ---------------------------------------------------------------- what the page says

  private async receive(message: FromView): Promise<void> {
    try {
      await this.handle(message);
    } catch (error) {
      void vscode.window.showErrorMessage(`Lido: ${sentence(error)}`);
    }
  }

  private async handle(message: FromView): Promise<void> {
    switch (message.type) {
      case 'ready':
        this.ready = true;
        this.post({ type: 'state', state: this.state });
        this.tellContext();
        this.tellModels();
        for (const each of this.waiting.splice(0)) {
          this.post(each);
        }
        await this.restore();
        return;
      case 'send':
        return this.send(message.text, message.chips, message.replaces);
      case 'stop':
        this.asking?.cancel();
        return;
      case 'retry':
        return this.retry();
      case 'new':
        return this.begin();
      case 'suggest': {
        this.suggesting?.cancel();
        const source = (this.suggesting = new vscode.CancellationTokenSource());
        const items = await attachments.suggest(message.query, source.token);
        if (!source.token.isCancellationRequested) {
          this.post({ type: 'suggestions', request: message.request, items });
        }
        return;
      }
      case 'pick': {
        const chip = await attachments.pick(message.kind);
        await this.attach(chip ? [chip] : []);
        this.post({ type: 'focus' });
        return;
      }
      case 'drop': {
        const uris = message.uris.map((uri) => vscode.Uri.parse(uri, true));
        this.post({ type: 'attach', chips: (await attachments.ofUris(uris)).map(attachments.chip) });
        return;
      }
      case 'apply':
        return this.apply(message.text, message.language, message.uri);
      case 'insert':
        return insert(message.text);
      case 'terminal': {
        const terminal = vscode.window.activeTerminal ?? vscode.window.createTerminal();
        terminal.show();
        // Without a line end: nothing that a model wrote runs by itself.
        terminal.sendText(message.text.trim().replace(/^\$ /gm, ''), false);
        return;
      }
      case 'copy':
        return vscode.env.clipboard.writeText(message.text);
      case 'feedback':
        this.session.notify('lido/chat/feedback', { messageId: message.messageId, rating: message.rating });
        this.show(state.rated(this.state, message.messageId, message.rating));
        return;
      case 'model':
        return this.setModel(message.name);
      case 'history':
        return this.history(message.query, false);
      case 'open':
        return this.open(message.conversationId);
      case 'rename':
        await this.session.request('lido/chat/rename', { conversationId: message.conversationId, title: message.title });
        if (message.conversationId === this.state.conversationId) {
          this.show({ ...this.state, title: message.title });
        }
        return this.history(this.searched, false);
      case 'delete':
        return this.remove(message.conversationId, message.title);
      case 'export':
        return this.export(message.conversationId);
      case 'path':
        return openPath(message.path);
    }
  }

  // ---------------------------------------------------------------- asking

  private async send(text: string, chips: Chip[], replaces?: string): Promise<void> {
    if (this.state.busy) {
      return;
    }
    const { conversationId } = this.state;
    this.show(state.asked(this.state, text, chips, new Date().toISOString(), replaces));
    await this.answered(conversationId, { text, chips }, (token, cancel) =>
      this.session.request(
        'lido/chat/send',
        {
          text,
          conversationId,
          replaces,
          attachments: chips.map((chip) => chip.attachment),
          model: this.picked || undefined,
          partialResultToken: token,
        },
        cancel,
      ),
    );
  }

  private async retry(): Promise<void> {
    const { conversationId } = this.state;
    if (this.state.busy || !conversationId) {
      return;
    }
    this.show(state.retried(this.state, new Date().toISOString()));
    await this.answered(conversationId, undefined, (token, cancel) =>
      this.session.request('lido/chat/retry', { conversationId, model: this.picked || undefined, partialResultToken: token }, cancel),
    );
  }

  /** Streams an answer into the state. Where a question got no conversation at all, it is given back. */
  private async answered(
    conversationId: string | undefined,
    question: { text: string; chips: Chip[] } | undefined,
    ask: (token: string, cancel: vscode.CancellationToken) => Promise<ChatAnswer>,
  ): Promise<void> {
    const source = (this.asking = new vscode.CancellationTokenSource());
    const mine = () => this.asking === source;
    const token = `chat-${crypto.randomUUID()}`;
    let known = conversationId;
    const listening = this.session.client?.onProgress(delta, token, (piece) => {
      known = piece.conversationId ?? known;
      if (mine()) {
        this.state = state.grown(this.state, piece.delta, known);
        this.post({ type: 'delta', text: piece.delta });
      }
    });
    let error = '';
    let answer: ChatAnswer | undefined;
    try {
      answer = await ask(token, source.token);
      known = answer.conversationId;
    } catch (reason) {
      known = conversationOf(reason) ?? known;
      error = source.token.isCancellationRequested ? '' : sentence(reason);
    } finally {
      listening?.dispose();
    }
    if (!mine()) {
      return; // another conversation was opened meanwhile
    }
    this.asking = undefined;
    source.dispose();
    if (answer) {
      this.show({ ...this.state, busy: false });
    } else if (known) {
      this.show({ ...state.broken(this.state, error), conversationId: known });
    } else {
      this.show({ ...state.empty, error: error || undefined });
      this.post({ type: 'compose', text: question?.text ?? '', chips: question?.chips ?? [] });
    }
    if (known) {
      await this.load(known, answer, error);
    }
  }

  /** Shows the conversation as the server keeps it: with the ids of its messages. */
  private async load(conversationId: string, answer?: ChatAnswer, error?: string): Promise<void> {
    const kept = await this.session.request('lido/chat/get', { conversationId });
    this.show({ ...state.loaded(kept, attachments.chip, this.state, answer), error: error || undefined });
    await this.context.workspaceState.update(lastConversation, conversationId);
  }

  private async restore(): Promise<void> {
    const conversationId = this.context.workspaceState.get<string>(lastConversation);
    if (!this.session.client || this.state.busy) {
      return;
    }
    this.restoring ??= (async () => {
      await this.askModels();
      if (conversationId && !this.state.conversationId) {
        try {
          await this.load(conversationId);
        } catch {
          // It was deleted, by another window or from the terminal.
          await this.context.workspaceState.update(lastConversation, undefined);
        }
      }
    })().finally(() => (this.restoring = undefined));
    await this.restoring;
  }

  private async open(conversationId: string): Promise<void> {
    this.asking?.cancel();
    this.asking = undefined;
    await this.load(conversationId);
    this.post({ type: 'focus' });
  }

  private async remove(conversationId: string, title: string): Promise<void> {
    const yes = vscode.l10n.t('Delete');
    const question = vscode.l10n.t('Delete “{0}”?', title);
    const detail = vscode.l10n.t('The conversation is erased from this machine.');
    if ((await vscode.window.showWarningMessage(question, { modal: true, detail }, yes)) !== yes) {
      return;
    }
    await this.session.request('lido/chat/delete', { conversationId });
    if (conversationId === this.state.conversationId) {
      this.show(state.empty);
      await this.context.workspaceState.update(lastConversation, undefined);
    }
    await this.history(this.searched, false);
  }

  private async history(query: string, show: boolean): Promise<void> {
    this.searched = query;
    const items = await this.session.request('lido/chat/list', { query: query || undefined, limit: 200 });
    this.post({ type: 'history', items, query, show });
  }

  /** Opens a review of putting the code into its file, else into the active one. */
  async apply(text: string, language: string, uri?: string): Promise<void> {
    const target = uri ?? attachments.file()?.uri ?? attachments.file(vscode.window.visibleTextEditors[0])?.uri;
    if (!target) {
      void vscode.window.showInformationMessage(vscode.l10n.t('Open the file that the code is for, then apply it again.'));
      return;
    }
    const { reviewId } = await this.session.request('lido/chat/apply', { text, uri: target, language });
    await vscode.commands.executeCommand('lido.changes.open', reviewId);
  }

  // ---------------------------------------------------------------- models

  private get picked(): string {
    const name = this.context.workspaceState.get<string>(pickedModel, '');
    return this.models.some((each) => each.name === name) ? name : '';
  }

  private async setModel(name: string): Promise<void> {
    await this.context.workspaceState.update(pickedModel, name);
    this.tellModels();
  }

  private async askModels(): Promise<void> {
    const { models, roles } = await this.session.request('lido/models', {});
    this.models = models;
    this.standard = roles['chat']?.[0] ?? '';
    this.tellModels();
  }

  private tellModels(): void {
    this.post({ type: 'models', choice: { models: this.models, standard: this.standard, picked: this.picked } });
  }

  // ---------------------------------------------------------------- the page

  private tellContext(): void {
    const found = attachments.selection() ?? attachments.file();
    // Focus in the chat leaves no active editor; what was visible last is still meant.
    if (found || vscode.window.visibleTextEditors.length === 0) {
      this.post({ type: 'context', chip: found && attachments.chip(found) });
    }
  }

  private show(next: ChatState): void {
    this.state = next;
    if (this.ready) {
      this.post({ type: 'state', state: next });
    }
    if (this.view) {
      this.view.description = next.title;
    }
  }

  private post(message: ToView): void {
    if (this.ready) {
      void this.view?.webview.postMessage(message);
    } else if (['compose', 'attach', 'history', 'focus'].includes(message.type)) {
      this.waiting.push(message);
    }
  }
}

async function insert(text: string): Promise<void> {
  const editor = vscode.window.activeTextEditor ?? vscode.window.visibleTextEditors[0];
  if (!editor) {
    void vscode.window.showInformationMessage(vscode.l10n.t('Open a file to insert the code in.'));
    return;
  }
  await editor.edit((edit) => {
    for (const selection of editor.selections) {
      edit.replace(selection, text.replace(/\n$/, ''));
    }
  });
  await vscode.window.showTextDocument(editor.document, editor.viewColumn);
}

/** Opens a file that an answer names, relative to a folder of the workspace; `:12` or `#L12` for a line. */
export async function openPath(named: string): Promise<void> {
  const match = /^(.*?)(?::(\d+)|#L(\d+)(?:-L?\d+)?)?$/.exec(named);
  const path = match?.[1]?.replace(/^\.?\//, '') ?? '';
  const line = Number(match?.[2] ?? match?.[3] ?? 1) - 1;
  for (const folder of vscode.workspace.workspaceFolders ?? []) {
    const uri = vscode.Uri.joinPath(folder.uri, path);
    if (!uri.path.startsWith(folder.uri.path.replace(/\/?$/, '/'))) {
      continue;
    }
    try {
      await vscode.workspace.fs.stat(uri);
    } catch {
      continue;
    }
    const selection = new vscode.Range(line, 0, line, 0);
    await vscode.commands.executeCommand('vscode.open', uri, { selection } satisfies vscode.TextDocumentShowOptions);
    return;
  }
  void vscode.window.showInformationMessage(vscode.l10n.t('There is no file {0} in the workspace.', path));
}

/** The server's sentence for people. */
export function sentence(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function conversationOf(error: unknown): string | undefined {
  const data = (error as { data?: { conversationId?: unknown } } | undefined)?.data;
  return typeof data?.conversationId === 'string' ? data.conversationId : undefined;
}
