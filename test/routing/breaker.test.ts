import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Breaker, type BreakerState, DEAF_MS, DEFAULT_BREAKER } from '../../src/routing/breaker.ts';

function startBreaker(options = {}) {
  const changes: BreakerState[] = [];
  const breaker = new Breaker({ ...DEFAULT_BREAKER, ...options }, (state) => changes.push(state));
  return { breaker, changes };
}

test('a share of failures within the window opens it, fewer calls than the least never do', () => {
  const { breaker } = startBreaker({ errorRate: 0.5, minCalls: 8 });
  for (let call = 0; call < 7; call++) {
    if (call % 2) breaker.succeed(1000);
    else breaker.fail(1000, false);
  }
  assert.equal(breaker.state, 'closed');
  breaker.succeed(1000);
  assert.equal(breaker.state, 'closed', 'a success opens nothing');
  breaker.fail(1000, false);
  assert.equal(breaker.state, 'open');
});

test('what is older than the window does not count', () => {
  const { breaker } = startBreaker({ minCalls: 4, errorRate: 0.5 });
  for (let failure = 0; failure < 3; failure++) breaker.fail(1000, false);
  breaker.succeed(12_000);
  assert.deepEqual(breaker.counts(12_000), { calls: 1, failures: 0 });
  breaker.fail(12_000, false);
  assert.equal(breaker.state, 'closed');
});

test('failures in a row open it, however long they take to come', () => {
  const { breaker, changes } = startBreaker();
  for (let failure = 1; failure <= 5; failure++) {
    assert.equal(breaker.state, 'closed');
    breaker.fail(failure * 60_000, false);
  }
  assert.deepEqual(changes, ['open']);
});

test('an open one lets one attempt through when its time is up, and closes when that goes well', () => {
  const { breaker, changes } = startBreaker();
  for (let failure = 0; failure < 5; failure++) breaker.fail(0, false);
  assert.equal(breaker.mayTry(1_999), false);
  assert.equal(breaker.mayTry(2_000), true);
  breaker.begin(2_000);
  assert.equal(breaker.mayTry(2_000), false, 'a second probe');
  breaker.succeed(2_100, 2_000);
  assert.equal(breaker.mayTry(2_100), true);
  assert.deepEqual(changes, ['open', 'half-open', 'closed']);
  assert.deepEqual(breaker.counts(2_100), { calls: 0, failures: 0 });
});

test('a probe that fails opens it again; one that took a time-out to fail for twice as long', () => {
  const { breaker } = startBreaker();
  for (let failure = 0; failure < 5; failure++) breaker.fail(0, false);
  breaker.begin(2_000);
  breaker.fail(2_000, false, 2_000);
  assert.equal(breaker.opensUntil, 4_000);
  breaker.begin(4_000);
  breaker.fail(10_000, true, 4_000);
  assert.equal(breaker.opensUntil, 14_000);
});

test('a probe that says nothing leaves the breaker to the next', () => {
  const { breaker } = startBreaker();
  for (let failure = 0; failure < 5; failure++) breaker.fail(0, false);
  breaker.begin(2_000);
  breaker.forget(2_500, 2_500, false);
  assert.equal(breaker.mayTry(2_500), true);
});

test('attempts that were under way when it opened neither close it nor open it for longer', () => {
  const { breaker } = startBreaker();
  for (let failure = 0; failure < 5; failure++) breaker.fail(1_000, false, 500);
  breaker.succeed(1_100, 900);
  assert.equal(breaker.state, 'open');
  breaker.begin(3_000);
  breaker.fail(3_100, false, 900);
  breaker.succeed(3_200, 900);
  assert.equal(breaker.state, 'half-open');
});

test('one that another instance opened is probed here, too, and nobody is told of it before', () => {
  const { breaker, changes } = startBreaker();
  breaker.hearOpened(1_000, 3_000);
  assert.equal(breaker.mayTry(2_999), false);
  breaker.succeed(2_000, 900);
  assert.equal(breaker.state, 'open', 'what was under way closes nothing');
  assert.deepEqual(changes, []);
  breaker.begin(3_000);
  breaker.fail(3_100, false, 3_000);
  assert.deepEqual([breaker.state, breaker.opensUntil], ['open', 5_100]);
  breaker.hearClosed();
  assert.deepEqual([breaker.state, breaker.counts(3_100)], ['closed', { calls: 0, failures: 0 }]);
  assert.deepEqual(changes, ['half-open', 'open']);
});

test('failures of another instance do not put off the probe of this one', () => {
  const { breaker } = startBreaker();
  breaker.hearOpened(0, 2_000);
  breaker.hearOpened(1_900, 3_900);
  assert.equal(breaker.mayTry(2_000), true);
  breaker.begin(2_000);
  breaker.hearOpened(2_000, 4_000);
  assert.equal(breaker.state, 'half-open');
});

test('where this instance finds well what another says to fail, it does not believe that for a while', () => {
  const { breaker } = startBreaker();
  breaker.hearOpened(0, 2_000);
  breaker.begin(2_000);
  breaker.succeed(2_100, 2_000);
  breaker.hearOpened(2_200, 4_200);
  assert.equal(breaker.state, 'closed');
  for (let failure = 0; failure < 5; failure++) breaker.fail(3_000, false);
  assert.equal(breaker.state, 'open', 'its own failures count');
  breaker.begin(5_000);
  breaker.succeed(5_100, 5_000);
  breaker.hearOpened(2_100 + DEAF_MS, 99_000);
  assert.equal(breaker.state, 'open');
});

/** What may happen to a breaker, with the time that passes before it. */
const STEP = fc.record({
  afterMs: fc.integer({ min: 0, max: 3_000 }),
  what: fc.constantFrom('succeed', 'fail', 'forget', 'begin'),
});

test('whatever happens: its counts are those of the window, and one that is open can always be probed in the end', () => {
  fc.assert(
    fc.property(fc.array(STEP, { maxLength: 80 }), (steps) => {
      const { breaker } = startBreaker({ windowMs: 1_000 });
      const outcomes: { atMs: number; failed: boolean }[] = [];
      let nowMs = 0;
      for (const { afterMs, what } of steps) {
        nowMs += afterMs;
        const before = breaker.state;
        if (what === 'succeed') breaker.succeed(nowMs);
        else if (what === 'fail') breaker.fail(nowMs, false);
        else if (what === 'begin') breaker.begin(nowMs);
        else breaker.forget(nowMs, nowMs, false);
        if (before !== 'closed' && breaker.state === 'closed') outcomes.length = 0;
        else if (before !== 'half-open' && (what === 'fail' || (what === 'succeed' && before === 'closed')))
          outcomes.push({ atMs: nowMs, failed: what === 'fail' });
        const slice = Math.floor(nowMs / 100);
        const within = outcomes.filter(({ atMs }) => Math.floor(atMs / 100) > slice - 10);
        assert.deepEqual(breaker.counts(nowMs), {
          calls: within.length,
          failures: within.filter(({ failed }) => failed).length,
        });
      }
      breaker.forget(nowMs, nowMs, false);
      assert.equal(breaker.mayTry(Math.max(nowMs, breaker.opensUntil)), true);
    }),
  );
});

test('what was sent before the probe does not end it when its client leaves', () => {
  const { breaker } = startBreaker();
  for (let failure = 0; failure < 5; failure++) breaker.fail(0, false);
  breaker.begin(2_000);
  breaker.forget(2_100, -10, false);
  assert.equal(breaker.state, 'half-open');
  assert.equal(breaker.mayTry(2_100), false, 'a second probe');
  breaker.forget(2_200, 2_000, false);
  assert.equal(breaker.mayTry(2_200), true, 'the probe itself is left to the next call');
});

test('a probe that was overtaken puts the next one off, each time for longer', () => {
  const { breaker } = startBreaker();
  for (let failure = 0; failure < 5; failure++) breaker.fail(0, false);
  breaker.begin(2_000);
  breaker.forget(2_100, 2_000, true);
  assert.equal(breaker.mayTry(6_099), false);
  assert.equal(breaker.mayTry(6_100), true);
  breaker.begin(6_100);
  breaker.forget(6_200, 6_100, true);
  assert.equal(breaker.mayTry(14_199), false);
  assert.equal(breaker.mayTry(14_200), true);
});

test('of an attempt whose answer breaks off what became of it in the end counts, once', () => {
  const { breaker } = startBreaker({ minCalls: 20 });
  breaker.succeed(1_000, 900);
  breaker.fail(2_000, false, 900, 1_000);
  assert.deepEqual(breaker.counts(2_000), { calls: 1, failures: 1 });
  // Its success counts no more, and is not taken back a second time.
  breaker.succeed(30_000, 29_900);
  breaker.fail(45_000, false, 29_900, 30_000);
  assert.deepEqual(breaker.counts(45_000), { calls: 1, failures: 1 });
});

test('answers that all break off open it, however few come and however many of them run beside each other', () => {
  const { breaker } = startBreaker({ errorRate: 0.7 });
  const atOnce = 3;
  for (let call = 1; call < 5 + atOnce; call++) {
    assert.equal(breaker.state, 'closed');
    breaker.succeed(call * 60_000, call * 60_000 - 100);
    const begunMs = (call - atOnce) * 60_000;
    if (call > atOnce) breaker.fail(call * 60_000 + 10, false, begunMs - 100, begunMs);
  }
  breaker.fail(600_000, false, 5 * 60_000 - 100, 5 * 60_000);
  assert.equal(breaker.state, 'open');
});

test('failures in a row are those between which no stream had its first output', () => {
  const { breaker } = startBreaker();
  for (let call = 0; call < 500; call++) {
    const nowMs = call * 50;
    // One of ten fails, one of ten breaks off; of the others none comes to its end.
    if (call % 10 === 0) breaker.fail(nowMs, false);
    else breaker.succeed(nowMs, nowMs);
    if (call % 20 === 1) breaker.fail(nowMs, false, nowMs, nowMs);
  }
  assert.equal(breaker.state, 'closed');
});

test('a probe that breaks off behind its first output opens the breaker again for twice as long, any other does not', () => {
  const { breaker, changes } = startBreaker();
  for (let failure = 0; failure < 5; failure++) breaker.fail(0, false);
  breaker.begin(2_000);
  breaker.succeed(2_100, 2_000);
  breaker.succeed(2_200, 2_150);
  breaker.fail(2_300, false, 2_150, 2_200);
  assert.equal(breaker.state, 'closed');
  breaker.fail(3_000, false, 2_000, 2_100);
  assert.deepEqual([breaker.state, breaker.opensUntil], ['open', 7_000]);
  assert.deepEqual(changes, ['open', 'half-open', 'closed', 'open']);
});
