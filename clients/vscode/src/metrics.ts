/** What was accepted and rejected, as a page without scripts. */

import * as vscode from 'vscode';
import type { Session } from './session';

type Row = Record<string, string | number | null>;

const TABLES = ['feature', 'language', 'model', 'day'] as const;

export async function showMetrics(session: Session): Promise<void> {
  const tables = await Promise.all(
    TABLES.map((by) => session.request('lido/metrics', { by: [by], since: '28d' })),
  );
  const panel = vscode.window.createWebviewPanel('lido.metrics', vscode.l10n.t('Lido Metrics'), vscode.ViewColumn.Active, {
    enableScripts: false,
    localResourceRoots: [],
  });
  panel.webview.html = page(TABLES.map((by, place) => ({ by, rows: (tables[place]?.rows ?? []) as Row[] })));
}

const columns = (): [string, string][] => [
  ['shown', vscode.l10n.t('Shown')],
  ['accepted', vscode.l10n.t('Accepted')],
  ['partially_accepted', vscode.l10n.t('In part')],
  ['rejected', vscode.l10n.t('Rejected')],
  ['acceptance_rate', vscode.l10n.t('Rate')],
  ['accepted_characters', vscode.l10n.t('Characters accepted')],
];

const titles = (): Record<string, string> => ({
  feature: vscode.l10n.t('By feature'),
  language: vscode.l10n.t('By language'),
  model: vscode.l10n.t('By model'),
  day: vscode.l10n.t('By day'),
});

/** The page's markup. Everything in it that is not ours is escaped. */
export function page(tables: { by: string; rows: Row[] }[]): string {
  const cell = (value: string | number | null | undefined, key: string): string => {
    if (value === null || value === undefined) {
      return '–';
    }
    return key === 'acceptance_rate' && typeof value === 'number' ? `${Math.round(value * 100)} %` : escaped(String(value));
  };
  const named = columns();
  const table = ({ by, rows }: { by: string; rows: Row[] }) => `<section><h2>${escaped(titles()[by] ?? by)}</h2>
<table><thead><tr><td></td>${named.map(([, title]) => `<th scope="col">${escaped(title)}</th>`).join('')}</tr></thead>
<tbody>${rows
    .map(
      (row) =>
        `<tr><th scope="row">${cell(row[by] || '–', by)}</th>${named.map(([key]) => `<td>${cell(row[key], key)}</td>`).join('')}</tr>`,
    )
    .join('')}</tbody></table></section>`;
  const some = tables.some(({ rows }) => rows.length);
  return `<!DOCTYPE html><html lang="${escaped(vscode.env.language)}"><head><meta charset="UTF-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Lido Metrics</title><style>
body { color: var(--vscode-foreground); font-family: var(--vscode-font-family); padding: 0 2em 2em; max-width: 60em; }
h2 { font-weight: 600; font-size: 1.1em; margin: 2em 0 0.5em; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: 0.35em 0.75em; border-bottom: 1px solid var(--vscode-widget-border, #8884); font-weight: 400; }
thead th { color: var(--vscode-descriptionForeground); }
tr > :first-child { text-align: left; }
</style></head><body><h1>${escaped(vscode.l10n.t('The last 28 days'))}</h1>
${some ? tables.map(table).join('\n') : `<p>${escaped(vscode.l10n.t('Nothing yet: accept or dismiss a few suggestions first.'))}</p>`}</body></html>`;
}

function escaped(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');
}
