import * as vscode from 'vscode';
import { section } from './configuration';
import { launch } from './server';
import type { Session } from './session';

/** Runs the server's own program with other words, such as `doctor`, in a terminal. */
export async function runInTerminal(context: vscode.ExtensionContext, session: Session, title: string, ...words: string[]): Promise<void> {
  const { command, args } = await launch(context, session.log);
  const before = args.slice(0, Math.max(0, args.indexOf('serve')));
  const cwd = vscode.workspace.workspaceFolders?.[0]?.uri;
  // Without a shell the terminal would end with the program, and its words with it.
  const terminal = vscode.window.createTerminal({
    name: `Lido: ${title}`,
    iconPath: new vscode.ThemeIcon('sparkle'),
    env: { LIDO_EDITOR_SETTINGS: JSON.stringify(section()) },
    ...(cwd ? { cwd } : {}),
  });
  terminal.show();
  terminal.sendText([command, ...before, ...words].map(quoted).join(' '));
}

/** One word of a command line, for any shell: what needs no quotes gets none. */
export function quoted(word: string): string {
  return /^[\w@%+=:,./\\-]+$/.test(word) ? word : process.platform === 'win32' ? `"${word}"` : `'${word.replace(/'/g, `'\\''`)}'`;
}
