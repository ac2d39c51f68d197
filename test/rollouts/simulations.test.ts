import assert from 'node:assert/strict';
import { test } from 'node:test';
import { scale } from '../support/scale.ts';
import { LONG, ROLLOUTS, simulate, simulateAll } from '../support/simulated-rollouts.ts';

/** The median of half a dozen strays. */
const MOST_CALLS = scale({ sample: 400, heavy: 300 });

test(
  'a candidate that is as good is promoted: fewer than one in a hundred is rolled back by mistake',
  LONG,
  (t) => {
    const { rolledBack } = simulateAll({ errors: 0.01 });
    t.diagnostic(`${rolledBack} of ${ROLLOUTS} rolled back`);
    assert.ok(rolledBack < 0.01);
  },
);

for (const [name, candidate, what] of [
  ['fails four points more often', { errors: 0.05 }, 'errors'],
  ['takes half as long again', { errors: 0.01, slower: 1.5 }, 'p50 latency'],
  ['costs half as much again', { errors: 0.01, dearer: 1.5 }, 'cost per call'],
  ['breaks a schema in one of ten answers', { errors: 0.01, invalid: 0.1 }, 'invalid outputs'],
  ['is liked by half of those who liked the stable', { errors: 0.01, score: 0.4 }, 'feedback scores'],
] as const) {
  test(
    `a candidate that ${name} is rolled back, in the median within ${MOST_CALLS} of its calls`,
    LONG,
    (t) => {
      const { rolledBack, medianCalls, whats } = simulateAll(candidate);
      t.diagnostic(
        `${rolledBack} of ${ROLLOUTS} rolled back, in the median after ${medianCalls} calls, for ${whats}`,
      );
      assert.ok(rolledBack > 0.99);
      assert.ok(medianCalls <= MOST_CALLS);
      assert.match(whats, new RegExp(what));
    },
  );
}

test('of a candidate that breaks at the first step fewer than one in a hundred users ever hear', (t) => {
  const { rolledBack, medianCalls, mostMet } = simulateAll({ errors: 1 });
  t.diagnostic(
    `in the median after ${medianCalls} calls, met by ${(mostMet * 100).toFixed(3)} % of the users at the most`,
  );
  assert.equal(rolledBack, 1);
  assert.ok(mostMet < 0.01);
});

test('a candidate that turns bad at a later step is rolled back, too', (t) => {
  const { rolledBack, medianCalls } = simulateAll({ errors: 0.2, badFrom: 2 });
  t.diagnostic(`in the median after ${medianCalls} calls`);
  assert.ok(rolledBack > 0.99);
});

test('a simulation is the same at every run, and another with another seed', () => {
  assert.deepEqual(simulate(7, { errors: 0.05 }), simulate(7, { errors: 0.05 }));
  assert.notEqual(simulate(7, { errors: 0.05 }).digest, simulate(8, { errors: 0.05 }).digest);
});
