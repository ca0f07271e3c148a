/** The server that the extension sets up for itself: a wheel in the extension, an environment in the global storage. */

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import * as vscode from 'vscode';
import { alone } from './lock';
import { findPython, findUv, type Python } from './python';

/** No way to start a server; `message` says what is missing to a person. */
export class NoServerError extends Error {}
export class NoPythonError extends NoServerError {}

export interface Launch {
  command: string;
  args: string[];
}

/** The command of the server, set up where it has to be. Raises NoServerError. */
export async function launch(context: vscode.ExtensionContext, log: vscode.LogOutputChannel): Promise<Launch> {
  const settings = vscode.workspace.getConfiguration('lido.server');
  const [command, ...args] = settings.get<string[]>('command', []);
  if (command) {
    return { command, args: args.length ? args : ['serve'] };
  }
  const bundle = path.join(context.extensionPath, 'server');
  const files = (await fs.readdir(bundle).catch(() => [] as string[])).sort();
  const wheel = files.find((file) => file.endsWith('.whl'));
  if (!wheel) {
    throw new NoServerError(vscode.l10n.t('This build of the extension has no server in it. Set "lido.server.command".'));
  }
  const lock = path.join(bundle, 'requirements.txt');
  const digest = createHash('sha256');
  for (const file of [path.join(bundle, wheel), lock]) {
    digest.update(await fs.readFile(file));
  }
  const home = path.join(context.globalStorageUri.fsPath, 'server', digest.digest('hex').slice(0, 16));
  const bin = process.platform === 'win32' ? path.join(home, 'Scripts') : path.join(home, 'bin');
  const python = path.join(bin, process.platform === 'win32' ? 'python.exe' : 'python');
  const ready = path.join(home, 'ready');
  if (!(await exists(ready))) {
    const found = await findPython(vscode.workspace.getConfiguration('lido.server').get('python', ''));
    if (!found && !(await findUv())) {
      throw new NoPythonError(vscode.l10n.t('Lido needs Python 3.11 or newer, or uv, to set up its server.'));
    }
    await fs.mkdir(path.dirname(home), { recursive: true });
    await vscode.window.withProgress(
      { location: vscode.ProgressLocation.Notification, title: vscode.l10n.t('Lido'), cancellable: true },
      (progress, token) => {
        progress.report({ message: vscode.l10n.t('waiting for another window…') });
        return alone(`${home}.lock`, token, async () => {
          if (!(await exists(ready))) {
            await install(home, python, path.join(bundle, wheel), lock, found, log, progress, token);
          }
        });
      },
    );
    if (!(await exists(ready))) {
      throw new NoServerError(vscode.l10n.t('Setting up the server was cancelled.'));
    }
  }
  // Other versions' environments go once nobody has started them for a while: another window may run one.
  await fs.writeFile(ready, new Date().toISOString());
  await removeOld(home);
  return { command: python, args: ['-m', 'lido', 'serve'] };
}

async function install(
  home: string,
  python: string,
  wheel: string,
  lock: string,
  found: Python | undefined,
  log: vscode.LogOutputChannel,
  progress: vscode.Progress<{ message: string }>,
  token: vscode.CancellationToken,
): Promise<void> {
  const run = (command: string, args: string[]) =>
    new Promise<void>((resolve, reject) => {
      log.info([command, ...args].join(' '));
      const child = execFile(command, args, { maxBuffer: 1 << 26 }, (error, stdout, stderr) => {
        log.debug(stdout);
        if (token.isCancellationRequested) {
          reject(new NoServerError(vscode.l10n.t('Setting up the server was cancelled.')));
        } else if (error) {
          log.error(stderr || error.message);
          const last = stderr.trim().split('\n').at(-1) ?? '';
          reject(new NoServerError(vscode.l10n.t('Setting up the server failed: {0}', last || error.message)));
        } else {
          resolve();
        }
      });
      token.onCancellationRequested(() => child.kill());
    });
  await fs.rm(home, { recursive: true, force: true }); // what an interrupted set-up left
  progress.report({ message: vscode.l10n.t('making an environment…') });
  if (found) {
    const [program = '', ...rest] = found.command;
    await run(program, [...rest, '-m', 'venv', home]);
  } else {
    await run('uv', ['venv', '--python', '>=3.11', home]);
  }
  const pip = found ? [python, '-m', 'pip', '--disable-pip-version-check'] : ['uv', 'pip'];
  const [program = '', ...rest] = pip;
  const target = found ? [] : ['--python', python];
  progress.report({ message: vscode.l10n.t('installing the server; this is done once…') });
  await run(program, [...rest, 'install', ...target, '-q', '--require-hashes', '-r', lock]);
  await run(program, [...rest, 'install', ...target, '-q', '--no-deps', wheel]);
  await fs.writeFile(path.join(home, 'ready'), new Date().toISOString());
}

const UNUSED = 14 * 24 * 3600 * 1000;

async function removeOld(home: string): Promise<void> {
  const parent = path.dirname(home);
  for (const name of await fs.readdir(parent)) {
    const used = await fs.stat(path.join(parent, name, 'ready')).catch(() => undefined);
    if (name !== path.basename(home) && used && Date.now() - used.mtimeMs > UNUSED) {
      await fs.rm(path.join(parent, name), { recursive: true, force: true }).catch(() => undefined);
    }
  }
}

async function exists(file: string): Promise<boolean> {
  return fs.access(file).then(
    () => true,
    () => false,
  );
}
