import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Hedging, HedgingBook } from '../../src/routing/hedging.ts';
import { TimeHistogram } from '../../src/routing/time-histogram.ts';

/** What so many of 100 do not exceed. */
function exactPercentile(times: readonly number[], percent: number): number {
  const sorted = [...times].sort((a, b) => a - b);
  return sorted[Math.ceil((percent * sorted.length) / 100) - 1] ?? 0;
}

const anyTime = fc.oneof(
  fc.double({ min: 0, max: 3_000_000, noNaN: true }),
  fc.double({ min: 1, max: 2_000, noNaN: true }),
);
const anyTimes = fc.array(anyTime, { minLength: 1, maxLength: 900 });
const anyPercent = fc.integer({ min: 1, max: 99 });

/** Sums of logarithms are not exact at the end of a bucket. */
const ROUNDING = 1 + 1e-9;

test('a percentile is never too short, and at most 5 % and a millisecond too long', () => {
  fc.assert(
    fc.property(anyTimes, anyPercent, (times, percent) => {
      const histogram = new TimeHistogram();
      for (const ms of times) histogram.note(ms);
      const exact = exactPercentile(times, percent);
      const found = histogram.percentile(percent) ?? 0;
      assert.ok(found * ROUNDING >= exact, `${found} is less than ${exact}`);
      assert.ok(found <= Math.max(exact, 1) * 1.05 * ROUNDING, `${found} is much more than ${exact}`);
    }),
  );
});

test('what was long ago is forgotten: a percentile is that of some thousand newest times', () => {
  fc.assert(
    fc.property(anyTimes, anyTimes, anyPercent, (before, now, percent) => {
      const histogram = new TimeHistogram();
      for (const ms of before) histogram.note(ms);
      for (let seen = 0; seen < 12_000; seen++) histogram.note(now[seen % now.length] ?? 0);
      const found = histogram.percentile(percent) ?? 0;
      const [lowest, highest] = [Math.min(...now), Math.max(...now)];
      assert.ok(found * ROUNDING >= lowest && found <= Math.max(highest, 1) * 1.05 * ROUNDING);
      assert.ok(histogram.total <= 1_000);
    }),
    { numRuns: 20 },
  );
});

test('of nothing there is no percentile', () => {
  assert.equal(new TimeHistogram().percentile(95), undefined);
});

test('a call is waited for as long as its kind takes, once enough of that kind were seen', () => {
  const hedging = new Hedging({ percentile: 95, maxShare: 0.1 });
  for (let seen = 0; seen < 19; seen++) hedging.note(true, 100);
  assert.equal(hedging.delayMs(true), undefined);
  hedging.note(true, 100);
  const delayMs = hedging.delayMs(true) ?? assert.fail('it is known');
  assert.ok(delayMs >= 100 && delayMs <= 105);
  assert.equal(hedging.delayMs(false), undefined);
});

test('the slowest of a hundred are known when a hundred were seen', () => {
  const hedging = new Hedging({ percentile: 99, maxShare: 0.1 });
  for (let seen = 0; seen < 99; seen++) hedging.note(false, 1);
  assert.equal(hedging.delayMs(false), undefined);
  hedging.note(false, 1);
  assert.equal(hedging.delayMs(false), 1);
});

test('second attempts never are more than the share of the calls, and what is saved is bounded', () => {
  fc.assert(
    fc.property(
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.array(fc.boolean(), { maxLength: 500 }),
      (maxShare, wanted) => {
        const hedging = new Hedging({ percentile: 95, maxShare });
        let made = 0;
        wanted.forEach((wants, place) => {
          hedging.countCall();
          if (!wants || !hedging.mayHedge()) return;
          hedging.spend();
          made += 1;
          assert.ok(made <= (place + 1) * maxShare + 1e-6, `${made} of ${place + 1} at ${maxShare}`);
        });
      },
    ),
  );
  const hedging = new Hedging({ percentile: 95, maxShare: 1 });
  for (let calls = 0; calls < 1_000; calls++) hedging.countCall();
  let burst = 0;
  for (; hedging.mayHedge(); burst++) hedging.spend();
  assert.equal(burst, 10);
});

test('what a model has learned outlives a revision that leaves its options alone', () => {
  const book = new HedgingBook();
  const first = book.find('smart', { percentile: 95, maxShare: 0.1 });
  assert.equal(book.find('smart', { percentile: 95, maxShare: 0.1 }), first);
  assert.notEqual(book.find('other', { percentile: 95, maxShare: 0.1 }), first);
  assert.notEqual(book.find('smart', { percentile: 90, maxShare: 0.1 }), first);
});
