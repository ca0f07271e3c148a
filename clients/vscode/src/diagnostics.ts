/** What the editor reports of files, for an agent that asks. */

import * as vscode from 'vscode';
import type { DiagnosticsQuery, FileDiagnostic } from './generated/messages';

const severities: Record<vscode.DiagnosticSeverity, FileDiagnostic['severity']> = {
  [vscode.DiagnosticSeverity.Error]: 'error',
  [vscode.DiagnosticSeverity.Warning]: 'warning',
  [vscode.DiagnosticSeverity.Information]: 'information',
  [vscode.DiagnosticSeverity.Hint]: 'hint',
};

/** More are of no use to a model. */
const MOST = 500;

export function diagnostics({ uri }: DiagnosticsQuery): FileDiagnostic[] {
  const wanted = uri ? vscode.Uri.parse(uri) : undefined;
  const files = wanted ? [[wanted, vscode.languages.getDiagnostics(wanted)] as const] : vscode.languages.getDiagnostics();
  return files
    .flatMap(([file, found]) =>
      found.map(({ range, severity, message }) => ({
        uri: file.toString(),
        line: range.start.line,
        severity: severities[severity],
        message,
      })),
    )
    .sort((a, b) => Object.values(severities).indexOf(a.severity) - Object.values(severities).indexOf(b.severity))
    .slice(0, MOST);
}
