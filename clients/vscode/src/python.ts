/** Finding a Python to set the server up with. No `vscode` here: tested as it is. */

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

export const minimum: readonly [number, number] = [3, 11];

export interface Python {
  /** Command and first arguments. */
  command: string[];
  version: string;
}

/** What to try, the likeliest first. */
export function candidates(configured: string, platform: NodeJS.Platform): string[][] {
  if (configured) {
    return [[configured]];
  }
  const versions = ['3.14', '3.13', '3.12', '3.11'];
  return platform === 'win32'
    ? [...versions.map((version) => ['py', `-${version}`]), ['python'], ['python3']]
    : [...versions.map((version) => [`python${version}`]), ['python3'], ['python']];
}

/** Whether a version such as "3.12.1" is new enough. */
export function enough(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > minimum[0] || (major === minimum[0] && minor >= minimum[1]);
}

/** The first candidate that runs, is new enough and can make environments. */
export async function findPython(configured: string, platform: NodeJS.Platform = process.platform): Promise<Python | undefined> {
  for (const command of candidates(configured, platform)) {
    const [program = '', ...rest] = command;
    try {
      const script = 'import sys, venv, ensurepip; print("%d.%d.%d" % sys.version_info[:3])';
      const { stdout } = await run(program, [...rest, '-c', script], { timeout: 10_000 });
      const version = stdout.trim();
      if (enough(version)) {
        return { command, version };
      }
    } catch {
      // not there, or broken: the next one
    }
  }
  return undefined;
}

export async function findUv(): Promise<string | undefined> {
  try {
    await run('uv', ['--version'], { timeout: 10_000 });
    return 'uv';
  } catch {
    return undefined;
  }
}

/** "1.2.3" as numbers, for comparing. */
export function compatible(server: string, extension: string): boolean {
  const [a, b] = [server, extension].map((version) => version.split('.').slice(0, 2).join('.'));
  return a === b;
}

/** The embedded model that a message of the server says to fetch. */
export function missingModel(message: string): string | undefined {
  return /lido model pull ([\w.-]*\w)/.exec(message)?.[1];
}
