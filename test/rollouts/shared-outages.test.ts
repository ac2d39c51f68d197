import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Evidence } from '../../src/rollouts/evidence.ts';
import { scale } from '../support/scale.ts';
import { LONG, MINUTE, type Outages, ROLLOUTS, simulateAll } from '../support/simulated-rollouts.ts';

/** The median of half a dozen strays. */
const MOST_LATER = scale({ sample: 2, heavy: 1.25 });

describe('outages that both sides have', () => {
  const MINUTES: Outages = { everyMs: 10 * MINUTE, lastsMs: MINUTE, share: 1, passedOverMs: 10_000 };
  for (const [name, outages] of [
    ['of all calls', MINUTES],
    ['of every other call', { ...MINUTES, share: 0.5 }],
    ['of ten seconds', { ...MINUTES, everyMs: MINUTE, lastsMs: 10_000, passedOverMs: 2_000 }],
  ] as const) {
    test(`are no fault of a candidate that is as good: ${name}`, LONG, (t) => {
      const { rolledBack } = simulateAll({ errors: 0.01, outages });
      t.diagnostic(`${rolledBack} of ${ROLLOUTS} rolled back`);
      assert.ok(rolledBack < 0.01);
    });
  }
  test('do not hide a candidate that fails four points more often', LONG, (t) => {
    const without = simulateAll({ errors: 0.05 });
    const outages = { ...MINUTES, everyMs: 2 * MINUTE, once: true };
    const { rolledBack, medianCalls } = simulateAll({ errors: 0.05, outages });
    t.diagnostic(
      `${rolledBack} of ${ROLLOUTS} rolled back, in the median after ${medianCalls} calls, without one after ${without.medianCalls}`,
    );
    assert.ok(rolledBack > 0.99);
    assert.ok(medianCalls <= without.medianCalls * MOST_LATER);
  });
});

describe('what the stable fails while both sides do', () => {
  const errorsOf = (evidence: Evidence) =>
    evidence.readings().find(({ what, gate }) => what === 'errors' && gate === 'compared');
  const totalsOf = (evidence: Evidence) => {
    const { stable: others, candidate: own } = errorsOf(evidence) ?? assert.fail();
    return [others, own];
  };
  const stable = (evidence: Evidence, failed: boolean) => {
    for (let user = 0; user < 50; user++) evidence.observe({ side: 'stable', user, failed });
  };

  test('counts against nobody, before a call that both fail and behind it', () => {
    let evidence = new Evidence({});
    const candidate = (user: number) => evidence.observe({ side: 'candidate', user, failed: false });
    stable(evidence, false);
    candidate(99);
    stable(evidence, true);
    evidence.observeFailedByBoth({ side: 'candidate', user: 98 });
    stable(evidence, true);
    // A restart in the middle.
    evidence = new Evidence({}, JSON.parse(JSON.stringify(evidence.state)));
    stable(evidence, true);
    candidate(97);
    stable(evidence, false);
    candidate(96);
    assert.deepEqual(totalsOf(evidence), [
      { calls: 100, sum: 0 },
      { calls: 2, sum: 0 },
    ]);
  });
  test('counts against nobody, nor does what a breaker keeps from the candidate behind it', () => {
    const evidence = new Evidence({});
    evidence.observeFailedByBoth({ side: 'candidate', user: 98 });
    stable(evidence, false);
    for (let user = 0; user < 20; user++) evidence.observe({ side: 'candidate', user, failed: true });
    assert.equal(errorsOf(evidence)?.verdict, 'no_calls');
    // It is asked again, and broken.
    for (let user = 0; user < 21; user++) {
      evidence.observe({ side: 'candidate', user, failed: true, next: 'answered' });
      stable(evidence, false);
    }
    assert.deepEqual(totalsOf(evidence)[1], { calls: 20, sum: 20 });
    assert.equal(evidence.failure?.what, 'errors');
  });
  test("is the stable's where the candidate answers meanwhile", () => {
    const evidence = new Evidence({});
    stable(evidence, true);
    evidence.observe({ side: 'candidate', user: 99, failed: false });
    assert.deepEqual(errorsOf(evidence)?.stable, { calls: 50, sum: 50 });
  });
  test('is not held against a limit either, but for what the candidate fails when it is asked', () => {
    const evidence = new Evidence({ errorRate: 0.1, timeoutRate: 0.1 });
    const limits = () =>
      evidence.readings().filter(({ gate }) => gate === 'errorRate' || gate === 'timeoutRate');
    const failed = { side: 'candidate', user: 1, failed: true, timedOut: true } as const;
    evidence.observeFailedByBoth({ side: 'candidate', user: 1 });
    for (let call = 0; call < 20; call++) evidence.observe(failed);
    assert.deepEqual(
      limits().map(({ candidate }) => candidate.calls),
      [0, 0],
    );
    for (let call = 0; call < 20; call++) evidence.observe({ ...failed, next: 'answered' });
    assert.deepEqual(
      limits().map(({ candidate, verdict }) => [candidate, verdict]),
      [
        [{ calls: 20, sum: 20 }, 'failed'],
        [{ calls: 20, sum: 20 }, 'failed'],
      ],
    );
  });
});
