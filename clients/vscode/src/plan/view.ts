/** The plans' view: begins plans, shows how they go, and hands over the person's answers. */

import * as vscode from 'vscode';
import * as attachments from '../chat/attachments';
import { options, page } from '../chat/page';
import type { Chip } from '../chat/protocol';
import { openPath, sentence } from '../chat/view';
import type { PlanUpdate } from '../generated/messages';
import type { Session } from '../session';
import type { FromView, ShownPlan, ToView } from './protocol';
import * as state from './state';
import { strings } from './strings';

export class PlanView implements vscode.WebviewViewProvider, vscode.Disposable {
  static readonly id = 'lido.planView';

  private view: vscode.WebviewView | undefined;
  private ready = false;
  private waiting: ToView[] = [];
  private plans: ShownPlan[] = [];
  private error: string | undefined;
  private suggesting: vscode.CancellationTokenSource | undefined;
  private readonly asked = new Set<string>();
  private readonly reviewed = new Set<string>();
  private readonly disposables: vscode.Disposable[] = [];

  constructor(
    private readonly context: vscode.ExtensionContext,
    private readonly session: Session,
  ) {
    this.disposables.push(
      session.onNotification('lido/plan/update', (update) => this.updated(update)),
      session.onState((now) => {
        if (now !== 'running') {
          this.show(state.lost(this.plans, vscode.l10n.t('The server stopped.')));
        }
      }),
      vscode.window.onDidChangeActiveTextEditor(() => this.tellContext()),
      vscode.window.onDidChangeTextEditorSelection(() => this.tellContext()),
    );
  }

  dispose(): void {
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
    view.webview.html = page(view.webview, this.context.extensionUri, 'plan', vscode.l10n.t('Lido Plans'), strings());
  }

  /** Shows the view, with these attached; what is written there stays. */
  async open(chips: Chip[] = []): Promise<void> {
    await this.reveal();
    this.post({ type: 'attach', chips });
  }

  private async reveal(): Promise<void> {
    await vscode.commands.executeCommand('setContext', 'lido.plans', true);
    await vscode.commands.executeCommand(`${PlanView.id}.focus`);
  }

  /** Cancels every plan that runs. */
  async cancel(): Promise<void> {
    for (const { planId } of this.plans.filter((plan) => !state.final(plan.state))) {
      await this.session.request('lido/plan/cancel', { planId });
    }
  }

  // ---------------------------------------------------------------- what the server says

  private updated(update: PlanUpdate): void {
    const foreign = !this.plans.some((plan) => plan.planId === update.planId);
    this.show(state.updated(this.plans, update));
    if (foreign && !this.view?.visible) {
      void this.reveal();
    }
    if (update.state !== 'waiting') {
      this.asked.delete(update.planId);
    } else if (!this.asked.has(update.planId)) {
      this.asked.add(update.planId);
      if (!this.view?.visible) {
        void this.askOutside(update);
      }
    }
    if (update.reviewId && state.final(update.state) && !this.reviewed.has(update.reviewId)) {
      this.reviewed.add(update.reviewId);
      void vscode.commands.executeCommand('lido.changes.open', update.reviewId);
    }
  }

  /** A question while the view is hidden: consent by button, anything else by showing the view. */
  private async askOutside({ planId, question, asks }: PlanUpdate): Promise<void> {
    const choices =
      asks === 'consent'
        ? [
            { title: vscode.l10n.t('Run once'), answer: 'yes' },
            { title: vscode.l10n.t('Always in this session'), answer: 'always' },
            { title: vscode.l10n.t('Do not run'), answer: 'no' },
          ]
        : [{ title: vscode.l10n.t('Show the plan'), answer: '' }];
    const chosen = await vscode.window.showInformationMessage(`Lido: ${question?.replace(/ Answer yes, always .*$/, '')}`, ...choices);
    if (chosen?.answer) {
      await this.answer(planId, chosen.answer);
    } else if (chosen) {
      await this.open();
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
        this.show(this.plans);
        this.tellContext();
        for (const each of this.waiting.splice(0)) {
          this.post(each);
        }
        return;
      case 'start':
        return this.start(message.text, message.chips, message.mode, message.testCommand);
      case 'answer':
        return this.answer(message.planId, message.text, message.steps);
      case 'cancel':
        await this.session.request('lido/plan/cancel', { planId: message.planId });
        return;
      case 'review':
        await vscode.commands.executeCommand('lido.changes.open', message.reviewId);
        return;
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
        await this.reveal();
        this.post({ type: 'attach', chips: chip ? [chip] : [] });
        return;
      }
      case 'drop': {
        const uris = message.uris.map((uri) => vscode.Uri.parse(uri, true));
        this.post({ type: 'attach', chips: (await attachments.ofUris(uris)).map(attachments.chip) });
        return;
      }
      case 'path':
        return openPath(message.path);
    }
  }

  private async start(instruction: string, chips: Chip[], mode: 'plan' | 'agent', testCommand: string): Promise<void> {
    this.error = undefined;
    try {
      const { planId } = await this.session.request('lido/plan/start', {
        instruction,
        mode,
        attachments: chips.map((chip) => chip.attachment),
        testCommand: testCommand || undefined,
        confirmSteps: true,
        // Progress is shown here; without a token of ours the server would show it once more.
        workDoneToken: `plan-${crypto.randomUUID()}`,
      });
      this.show(state.begun(this.plans, planId, { instruction, mode, chips, testCommand }));
    } catch (error) {
      this.error = sentence(error);
      this.show(this.plans);
      this.post({ type: 'compose', text: instruction, chips });
    }
  }

  private async answer(planId: string, text: string, steps?: PlanUpdate['steps']): Promise<void> {
    await this.session.request('lido/plan/answer', { planId, text, steps });
  }

  // ---------------------------------------------------------------- the page

  private tellContext(): void {
    const found = attachments.selection() ?? attachments.file();
    if (found || vscode.window.visibleTextEditors.length === 0) {
      this.post({ type: 'context', chip: found && attachments.chip(found) });
    }
  }

  private show(plans: ShownPlan[]): void {
    this.plans = plans;
    const running = plans.some((plan) => !state.final(plan.state));
    void vscode.commands.executeCommand('setContext', 'lido.planRuns', running);
    const questions = plans.filter((plan) => plan.state === 'waiting').length;
    if (this.view) {
      this.view.badge = questions ? { value: questions, tooltip: vscode.l10n.t('A plan waits for you') } : undefined;
    }
    if (this.ready) {
      this.post({ type: 'plans', plans, error: this.error });
    }
  }

  private post(message: ToView): void {
    if (this.ready) {
      void this.view?.webview.postMessage(message);
    } else if (['compose', 'attach'].includes(message.type)) {
      this.waiting.push(message);
    }
  }
}
