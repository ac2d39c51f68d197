import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { median, summarise, summariseRatios } from '../../../bench/measure/statistics.ts';

test('the median is the middle value, and the mean of the middle two where there are two', () => {
  assert.equal(median([7]), 7);
  assert.equal(median([9, 1, 5]), 5);
  assert.equal(median([10, 1, 4, 2]), 3);
});

test('numbers are ordered as numbers', () => {
  assert.equal(median([10, 9, 100]), 10);
});

test('one wild round does not move the median of three', () => {
  assert.equal(median([60, 61, 9_000]), 61);
});

test('nothing has no median', () => {
  assert.throws(() => median([]), /no values/);
});

test('as many values lie below the median as above, whatever the values', () => {
  const values = fc.array(fc.integer({ min: -1_000_000, max: 1_000_000 }), { minLength: 1 });
  fc.assert(
    fc.property(values, (list) => {
      const middle = median(list);
      const half = list.length / 2;
      assert.ok(list.filter((value) => value < middle).length <= half);
      assert.ok(list.filter((value) => value > middle).length <= half);
    }),
  );
});

test('the list that was given is left in its order', () => {
  const rounds = [3, 1, 2];
  median(rounds);
  assert.deepEqual(rounds, [3, 1, 2]);
});

test('a summary names median, lowest and highest', () => {
  assert.deepEqual(summarise([4, 2, 9]), { median: 4, min: 2, max: 9 });
});

test('ratios are taken round by round, so a slow moment that hit both does not count', () => {
  assert.deepEqual(summariseRatios([60, 600, 66], [20, 200, 22]), { median: 3, min: 3, max: 3 });
});

test('series of different length cannot be paired', () => {
  assert.throws(() => summariseRatios([1, 2], [1]), /cannot pair 2 rounds with 1/);
});
