/** What people point at: from the editor to attachments, and attachments as people see them. */

import * as vscode from 'vscode';
import type { Attachment, Range } from '../generated/messages';
import type { Chip, Suggestion } from './protocol';

const excluded = '**/{node_modules,.git,.venv,venv,__pycache__,dist,target,out}/**';

/** An attachment with a label, an icon and a tooltip. */
export function chip(attachment: Attachment): Chip {
  const uri = attachment.uri ? vscode.Uri.parse(attachment.uri) : undefined;
  const path = uri ? vscode.workspace.asRelativePath(uri) : '';
  const base = uri?.path.split('/').at(-1) ?? '';
  const named = attachment.name ?? '';
  switch (attachment.kind) {
    case 'file':
      return { attachment, label: base, icon: 'file', title: path };
    case 'selection': {
      const lines = attachment.range ? lineNumbers(attachment.range) : '';
      return { attachment, label: `${base}:${lines}`, icon: 'list-selection', title: vscode.l10n.t('{0}, lines {1}', path, lines) };
    }
    case 'folder':
      return { attachment, label: base || vscode.l10n.t('workspace'), icon: 'folder', title: path };
    case 'symbol':
      return { attachment, label: named, icon: 'symbol-method', title: path || named };
    case 'diagnostics':
      return { attachment, label: named || vscode.l10n.t('Problems'), icon: 'warning', title: attachment.text ?? '' };
    case 'diff':
      return { attachment, label: vscode.l10n.t('Git changes'), icon: 'git-compare', title: vscode.l10n.t('Uncommitted changes') };
    case 'workspace':
      return { attachment, label: vscode.l10n.t('Workspace'), icon: 'search', title: vscode.l10n.t('The passages of the workspace that suit the question best') };
    case 'output':
      return { attachment, label: named || vscode.l10n.t('Output'), icon: 'output', title: named };
  }
}

/** Lines from 1, as people count them. */
export function lineNumbers(range: Range): string {
  const first = range.start.line + 1;
  const last = Math.max(first, range.end.line + (range.end.character > 0 ? 1 : 0));
  return first === last ? String(first) : `${first}-${last}`;
}

function ofRange(range: vscode.Range): Range {
  return {
    start: { line: range.start.line, character: range.start.character },
    end: { line: range.end.line, character: range.end.character },
  };
}

/** The selection, or nothing where nothing is selected. */
export function selection(editor = vscode.window.activeTextEditor): Attachment | undefined {
  if (!editor || editor.selection.isEmpty || !attachable(editor.document)) {
    return undefined;
  }
  return { kind: 'selection', uri: editor.document.uri.toString(), range: ofRange(editor.selection) };
}

/** The active file. */
export function file(editor = vscode.window.activeTextEditor): Attachment | undefined {
  return editor && attachable(editor.document) ? { kind: 'file', uri: editor.document.uri.toString() } : undefined;
}

function attachable(document: vscode.TextDocument): boolean {
  return ['file', 'untitled', 'vscode-remote'].includes(document.uri.scheme);
}

/** The problems of a file, or of all files; undefined where there are none. */
export function diagnostics(uri?: vscode.Uri): Attachment | undefined {
  const words = [vscode.l10n.t('error'), vscode.l10n.t('warning'), vscode.l10n.t('information'), vscode.l10n.t('hint')];
  const all = uri ? [[uri, vscode.languages.getDiagnostics(uri)] as const] : vscode.languages.getDiagnostics();
  const lines = all.flatMap(([where, found]) =>
    found.map(
      (each) =>
        `${vscode.workspace.asRelativePath(where)}:${each.range.start.line + 1}: ${words[each.severity]}: ${each.message}`,
    ),
  );
  return lines.length ? { kind: 'diagnostics', name: vscode.l10n.t('Problems ({0})', lines.length), text: lines.join('\n') } : undefined;
}

/** Attachments for files and folders that were dropped or picked. */
export async function ofUris(uris: readonly vscode.Uri[]): Promise<Attachment[]> {
  const found: Attachment[] = [];
  for (const uri of uris) {
    try {
      const { type } = await vscode.workspace.fs.stat(uri);
      found.push({ kind: type & vscode.FileType.Directory ? 'folder' : 'file', uri: uri.toString() });
    } catch {
      void vscode.window.showWarningMessage(vscode.l10n.t('Lido cannot read {0}.', uri.fsPath));
    }
  }
  return found;
}

/** What `@query` may mean: kinds first, then open and other files, folders and symbols by name. */
export async function suggest(query: string, token: vscode.CancellationToken): Promise<Suggestion[]> {
  const wanted = query.toLowerCase();
  const kinds: Suggestion[] = [
    { label: 'file', detail: vscode.l10n.t('A file…'), icon: 'file', kind: 'file' },
    { label: 'selection', detail: vscode.l10n.t('What is selected in the editor'), icon: 'list-selection', kind: 'selection' },
    { label: 'symbol', detail: vscode.l10n.t('A function, class or other definition…'), icon: 'symbol-method', kind: 'symbol' },
    { label: 'folder', detail: vscode.l10n.t('The names of a folder’s files…'), icon: 'folder', kind: 'folder' },
    { label: 'diagnostics', detail: vscode.l10n.t('Problems of the active file, or of all'), icon: 'warning', kind: 'diagnostics' },
    { label: 'diff', detail: vscode.l10n.t('Uncommitted changes'), icon: 'git-compare', kind: 'diff' },
    { label: 'workspace', detail: vscode.l10n.t('Search the workspace for the question'), icon: 'search', kind: 'workspace' },
  ];
  const found = kinds.filter((kind) => kind.label.startsWith(wanted));
  const open = vscode.window.tabGroups.all
    .flatMap((group) => group.tabs)
    .map((tab) => (tab.input instanceof vscode.TabInputText ? tab.input.uri : undefined))
    .filter((uri): uri is vscode.Uri => uri?.scheme === 'file' && uri.path.toLowerCase().includes(wanted));
  const others = wanted
    ? await vscode.workspace.findFiles(`**/*${glob(query)}*`, excluded, 20, token)
    : [];
  const seen = new Set<string>();
  for (const uri of [...open, ...others]) {
    if (!seen.has(uri.toString())) {
      seen.add(uri.toString());
      const it = chip({ kind: 'file', uri: uri.toString() });
      found.push({ label: it.label, detail: it.title, icon: 'file', chip: it });
    }
  }
  if (wanted.length > 1 && !token.isCancellationRequested) {
    for (const symbol of (await symbols(query)).slice(0, 10)) {
      found.push({ label: symbol.name, detail: vscode.workspace.asRelativePath(symbol.location.uri), icon: 'symbol-method', chip: ofSymbol(symbol) });
    }
  }
  return found.slice(0, 30);
}

/** A name with no meaning as a glob, any letter case. */
export function glob(name: string): string {
  return name.replace(/[\\{}[\]*?!,]/g, '?').replace(/[a-z]/gi, (letter) => `[${letter.toLowerCase()}${letter.toUpperCase()}]`);
}

async function symbols(query: string): Promise<vscode.SymbolInformation[]> {
  const found = await vscode.commands.executeCommand<vscode.SymbolInformation[] | undefined>('vscode.executeWorkspaceSymbolProvider', query);
  return found ?? [];
}

function ofSymbol(symbol: vscode.SymbolInformation): Chip {
  const { uri } = symbol.location;
  let { range } = symbol.location;
  if (range.isSingleLine) {
    // Only the name's place is known: what follows it is the definition, and the server cuts what is too much.
    range = new vscode.Range(range.start.line, 0, range.start.line + 60, 0);
  }
  return chip({ kind: 'symbol', name: symbol.name, uri: uri.toString(), range: ofRange(range) });
}

/** Asks for the particulars of a kind, as Quick Open does; undefined where the person thinks better of it. */
export async function pick(kind: NonNullable<Suggestion['kind']>): Promise<Chip | undefined> {
  const active = vscode.window.activeTextEditor ?? vscode.window.visibleTextEditors[0];
  switch (kind) {
    case 'selection': {
      const found = selection(active);
      if (!found) {
        void vscode.window.showInformationMessage(vscode.l10n.t('Nothing is selected in the editor.'));
      }
      return found && chip(found);
    }
    case 'diff':
    case 'workspace':
      return chip({ kind });
    case 'diagnostics': {
      const found = (active && diagnostics(active.document.uri)) ?? diagnostics();
      if (!found) {
        void vscode.window.showInformationMessage(vscode.l10n.t('There are no problems.'));
      }
      return found && chip(found);
    }
    case 'file':
    case 'folder':
      return pickPath(kind);
    case 'symbol':
      return pickSymbol();
  }
}

async function pickPath(kind: 'file' | 'folder'): Promise<Chip | undefined> {
  const files = await vscode.workspace.findFiles('**/*', excluded, 5000);
  const uris =
    kind === 'file'
      ? files
      : [...new Map(files.map((uri) => vscode.Uri.joinPath(uri, '..')).map((uri) => [uri.toString(), uri])).values()];
  const items = uris
    .map((uri) => ({ label: vscode.workspace.asRelativePath(uri), uri }))
    .sort((a, b) => a.label.localeCompare(b.label));
  const placeHolder = kind === 'file' ? vscode.l10n.t('Attach a file') : vscode.l10n.t('Attach the names of a folder’s files');
  const picked = await vscode.window.showQuickPick(items, { placeHolder });
  return picked && chip({ kind, uri: picked.uri.toString() });
}

async function pickSymbol(): Promise<Chip | undefined> {
  const name = await vscode.window.showInputBox({ prompt: vscode.l10n.t('Name of a function, class or other definition'), placeHolder: 'parse_date' });
  if (!name) {
    return undefined;
  }
  const found = (await symbols(name)).filter((symbol) => symbol.name.replace(/\(.*/, '') === name);
  // Where no language server knows the name, Lido looks for its definition.
  return found[0] ? ofSymbol(found[0]) : chip({ kind: 'symbol', name });
}
