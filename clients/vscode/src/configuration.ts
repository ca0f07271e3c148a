/** What the server is told of the editor's settings: what a person set, not VS Code's defaults, which would hide
 * what stands in Lido's own configuration file. */

import * as vscode from 'vscode';

/** Settings of the extension itself. */
const OWN = new Set(['server', 'trace', 'nextEdit']);
/** A repository's `.vscode/settings.json` is the repository's word: it may switch off and ignore, no more. */
const NARROWING = new Set(['completion.enabled', 'completion.languages', 'completion.max_lines', 'completion.debounce_ms', 'privacy.ignore']);

export function section(resource?: vscode.Uri): Record<string, unknown> {
  const all = vscode.workspace.getConfiguration('lido', resource);
  const found: Record<string, Record<string, unknown>> = {};
  for (const key of keys()) {
    const [table = '', name] = key.split('.', 2);
    const said = all.inspect(key);
    const narrowing = NARROWING.has(key) || key === 'plan.test_command';
    const value = (narrowing ? (said?.workspaceFolderValue ?? said?.workspaceValue) : undefined) ?? said?.globalValue;
    if (OWN.has(table) || value === undefined) {
      continue;
    }
    if (name) {
      (found[table] ??= {})[name] = value;
    } else {
      found[table] = value as Record<string, unknown>;
    }
  }
  return found;
}

function keys(): string[] {
  const manifest = vscode.extensions.getExtension('lido.lido')?.packageJSON as
    | { contributes: { configuration: { properties: Record<string, unknown> } } }
    | undefined;
  return Object.keys(manifest?.contributes.configuration.properties ?? {}).map((key) => key.slice('lido.'.length));
}

/** Opens the settings where the machine's are: in a remote window those have a page of their own. */
export async function openSettings(query: string): Promise<void> {
  const where = vscode.env.remoteName ? 'openRemoteSettings' : 'openSettings';
  await vscode.commands.executeCommand(`workbench.action.${where}`, { query });
}
