/** One calm line: the state, the model, and a menu. */

import * as vscode from 'vscode';
import { type Completions, enabledFor } from './completion';
import { openSettings } from './configuration';
import type { Status } from './generated/messages';
import type { Session } from './session';

export class StatusItem implements vscode.Disposable {
  private readonly item = vscode.window.createStatusBarItem('lido.status', vscode.StatusBarAlignment.Right, 100);
  private readonly rest: vscode.Disposable[];
  private told: Status | undefined;

  constructor(
    private readonly session: Session,
    private readonly completions: Completions,
  ) {
    this.item.name = 'Lido';
    this.item.command = 'lido.menu';
    this.rest = [
      this.item,
      session.onNotification('lido/status', (status) => {
        this.told = status;
        this.update();
      }),
      session.onState(() => this.update()),
      completions.onSnooze(() => this.update()),
      vscode.window.onDidChangeActiveTextEditor(() => this.update()),
      vscode.workspace.onDidChangeConfiguration((event) => event.affectsConfiguration('lido') && this.update()),
    ];
    this.update();
    this.item.show();
  }

  dispose(): void {
    vscode.Disposable.from(...this.rest).dispose();
  }

  private update(): void {
    const { icon, text, background } = this.look();
    this.item.text = `${icon} Lido`;
    this.item.backgroundColor = background ? new vscode.ThemeColor(background) : undefined;
    const models = (this.told?.models ?? []).map((model) => {
      const pace = model.tokensPerSecond ? `, ${vscode.l10n.t('{0} tokens/s', model.tokensPerSecond)}` : '';
      return `${model.name}: ${model.model} (${model.state}${pace})`;
    });
    this.item.tooltip = [text, ...models].join('\n');
    this.item.accessibilityInformation = { label: `Lido, ${text}` };
  }

  private look(): { icon: string; text: string; background?: string } {
    const language = vscode.window.activeTextEditor?.document.languageId;
    switch (this.session.state) {
      case 'starting':
        return { icon: '$(loading~spin)', text: vscode.l10n.t('Starting') };
      case 'failed':
        return { icon: '$(error)', text: this.session.problem, background: 'statusBarItem.errorBackground' };
      case 'stopped':
        return { icon: '$(circle-slash)', text: this.session.problem || vscode.l10n.t('The server is not running') };
      case 'running':
    }
    if (this.completions.snoozed) {
      return { icon: '$(bell-slash)', text: vscode.l10n.t('Completions are snoozed') };
    }
    if (this.told?.state === 'error') {
      return { icon: '$(warning)', text: this.told.message, background: 'statusBarItem.warningBackground' };
    }
    if (this.told?.state === 'off' || (language && !enabledFor(language))) {
      return { icon: '$(circle-slash)', text: vscode.l10n.t('Completions are off here') };
    }
    if (this.told?.state === 'warming' || this.told?.state === 'busy') {
      return { icon: '$(loading~spin)', text: this.told.message };
    }
    return { icon: '$(sparkle)', text: this.told?.message || vscode.l10n.t('Ready') };
  }

  async menu(): Promise<void> {
    const language = vscode.window.activeTextEditor?.document.languageId;
    const entry = (label: string, command: string, description = '') => ({ label, command, description });
    const entries = [
      entry(`$(comment-discussion) ${vscode.l10n.t('Chat')}`, 'lido.chat.open'),
      entry(`$(checklist) ${vscode.l10n.t('New Plan')}`, 'lido.plan.new'),
      this.completions.snoozed
        ? entry(`$(bell) ${vscode.l10n.t('End Snooze')}`, 'lido.wake')
        : entry(`$(bell-slash) ${vscode.l10n.t('Snooze Completions')}`, 'lido.snooze'),
      ...(language
        ? [
            entry(
              `$(code) ${enabledFor(language) ? vscode.l10n.t('Switch Off for {0}', language) : vscode.l10n.t('Switch On for {0}', language)}`,
              'lido.toggleLanguage',
            ),
          ]
        : []),
      entry(`$(graph) ${vscode.l10n.t('Metrics')}`, 'lido.metrics'),
      entry(`$(pulse) ${vscode.l10n.t('Doctor')}`, 'lido.doctor'),
      entry(`$(output) ${vscode.l10n.t('Show Log')}`, 'lido.showLog'),
      entry(`$(settings-gear) ${vscode.l10n.t('Settings')}`, 'settings'),
      entry(`$(debug-restart) ${vscode.l10n.t('Restart Server')}`, 'lido.restart'),
    ];
    const chosen = await vscode.window.showQuickPick(entries, { title: 'Lido', placeHolder: this.look().text });
    if (chosen?.command === 'settings') {
      await openSettings('@ext:lido.lido');
    } else if (chosen) {
      await vscode.commands.executeCommand(chosen.command);
    }
  }
}
