/** The page of a web view: scripts with a nonce, nothing from elsewhere. */

import { randomBytes } from 'node:crypto';
import * as vscode from 'vscode';

/** `name` is the script's in dist and the style sheet's in media; `body` is markup of our own, never a model's
 * or a file's. */
export function page(webview: vscode.Webview, extension: vscode.Uri, name: string, title: string, strings: Record<string, string>): string {
  const nonce = randomBytes(16).toString('base64');
  const from = (...path: string[]) => webview.asWebviewUri(vscode.Uri.joinPath(extension, ...path)).toString();
  const policy = [
    "default-src 'none'",
    `style-src ${webview.cspSource}`,
    `font-src ${webview.cspSource}`,
    `img-src ${webview.cspSource}`,
    `script-src 'nonce-${nonce}'`,
  ].join('; ');
  return `<!DOCTYPE html>
<html lang="${vscode.env.language}">
<head>
<meta charset="UTF-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title)}</title>
<link rel="stylesheet" href="${from('dist', 'codicon.css')}">
<link rel="stylesheet" href="${from('media', 'view.css')}">
</head>
<body data-strings="${escaped(JSON.stringify(strings))}">
<script nonce="${nonce}" src="${from('dist', `${name}.js`)}"></script>
</body>
</html>`;
}

export function options(extension: vscode.Uri): vscode.WebviewOptions {
  return {
    enableScripts: true,
    localResourceRoots: [vscode.Uri.joinPath(extension, 'dist'), vscode.Uri.joinPath(extension, 'media')],
  };
}

function escaped(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/"/g, '&quot;');
}
