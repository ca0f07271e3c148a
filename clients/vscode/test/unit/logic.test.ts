import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, describe, test } from 'node:test';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Backoff } from '../../src/backoff';
import { alone } from '../../src/lock';
import { masked } from '../../src/mask';
import { home, isLocal } from '../../src/token';
import { candidates, compatible, enough, findPython, missingModel } from '../../src/python';

describe('secrets in the log', () => {
  for (const [text, expected] of [
    ['Authorization: Bearer abcdefgh12345678', 'Authorization: ***'],
    ['api_key = "s3cr3t-value"', 'api_key = "***"'],
    ['https://user:hunter22@example.com/v1', 'https://user:***@example.com/v1'],
    ['sk-abcdefghijklmnop in the text', '*** in the text'],
    ['"token": "abcdefgh12345678"', '"token": "***"'],
    ['an ordinary line of a log', 'an ordinary line of a log'],
  ] as const) {
    test(text, () => {
      assert.equal(masked(text), expected);
    });
  }
});

describe('the token of a server on TCP', () => {
  test('is looked for where the server keeps its files', () => {
    assert.equal(home({ LIDO_HOME: '/x' }, 'linux', '/home/ada'), '/x');
    assert.equal(home({}, 'linux', '/home/ada'), '/home/ada/.local/share/lido');
    assert.equal(home({ XDG_DATA_HOME: '/data' }, 'linux', '/home/ada'), '/data/lido');
    assert.equal(home({}, 'darwin', '/Users/ada'), '/Users/ada/Library/Application Support/lido');
    assert.equal(home({}, 'win32', 'C:\\Users\\ada'), 'C:\\Users\\ada\\AppData\\Local\\lido');
  });

  test('is shown to no other machine', () => {
    for (const address of ['127.0.0.1:7700', 'localhost:1', '127.1.2.3:9', '[::1]:5']) {
      assert.ok(isLocal(address), address);
    }
    for (const address of ['10.0.0.1:7700', 'localhost.example.com:1', '127.0.0.1.example.com:2', 'example.com:127']) {
      assert.ok(!isLocal(address), address);
    }
  });
});

describe('a server that dies', () => {
  test('is started again with growing pauses, and then left alone', () => {
    let now = 0;
    const backoff = new Backoff(() => now);
    assert.deepEqual([1, 2, 3, 4, 5, 6].map(() => backoff.next()), [0, 1000, 2000, 4000, 8000, undefined]);
    now += 180_001;
    assert.equal(backoff.next(), 0);
  });

  test('is started at once after a person asked', () => {
    const backoff = new Backoff(() => 0);
    backoff.next();
    backoff.next();
    backoff.reset();
    assert.equal(backoff.next(), 0);
  });
});

describe('finding a Python', () => {
  test('a configured one is the only one', () => {
    assert.deepEqual(candidates('/opt/python', 'linux'), [['/opt/python']]);
  });

  test('Windows has its launcher', () => {
    assert.deepEqual(candidates('', 'win32')[0], ['py', '-3.14']);
    assert.deepEqual(candidates('', 'linux').at(-2), ['python3']);
  });

  test('old versions are not enough', () => {
    assert.deepEqual(['3.11.0', '3.10.9', '4.0.0', '2.7.18', ''].map(enough), [true, false, true, false, false]);
  });

  test('what is not there is not found', async () => {
    assert.equal(await findPython('/nonexistent/python'), undefined);
  });

  test('versions that differ in their last number work together', () => {
    assert.ok(compatible('0.1.0', '0.1.9'));
    assert.ok(!compatible('0.2.0', '0.1.0'));
  });
});

test('the model that is missing is known from what the server says', () => {
  assert.equal(missingModel('It is not there. Fetch it: lido model pull qwen2.5-coder-1.5b'), 'qwen2.5-coder-1.5b');
  assert.equal(missingModel('Fetch it: lido model pull qwen2.5-coder-1.5b.'), 'qwen2.5-coder-1.5b');
  assert.equal(missingModel('http://127.0.0.1:9 cannot be reached'), undefined);
});

describe('several windows that set the server up at once', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'lido-lock-'));
  const file = path.join(folder, 'x.lock');
  const token = { isCancellationRequested: false };
  after(() => rmSync(folder, { recursive: true }));

  test('take turns', async () => {
    const said: string[] = [];
    const one = (name: string) =>
      alone(
        file,
        token,
        async () => {
          said.push(`${name} begins`);
          await new Promise((resolve) => setImmediate(resolve));
          said.push(`${name} ends`);
        },
        1,
      );
    await Promise.all([one('a'), one('b'), one('c')]);
    assert.equal(said.length, 6);
    for (let place = 0; place < 6; place += 2) {
      assert.equal(said[place]?.split(' ')[0], said[place + 1]?.split(' ')[0]);
    }
    assert.ok(!existsSync(file));
  });

  test('let go when the work fails', async () => {
    await assert.rejects(alone(file, token, () => Promise.reject(new Error('no'))), /no/);
    assert.ok(!existsSync(file));
  });

  test('take over from one that died', async () => {
    const child = spawnSync(process.execPath, ['-e', '0']);
    writeFileSync(file, String(child.pid));
    let worked = false;
    await alone(file, token, () => Promise.resolve(void (worked = true)), 1);
    assert.ok(worked);
  });

  test('a person who cancels does not wait', async () => {
    writeFileSync(file, String(process.pid));
    await alone(file, { isCancellationRequested: true }, () => assert.fail('worked'), 1);
    rmSync(file);
  });
});
