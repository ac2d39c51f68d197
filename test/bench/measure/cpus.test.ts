import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCpuList, planCpus } from '../../../bench/measure/cpus.ts';

test('a kernel CPU list is single CPUs and ranges', () => {
  assert.deepEqual(parseCpuList('0'), [0]);
  assert.deepEqual(parseCpuList('0-3,8,10-11\n'), [0, 1, 2, 3, 8, 10, 11]);
});

test('what is not a CPU list is refused', () => {
  assert.throws(() => parseCpuList('all'), /not a CPU list/);
});

test('the gateway has the first CPU to itself, the traffic all others', () => {
  const { gateway, traffic, pair } = planCpus([2, 3, 5], true);
  assert.deepEqual({ gateway, traffic, pair }, { gateway: '2', traffic: '3,5', pair: '2,3' });
});

test('nothing is pinned on one CPU or without taskset, and the report says so', () => {
  for (const plan of [planCpus([0], true), planCpus([0, 1], false)]) {
    assert.equal(plan.gateway, undefined);
    assert.equal(plan.traffic, undefined);
    assert.match(plan.description, /^not pinned: /);
  }
});
