/** Ghost text: what the language client does, plus switching off, snoozing and saying what was dismissed. */

import * as vscode from 'vscode';
import type { Session } from './session';

/** Milliseconds after which a suggestion that still stands there counts as shown: a blink. */
const SEEN = 150;

export class Completions implements vscode.Disposable {
  private until = 0;
  private timer: NodeJS.Timeout | undefined;
  private last: string | undefined;
  private shown: string | undefined;
  private readonly changed = new vscode.EventEmitter<void>();
  readonly onSnooze = this.changed.event;

  constructor(private readonly session: Session) {
    session.use({
      provideInlineCompletionItems: async (document, position, context, token, next) => {
        const invoked = context.triggerKind === vscode.InlineCompletionTriggerKind.Invoke;
        if (this.snoozed && !invoked) {
          return [];
        }
        if (this.session.state !== 'running') {
          return [];
        }
        const found = await next(document, position, context, token);
        const items = Array.isArray(found) ? found : (found?.items ?? []);
        const id = items[0]?.command?.arguments?.[0] as string | undefined;
        if (!token.isCancellationRequested) {
          this.last = id;
          const version = document.version;
          setTimeout(() => {
            // The same one comes again while a person types what it says.
            if (id && id !== this.shown && !token.isCancellationRequested && document.version === version) {
              this.shown = id;
              this.session.notify('lido/completion/shown', { id });
            }
          }, SEEN);
        }
        return found;
      },
    });
  }

  dispose(): void {
    clearTimeout(this.timer);
    this.changed.dispose();
  }

  get snoozed(): boolean {
    return Date.now() < this.until;
  }

  /** Minutes; 0 wakes. */
  snooze(minutes: number): void {
    clearTimeout(this.timer);
    this.until = minutes ? Date.now() + minutes * 60_000 : 0;
    this.timer = minutes ? setTimeout(() => this.snooze(0), minutes * 60_000) : undefined;
    void vscode.commands.executeCommand('setContext', 'lido.snoozed', minutes > 0);
    this.changed.fire();
  }

  async askSnooze(): Promise<void> {
    const choices = [5, 15, 30, 60].map((minutes) => ({ label: vscode.l10n.t('{0} minutes', minutes), minutes }));
    const chosen = await vscode.window.showQuickPick(choices, { placeHolder: vscode.l10n.t('No completions for…') });
    if (chosen) {
      this.snooze(chosen.minutes);
    }
  }

  async dismiss(): Promise<void> {
    await vscode.commands.executeCommand('editor.action.inlineSuggest.hide');
    if (this.last) {
      this.session.notify('lido/completion/dismissed', { id: this.last, reason: 'escape' });
      this.last = undefined;
    }
  }

  async trigger(): Promise<void> {
    await vscode.commands.executeCommand('editor.action.inlineSuggest.trigger');
  }
}

/** Whether completions are on for the language, as a person set it. */
export function enabledFor(language: string): boolean {
  const settings = vscode.workspace.getConfiguration('lido.completion');
  return settings.get('enabled', true) && (settings.get<Record<string, boolean>>('languages', {})[language] ?? true);
}

export async function toggleLanguage(): Promise<void> {
  const language = vscode.window.activeTextEditor?.document.languageId;
  if (!language) {
    return;
  }
  const settings = vscode.workspace.getConfiguration('lido.completion');
  const languages = { ...settings.get<Record<string, boolean>>('languages', {}) };
  languages[language] = !(languages[language] ?? true);
  await settings.update('languages', languages, vscode.ConfigurationTarget.Global);
}
