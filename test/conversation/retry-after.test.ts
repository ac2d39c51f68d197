import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readAmount, readRetryAfter } from '../../src/conversation/retry-after.ts';

const NOW = Date.parse('2027-01-31T12:00:00Z');

const HEADERS: [header: unknown, ms: number | undefined][] = [
  ['0', 0],
  ['30', 30_000],
  ['0.5', 500],
  ['Sun, 31 Jan 2027 12:00:10 GMT', 10_000],
  // Past, by our clock or theirs: nothing is known of when to come again.
  ['Sun, 31 Jan 2027 11:00:00 GMT', undefined],
  [['Sun, 31 Jan 2027 11:00:00 GMT', 'Sun, 31 Jan 2027 12:00:10 GMT'], 10_000],
  ['Sunday, 31-Jan-27 12:00:10 GMT', 10_000],
  // What `Date.parse` takes for a date, and is none.
  ['-1', undefined],
  ['+3000', undefined],
  ['soon', undefined],
  ['', undefined],
  ['12345678901', 12_345_678_901_000],
  ['9'.repeat(16), undefined],
  [['30', '40'], 40_000],
  ['30, 30', 30_000],
  ['30, soon', undefined],
  [['Sun, 31 Jan 2027 12:00:10 GMT', 'Sun, 31 Jan 2027 12:00:20 GMT'], 20_000],
  [[], undefined],
  [null, undefined],
  [undefined, undefined],
];

test('`retry-after` is seconds or a date, of several the longest', () => {
  for (const [header, ms] of HEADERS) assert.equal(readRetryAfter(header, NOW), ms, String(header));
});

test('an amount is digits, with or without a fraction', () => {
  assert.deepEqual(['250', '0.5', '-1', '1e3', ' 1', undefined].map(readAmount), [
    ...[250, 0.5],
    ...Array(4).fill(undefined),
  ]);
});
