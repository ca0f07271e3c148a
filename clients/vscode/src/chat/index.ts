import * as vscode from 'vscode';
import type { CodeBlock } from '../generated/messages';
import type { Session } from '../session';
import * as attachments from './attachments';
import { registerParticipant } from './native';
import { ChatView, sentence } from './view';

/** The chat's view, its commands, and `@lido` where the host has a chat of its own. */
export function registerChat(context: vscode.ExtensionContext, session: Session): void {
  const view = new ChatView(context, session);
  const command = (name: string, work: (...given: never[]) => unknown) =>
    vscode.commands.registerCommand(name, async (...given: never[]) => {
      try {
        await work(...given);
      } catch (error) {
        void vscode.window.showErrorMessage(`Lido: ${sentence(error)}`);
      }
    });
  /** A slash command on the selection, or on the file where nothing is selected. */
  const ask = (slash: string) => () => {
    const found = attachments.selection() ?? attachments.file();
    return view.compose(`/${slash}`, found ? [attachments.chip(found)] : [], true);
  };
  context.subscriptions.push(
    view,
    vscode.window.registerWebviewViewProvider(ChatView.id, view),
    command('lido.chat.open', () => view.focus()),
    command('lido.chat.new', () => view.begin()),
    command('lido.chat.history', () => view.showHistory()),
    command('lido.chat.export', () => view.export()),
    command('lido.chat.pickModel', () => view.pickModel()),
    command('lido.chat.explain', ask('explain')),
    command('lido.chat.fix', ask('fix')),
    command('lido.chat.tests', ask('tests')),
    command('lido.chat.doc', ask('doc')),
    command('lido.chat.review', () => view.compose('/review', [attachments.chip({ kind: 'diff' })], true)),
    command('lido.chat.apply', (block: CodeBlock) => view.apply(block.text, block.language, block.uri)),
    command('lido.chat.attachSelection', () => {
      const found = attachments.selection() ?? attachments.file();
      return view.attach(found ? [attachments.chip(found)] : []);
    }),
    command('lido.chat.attachFiles', async (uri: vscode.Uri | undefined, all: vscode.Uri[] | undefined) => {
      const uris = all?.length ? all : uri ? [uri] : [];
      return view.attach((await attachments.ofUris(uris)).map(attachments.chip));
    }),
  );
  registerParticipant(context, session);
}
