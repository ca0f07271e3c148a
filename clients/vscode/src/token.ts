/** The token that a server on TCP wants: of the environment, of the file that it wrote, or as the person entered it. */

import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import * as path from 'node:path';
import type * as vscode from 'vscode';

const secret = (address: string) => `lido.server.token ${address}`;

/** `LIDO_HOME`, else the platform's data directory, as the server finds it. */
export function home(environment: NodeJS.ProcessEnv, platform: NodeJS.Platform, user = homedir()): string {
  if (environment.LIDO_HOME) {
    return environment.LIDO_HOME;
  }
  switch (platform) {
    case 'win32':
      return path.win32.join(environment.LOCALAPPDATA ?? path.win32.join(user, 'AppData', 'Local'), 'lido');
    case 'darwin':
      return path.posix.join(user, 'Library', 'Application Support', 'lido');
    default:
      return path.posix.join(environment.XDG_DATA_HOME || path.posix.join(user, '.local', 'share'), 'lido');
  }
}

/** Whether only this machine is meant: no other one is shown a token from a file of this one. */
export function isLocal(address: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|\[?::1\]?):\d+$/.test(address);
}

/** The token for `address`, undefined where none is known. */
export async function tokenFor(address: string, secrets: vscode.SecretStorage): Promise<string | undefined> {
  const entered = await secrets.get(secret(address));
  if (entered || !isLocal(address)) {
    return entered;
  }
  if (process.env.LIDO_SERVE_TOKEN) {
    return process.env.LIDO_SERVE_TOKEN;
  }
  const port = address.slice(address.lastIndexOf(':') + 1);
  try {
    return (await readFile(path.join(home(process.env, process.platform), 'serve', `${port}.token`), 'utf8')).trim();
  } catch {
    return undefined;
  }
}

/** Keeps what the person entered, where the system keeps secrets; "" forgets it. */
export async function keepToken(address: string, token: string, secrets: vscode.SecretStorage): Promise<void> {
  await (token ? secrets.store(secret(address), token) : secrets.delete(secret(address)));
}
