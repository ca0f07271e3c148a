import * as vscode from 'vscode';
import * as attachments from '../chat/attachments';
import { sentence } from '../chat/view';
import type { Session } from '../session';
import { PlanView } from './view';

/** The plans' view and its commands. */
export function registerPlan(context: vscode.ExtensionContext, session: Session): void {
  const view = new PlanView(context, session);
  const command = (name: string, work: () => Promise<void>) =>
    vscode.commands.registerCommand(name, async () => {
      try {
        await work();
      } catch (error) {
        void vscode.window.showErrorMessage(`Lido: ${sentence(error)}`);
      }
    });
  context.subscriptions.push(
    view,
    vscode.window.registerWebviewViewProvider(PlanView.id, view),
    command('lido.plan.new', () => {
      const found = attachments.selection();
      return view.open(found ? [attachments.chip(found)] : []);
    }),
    command('lido.plan.cancelAll', () => view.cancel()),
  );
}
