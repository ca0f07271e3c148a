/** One window at a time, when several are opened at once. No `vscode` here: tested as it is. */

import * as fs from 'node:fs/promises';

/** Milliseconds after which a holder's number may belong to another program. */
const STALE = 20 * 60_000;

/** Runs `work` while holding the lock file, which names its holder; that of a holder that died is taken over. */
export async function alone(
  file: string,
  token: { isCancellationRequested: boolean },
  work: () => Promise<void>,
  pause = 500,
): Promise<void> {
  while (!(await taken(file))) {
    if (token.isCancellationRequested) {
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
  try {
    await work();
  } finally {
    await fs.rm(file, { force: true });
  }
}

async function taken(file: string): Promise<boolean> {
  try {
    await fs.writeFile(file, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') {
      throw error;
    }
  }
  const holder = Number(await fs.readFile(file, 'utf8').catch(() => '0'));
  const since = (await fs.stat(file).catch(() => undefined))?.mtimeMs ?? Date.now();
  if ((holder && !alive(holder)) || Date.now() - since > STALE) {
    await fs.rm(file, { force: true });
  }
  return false;
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
