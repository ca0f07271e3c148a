/** The server that the extension sets up for itself: a wheel in the extension, an environment in the global storage. */

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import * as vscode from 'vscode';
import { findPython, findUv } from './python';

/** No way to start a server; `message` says what is missing to a person. */
export class NoServerError extends Error {}

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
  if (!(await exists(path.join(home, 'ready')))) {
    await vscode.window.withProgress(
      { location: vscode.ProgressLocation.Notification, title: vscode.l10n.t('Lido'), cancellable: true },
      (progress, token) => install(home, python, path.join(bundle, wheel), lock, log, progress, token),
    );
  }
  return { command: python, args: ['-m', 'lido', 'serve'] };
}

async function install(
  home: string,
  python: string,
  wheel: string,
  lock: string,
  log: vscode.LogOutputChannel,
  progress: vscode.Progress<{ message: string }>,
  token: vscode.CancellationToken,
): Promise<void> {
  const found = await findPython(vscode.workspace.getConfiguration('lido.server').get('python', ''));
  const uv = found ? undefined : await findUv();
  if (!found && !uv) {
    throw new NoServerError(vscode.l10n.t('Lido needs Python 3.11 or newer, or uv, to set up its server.'));
  }
  const run = (command: string, args: string[]) =>
    new Promise<void>((resolve, reject) => {
      log.info([command, ...args].join(' '));
      const child = execFile(command, args, { maxBuffer: 1 << 26 }, (error, stdout, stderr) => {
        log.debug(stdout);
        if (error) {
          log.error(stderr || error.message);
          const last = stderr.trim().split('\n').at(-1) ?? '';
          reject(new NoServerError(vscode.l10n.t('Setting up the server failed: {0}', last || error.message)));
        } else {
          resolve();
        }
      });
      token.onCancellationRequested(() => child.kill());
    });
  await fs.rm(home, { recursive: true, force: true });
  await fs.mkdir(path.dirname(home), { recursive: true });
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
  await removeOthers(home);
}

/** Environments of earlier versions. */
async function removeOthers(home: string): Promise<void> {
  const parent = path.dirname(home);
  for (const name of await fs.readdir(parent)) {
    if (name !== path.basename(home)) {
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
