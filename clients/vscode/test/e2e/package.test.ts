import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';

const packed = path.join(import.meta.dirname, '../../lido.vsix');

describe('the package', () => {
  let folder: string;
  let names: string[];

  before(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'lido-vsix-'));
    execFileSync('python3', ['-m', 'zipfile', '-e', packed, folder]);
    names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  });
  after(() => {
    rmSync(folder, { recursive: true });
  });

  test('has the server with it and is under 15 MB', () => {
    assert.ok(names.some((name) => /^extension\/server\/lido_lsp-.*\.whl$/.test(name)), names.join('\n'));
    assert.ok(statSync(packed).size < 15e6);
  });

  test('has no source maps, sources, tests or secrets in it', () => {
    const wrong = names.filter((name) => /\.map$|\.tsx?$|(^|\/)(test|src|node_modules)(\/|$)|\.env|\.pem$|\.key$|\.npmrc/.test(name));
    assert.deepEqual(wrong, []);
    for (const name of names.filter((each) => each.endsWith('.js'))) {
      const text = readFileSync(path.join(folder, name), 'utf8');
      assert.doesNotMatch(text, /sourceMappingURL=|BEGIN [A-Z ]*PRIVATE KEY/, name);
    }
  });
});
