// `make try-vscode`: real VS Code (code-server) with the extension, the sample project and the embedded model.
import { execFileSync, spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const here = path.resolve(import.meta.dirname, '..');
const root = path.resolve(here, '../..');
const host = process.env.LIDO_VSCODE ?? path.join(root, '.cache', 'vscode-e2e');
const node = path.join(host, 'node_modules', 'node', 'bin', 'node');
const entry = path.join(host, 'node_modules', 'code-server', 'out', 'node', 'entry.js');
const port = process.env.PORT ?? '8765';

const home = mkdtempSync(path.join(tmpdir(), 'lido-try-'));
const project = path.join(home, 'sample');
cpSync(path.join(root, 'server', 'lido', 'sample'), project, { recursive: true });
const settings = {
  'lido.server.command': [path.join(root, '.venv', 'bin', 'lido'), 'serve'],
  'security.workspace.trust.enabled': false,
  'workbench.startupEditor': 'none',
};
for (const name of ['User', 'Machine']) {
  mkdirSync(path.join(home, 'data', name), { recursive: true });
  writeFileSync(path.join(home, 'data', name, 'settings.json'), JSON.stringify(settings));
}
const places = ['--user-data-dir', path.join(home, 'data'), '--extensions-dir', path.join(home, 'extensions')];
execFileSync(node, [entry, ...places, '--install-extension', path.join(here, 'lido.vsix')], { stdio: 'inherit' });
const address = `http://127.0.0.1:${port}/?folder=${encodeURIComponent(project)}`;
const server = spawn(node, [entry, ...places, '--auth', 'none', '--bind-addr', `127.0.0.1:${port}`, '--disable-telemetry', '--disable-update-check'], {
  stdio: ['ignore', 'ignore', 'inherit'],
});
console.log(`\nVS Code is at ${address}\nOpen basket.py and type; Ctrl+C here ends it.`);
spawn(process.platform === 'darwin' ? 'open' : 'xdg-open', [address], { stdio: 'ignore' }).on('error', () => undefined);
server.on('exit', () => rmSync(home, { recursive: true, force: true }));
process.on('SIGINT', () => server.kill());
process.on('SIGTERM', () => server.kill());
