import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Backoff } from '../../src/backoff';
import { masked } from '../../src/mask';
import { candidates, compatible, enough, findPython } from '../../src/python';

describe('secrets in the log', () => {
  for (const [text, expected] of [
    ['Authorization: Bearer abcdefgh12345678', 'Authorization: ***'],
    ['api_key = "s3cr3t-value"', 'api_key = "***"'],
    ['https://user:hunter22@example.com/v1', 'https://user:***@example.com/v1'],
    ['sk-abcdefghijklmnop in the text', '*** in the text'],
    ['an ordinary line of a log', 'an ordinary line of a log'],
  ] as const) {
    test(text, () => {
      assert.equal(masked(text), expected);
    });
  }
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
