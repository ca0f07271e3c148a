// Puts the server into the extension: its wheel, and the hashes of everything it needs.
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';

const here = path.resolve(import.meta.dirname, '..');
const root = path.resolve(here, '../..');
const out = path.join(here, 'server');
const venv = path.join(root, '.venv', process.platform === 'win32' ? 'Scripts' : 'bin', 'python');

rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
execFileSync(existsSync(venv) ? venv : 'python3', ['-m', 'pip', 'wheel', '-q', '--no-deps', '--no-build-isolation', '-w', out, root], { stdio: 'inherit' });
copyFileSync(path.join(root, 'locks', 'run.txt'), path.join(out, 'requirements.txt'));
for (const file of ['LICENSE', 'NOTICE']) {
  copyFileSync(path.join(root, file), path.join(here, file));
}
