import { performance } from 'node:perf_hooks';
import * as vscode from 'vscode';
import { registerChat } from './chat';
import { writeCommitMessage } from './commit';
import { Completions, toggleLanguage } from './completion';
import { runInTerminal } from './doctor';
import { showMetrics } from './metrics';
import { NextEdits } from './nextEdit';
import { offerModel } from './model';
import { registerPlan } from './plan';
import { registerReview } from './review';
import { Session } from './session';
import { StatusItem } from './status';

/** When the bundle began to load (see esbuild.mjs). */
declare const lidoLoading: number;
const loadMs = performance.now() - lidoLoading;

export function activate(context: vscode.ExtensionContext): void {
  const began = performance.now();
  const session = new Session(context);
  const completions = new Completions(session);
  const nextEdits = new NextEdits(session, context.extensionUri);
  const status = new StatusItem(session, completions);
  const command = (name: string, work: (...given: never[]) => unknown) =>
    vscode.commands.registerCommand(name, async (...given: never[]) => {
      try {
        await work(...given);
      } catch (error) {
        void vscode.window.showErrorMessage(`Lido: ${error instanceof Error ? error.message : String(error)}`);
      }
    });
  context.subscriptions.push(
    session,
    completions,
    nextEdits,
    status,
    command('lido.menu', () => status.menu()),
    command('lido.restart', () => session.restart()),
    command('lido.showLog', () => session.log.show()),
    command('lido.doctor', () => runInTerminal(context, session, vscode.l10n.t('Doctor'), 'doctor')),
    offerModel(session, (name) => runInTerminal(context, session, vscode.l10n.t('Model'), 'model', 'pull', name)),
    command('lido.metrics', () => showMetrics(session)),
    command('lido.snooze', () => completions.askSnooze()),
    command('lido.wake', () => completions.snooze(0)),
    command('lido.toggleLanguage', toggleLanguage),
    command('lido.completion.trigger', () => completions.trigger()),
    command('lido.completion.dismiss', () => completions.dismiss()),
    command('lido.nextEdit.go', () => nextEdits.go()),
    command('lido.nextEdit.dismiss', () => nextEdits.dismiss()),
    command('lido.scm.commitMessage', (source?: { rootUri?: vscode.Uri }) => writeCommitMessage(session, source)),
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (['command', 'tcp', 'python'].some((name) => event.affectsConfiguration(`lido.server.${name}`))) {
        void session.restart();
      } else if (event.affectsConfiguration('lido')) {
        session.notify('workspace/didChangeConfiguration', { settings: null }); // the server asks for them
      }
    }),
    vscode.workspace.onDidGrantWorkspaceTrust(() => void session.restart()),
  );
  registerChat(context, session);
  registerPlan(context, session);
  registerReview(context, session);
  void session.start();
  const ownMs = performance.now() - began;
  session.log.info(`activated in ${(loadMs + ownMs).toFixed(0)} ms, ${loadMs.toFixed(0)} of them to load the code`);
}
