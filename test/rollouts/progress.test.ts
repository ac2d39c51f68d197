import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  advance,
  afterCommand,
  DRAFT,
  type Plan,
  type Progress,
  weightOf,
} from '../../src/rollouts/progress.ts';

const PLAN: Plan = {
  ...{ steps: [{ weight: 10, holdMs: 1_000 }], onFail: 'rollback', minCalls: 5 },
  shadow: { holdMs: 1_000 },
};
const failure = { gate: 'compared', what: 'errors', mistake: 0.001 } as const;

function begin(): Progress {
  return afterCommand('start', DRAFT, 0, 0, PLAN);
}

test('copies come first, for their time and until there are enough of them; nobody has the candidate', () => {
  const copying = begin();
  assert.deepEqual([copying.phase, weightOf(PLAN, copying)], ['shadow', 0]);
  const look = (nowMs: number, calls: number) =>
    advance(PLAN, copying, { nowMs, calls, failure: undefined }).phase;
  assert.equal(look(999, 100), 'shadow');
  assert.equal(look(5_000, 4), 'shadow');
  assert.equal(look(1_000, 5), 'canary');
});

test('of copies that are worse the rollout is rolled back or paused, and goes on with copies', () => {
  assert.equal(advance(PLAN, begin(), { nowMs: 1, calls: 5, failure }).phase, 'rolled_back');
  const paused = advance({ ...PLAN, onFail: 'pause' }, begin(), { nowMs: 1, calls: 5, failure });
  assert.equal(paused.phase, 'paused');
  assert.equal(afterCommand('resume', paused, 2, 5).phase, 'shadow');
});

test('a rollout whose copies were taken out of the configuration waits for none', () => {
  const without = { ...PLAN, shadow: undefined };
  const next = advance(without, begin(), { nowMs: 1, calls: 0, failure: undefined });
  assert.deepEqual([next.phase, next.step], ['canary', 0]);
});

test('a rollout without copies begins with its first step', () => {
  assert.equal(afterCommand('start', DRAFT, 0, 0, { shadow: undefined }).phase, 'canary');
});
