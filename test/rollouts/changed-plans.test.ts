import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { advance, isThrough, type Plan, type Progress, weightOf } from '../../src/rollouts/progress.ts';

const anyWeights = fc
  .uniqueArray(fc.integer({ min: 1, max: 100 }), { minLength: 1, maxLength: 6 })
  .map((weights) => weights.sort((a, b) => a - b));

function planOf(weights: readonly number[]): Plan {
  const steps = weights.map((weight) => ({ weight, holdMs: 1_000 }));
  return { steps, onFail: 'rollback', minCalls: 10 };
}

test('whatever the plan becomes under way, a rollout has the weight of one of its steps, and goes on to its end', () => {
  fc.assert(
    fc.property(anyWeights, anyWeights, fc.nat(5), (before, after, reached) => {
      const step = Math.min(reached, before.length - 1);
      let progress: Progress = {
        ...{ phase: step === 0 ? 'canary' : 'stepping', step },
        ...{ since: 0, heldMs: 0, callsBefore: 0 },
      };
      const plan = planOf(after);
      let weight = weightOf(plan, progress);
      assert.equal(weight, after[Math.min(step, after.length - 1)]);
      for (let looks = 1; progress.phase !== 'promoted'; looks++) {
        assert.ok(looks <= after.length + 1, 'it does not come to its end');
        // Neither time nor calls alone lead on.
        const early = { nowMs: progress.since + 999, calls: 1_000 * looks, failure: undefined };
        assert.equal(advance(plan, progress, early), progress);
        const few = { nowMs: 10_000 * looks, calls: progress.callsBefore + 9, failure: undefined };
        assert.equal(advance(plan, progress, few), progress);
        const enough = { nowMs: 10_000 * looks, calls: 1_000 * looks, failure: undefined };
        const next = advance(plan, progress, enough);
        assert.equal(next.phase === 'promoted', isThrough(plan, progress, enough));
        assert.ok(weightOf(plan, next) >= weight);
        [progress, weight] = [next, weightOf(plan, next)];
      }
    }),
  );
});
