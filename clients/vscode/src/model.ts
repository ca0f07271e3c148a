/** The embedded model is large: it is fetched when a person says so. */

import * as vscode from 'vscode';
import { openSettings } from './configuration';
import { missingModel } from './python';
import type { Session } from './session';

/** Offers, once, to fetch the model that the server misses. */
export function offerModel(session: Session, fetch: (name: string) => Promise<void>): vscode.Disposable {
  let offered = false;
  const offer = async (name: string): Promise<void> => {
    const get = vscode.l10n.t('Fetch Model');
    const other = vscode.l10n.t('Use Another Model');
    const text = vscode.l10n.t('Lido: the model {0} is not on this machine yet. Fetch it once (0.5 to 2 GB), or use a server of yours.', name);
    const chosen = await vscode.window.showInformationMessage(text, get, other);
    if (chosen === get) {
      await fetch(name);
    } else if (chosen === other) {
      await openSettings('@ext:lido.lido lido.models');
    }
  };
  return session.onNotification('lido/status', ({ state, message }) => {
    const name = state === 'error' ? missingModel(message) : undefined;
    if (name && !offered) {
      offered = true;
      void offer(name);
    }
  });
}
