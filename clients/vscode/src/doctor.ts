import * as vscode from 'vscode';
import { section } from './configuration';
import { launch } from './server';
import type { Session } from './session';

/** Runs `lido doctor` with the server's own program, in a terminal. */
export async function runDoctor(context: vscode.ExtensionContext, session: Session): Promise<void> {
  const { command, args } = await launch(context, session.log);
  const before = args.slice(0, Math.max(0, args.indexOf('serve')));
  const cwd = vscode.workspace.workspaceFolders?.[0]?.uri;
  // A shell would end with the doctor, and its words with it.
  const terminal = vscode.window.createTerminal({
    name: 'Lido: Doctor',
    iconPath: new vscode.ThemeIcon('pulse'),
    env: { LIDO_EDITOR_SETTINGS: JSON.stringify(section()) },
    ...(cwd ? { cwd } : {}),
  });
  terminal.show();
  terminal.sendText([command, ...before, 'doctor'].map(quoted).join(' '));
}

/** One word of a command line, for any shell: what needs no quotes gets none. */
export function quoted(word: string): string {
  return /^[\w@%+=:,./\\-]+$/.test(word) ? word : process.platform === 'win32' ? `"${word}"` : `'${word.replace(/'/g, `'\\''`)}'`;
}
