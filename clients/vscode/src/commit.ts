/** A commit message for the changes, written into the source control's input as it comes. */

import * as vscode from 'vscode';
import { ProgressType } from 'vscode-languageclient/node';
import type { Session } from './session';

interface Git {
  getAPI(version: 1): { repositories: Repository[] };
}
interface Repository {
  rootUri: vscode.Uri;
  inputBox: { value: string };
}

export async function writeCommitMessage(session: Session, source?: { rootUri?: vscode.Uri }): Promise<void> {
  const git = await vscode.extensions.getExtension<Git>('vscode.git')?.activate();
  const repositories = git?.getAPI(1).repositories ?? [];
  const repository =
    repositories.find((each) => each.rootUri.toString() === source?.rootUri?.toString()) ?? repositories[0];
  if (!repository) {
    void vscode.window.showInformationMessage(vscode.l10n.t('Lido: there is no git repository here.'));
    return;
  }
  const before = repository.inputBox.value;
  await vscode.window.withProgress(
    { location: vscode.ProgressLocation.SourceControl, title: vscode.l10n.t('Writing a commit message'), cancellable: true },
    async (_progress, token) => {
      const partialResultToken = `commit-${Date.now()}`;
      let text = '';
      const listening = session.client?.onProgress(new ProgressType<{ delta: string }>(), partialResultToken, ({ delta }) => {
        text += delta;
        repository.inputBox.value = text;
      });
      try {
        const answer = await session.request(
          'lido/chat/send',
          { text: '/commit', attachments: [{ kind: 'diff' }], partialResultToken },
          token,
        );
        repository.inputBox.value = answer.text.trim();
        await session.request('lido/chat/delete', { conversationId: answer.conversationId });
      } catch (error) {
        repository.inputBox.value = before;
        throw error;
      } finally {
        listening?.dispose();
      }
    },
  );
}
