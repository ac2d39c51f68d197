import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BetweenUsers } from '../../src/rollouts/between-users.ts';
import { Evidence } from '../../src/rollouts/evidence.ts';
import type { Observation } from '../../src/rollouts/observation.ts';
import { scale } from '../support/scale.ts';
import { seeded } from '../support/seeded.ts';

const RUNS = scale({ sample: 5, heavy: 500 });
const CALLS = 4_000;

/** A service whose users differ in how long their answers are, how they end, and how much each calls. */
interface Population {
  users: number;
  /** Of the logarithm of how long a user's answers are. */
  apart: number;
  /** The n-th calls 1/n^`skew` times as often as the first. */
  skew: number;
  /** The share of them on the candidate's side; a quarter where absent. */
  moved?: number;
}

/** Whether a candidate is rolled back within so many calls of both sides. */
function isRolledBack(
  seed: number,
  { users, apart, skew, moved = 0.25 }: Population,
  slower: number,
): boolean {
  const random = seeded(seed);
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const all = Array.from({ length: users }, (_, place) => ({
    user: Math.floor(random() * 2 ** 32),
    side: random() < moved ? ('candidate' as const) : ('stable' as const),
    length: Math.exp(apart * normal()),
    bad: 0.3 * random() ** 2,
    until: 1 / (place + 1) ** skew,
  }));
  let total = 0;
  for (const one of all) one.until = total += one.until;
  const evidence = new Evidence({});
  for (let call = 0; call < CALLS; call++) {
    const at = random() * total;
    const one = all.find(({ until }) => at < until);
    assert.ok(one);
    const { side, user, length, bad } = one;
    const tokens = 300 * length * Math.exp(0.5 * normal());
    const observation: Observation = {
      ...{ side, user, failed: random() < 0.01, timedOut: false, left: false },
      ...{ cutOff: random() < bad, refused: random() < bad / 3, invalidOutput: random() < bad },
      ...{ latencyMs: tokens * 10 * (side === 'candidate' ? slower : 1), costMicroUsd: tokens },
    };
    evidence.observe(observation);
    if (evidence.failure) return true;
  }
  return false;
}

function shareRolledBack(population: Population, slower: number): number {
  const runs = Array.from({ length: RUNS }, (_, seed) => isRolledBack(seed + 1, population, slower));
  return runs.filter(Boolean).length / RUNS;
}

describe('a candidate that is as good', () => {
  for (const [name, population] of [
    ['two keys', { users: 2, apart: 0.7, skew: 0 }],
    ['eight keys', { users: 8, apart: 0.7, skew: 0 }],
    ['forty keys, of which some call far more', { users: 40, apart: 0.7, skew: 1 }],
    ['three hundred users who are very unlike', { users: 300, apart: 1.2, skew: 1 }],
    ['three of three hundred, who may be alike by chance', { users: 300, apart: 0.7, skew: 0, moved: 0.01 }],
  ] as const) {
    test(`is not rolled back for who its users are: ${name}`, (t) => {
      const share = shareRolledBack(population, 1);
      t.diagnostic(`${share} of ${RUNS} rolled back`);
      assert.ok(share < 0.01);
    });
  }
});

test('a candidate of many unlike users that takes twice as long is rolled back', (t) => {
  const share = shareRolledBack({ users: 1_000, apart: 0.7, skew: 0 }, 2);
  t.diagnostic(`${share} of ${RUNS} rolled back`);
  assert.ok(share > 0.99);
});

test('a gate says where its calls are of too few users', () => {
  const evidence = new Evidence({});
  for (let call = 0; call < 400; call++) {
    evidence.observe({ side: 'stable', user: call % 2, failed: false, latencyMs: 100 + (call % 7) });
    evidence.observe({ side: 'candidate', user: 9, failed: false, latencyMs: 900 + (call % 7) });
  }
  assert.equal(evidence.failure, undefined);
  const verdicts = evidence.readings().filter(({ what }) => what === 'p50 latency' || what === 'errors');
  assert.deepEqual(
    verdicts.map(({ verdict }) => verdict),
    ['kept', 'too_few_users'],
  );
});

test('a candidate that fails what the stable answers needs no more than one user to be found', () => {
  const evidence = new Evidence({});
  for (let call = 0; call < 20; call++) {
    evidence.observe({ side: 'stable', user: 1, failed: false });
    evidence.observe({ side: 'candidate', user: 9, failed: true, next: 'answered' });
  }
  assert.equal(evidence.failure?.what, 'errors');
});

describe('calls that fail more often than others whoever is asked', () => {
  /** One of a few users has calls that fail so often, at either; whoever is asked next answers `spared` times as many of them as by that. */
  function isErrorsFailed(seed: number, fails: number, spared: number): boolean {
    const random = seeded(seed);
    const evidence = new Evidence({});
    for (let call = 0; call < 4_000; call++) {
      const user = call % 6;
      const side = user < 3 ? ('candidate' as const) : ('stable' as const);
      const often = user === 0 ? fails : 0.005;
      const failed = random() < often;
      const isNextFailed = random() < often * (1 - spared);
      if (!failed || side === 'stable') evidence.observe({ side, user, failed });
      else if (isNextFailed) evidence.observeFailedByBoth({ side, user });
      else evidence.observe({ side, user, failed, next: 'answered' });
      if (evidence.failure) return true;
    }
    return false;
  }
  for (const fails of [0.05, 0.3, 0.8]) {
    test(`are no fault of the candidate that has the user of them: ${fails}`, () => {
      const runs = Array.from({ length: RUNS }, (_, seed) => isErrorsFailed(seed + 1, fails, 0));
      assert.ok(runs.filter(Boolean).length / RUNS < 0.01);
    });
  }
  test('are its fault where the stable answers them', () => {
    const runs = Array.from({ length: RUNS }, (_, seed) => isErrorsFailed(seed + 1, 0.8, 1));
    assert.ok(runs.filter(Boolean).length / RUNS > 0.99);
  });
  test('show within thirty of them that a candidate turned bad, however long it was good', () => {
    const evidence = new Evidence({});
    const observe = (failed: boolean) => {
      evidence.observe({ side: 'stable', user: 2, failed: false });
      evidence.observe({ side: 'candidate', user: 1, failed, ...(failed && { next: 'answered' as const }) });
    };
    for (let call = 0; call < 3_100; call++) observe(false);
    let calls = 0;
    for (; !evidence.failure && calls < 100; calls++) observe(true);
    assert.ok(calls <= 30, `${calls}`);
  });
  test('are known after a restart as before it', () => {
    const evidence = new Evidence({});
    for (let call = 0; call < 30; call++) {
      evidence.observe({ side: 'candidate', user: 1, failed: call % 2 === 0, next: 'answered' });
      evidence.observe({ side: 'stable', user: 2, failed: false });
      evidence.observeFailedByBoth({ side: 'candidate', user: 1 });
    }
    const again = new Evidence({}, JSON.parse(JSON.stringify(evidence.state)));
    assert.deepEqual(again.readings(), evidence.readings());
    assert.deepEqual(again.state, evidence.state);
  });
});

describe('clients that leave', () => {
  test('before it can be told whether their calls would have been slow say nothing', () => {
    const evidence = new Evidence({});
    for (let call = 0; call < 500; call++) {
      evidence.observe({ side: 'stable', user: call, latencyMs: 1_000 });
      evidence.observe({ side: 'candidate', user: -call >>> 0, left: true, atLeast: { latencyMs: 900 } });
    }
    assert.equal(evidence.failure, undefined);
    assert.equal(evidence.candidates, 0);
  });
  test('of a candidate that hangs show that it does, however many calls a gate needs', () => {
    const evidence = new Evidence({ minCalls: 50 });
    let calls = 0;
    for (; !evidence.failure && calls < 300; calls++) {
      evidence.observe({ side: 'stable', user: calls, latencyMs: 1_000 + (calls % 5) });
      evidence.observe({ side: 'candidate', user: calls + 7, left: true, atLeast: { latencyMs: 5_000 } });
    }
    assert.equal(evidence.failure?.what, 'p50 latency');
    assert.equal(evidence.candidates, 0);
  });
});

test('calls whose side is none of chance are held against limits, and compared with nobody', () => {
  const evidence = new Evidence({ errorRate: 0.5 });
  for (let call = 0; call < 300; call++) {
    evidence.observe({ side: 'stable', user: call, failed: false, latencyMs: 100 });
    const failed = call % 4 === 0;
    evidence.observe({ side: 'candidate', user: call, isByRule: true, failed, latencyMs: 5_000 });
  }
  const before = evidence.failure;
  for (let call = 0; call < 300; call++)
    evidence.observe({ side: 'candidate', user: call, isByRule: true, failed: true });
  assert.deepEqual([before, evidence.failure?.gate], [undefined, 'errorRate']);
});

describe('who the users are', () => {
  test('explains all where one side has but one', () => {
    const users = new BetweenUsers('happened');
    for (let call = 0; call < 100; call++) {
      users.add('stable', call % 30, 0);
      users.add('candidate', 5, 1);
    }
    assert.equal(users.chance, 1);
  });
  test('explains no more than how many ways there are to share them out', () => {
    const users = new BetweenUsers('happened');
    for (let call = 0; call < 100; call++) {
      users.add('stable', call % 4, 0);
      users.add('candidate', 4 + (call % 3), 1);
    }
    // 3 of 7.
    assert.ok(Math.abs(users.chance - 1 / 35) < 1e-9);
  });
  test('explains what many users have on either side, however alike the few of the candidate are', () => {
    const users = new BetweenUsers('happened');
    for (let call = 0; call < 3_200; call++) {
      users.add('stable', call % 32, call % 2);
      if (call < 400) users.add('candidate', 3 + 2 * (call % 4), 1);
    }
    // One of sixteen draws of four is of such users alone.
    assert.ok(users.chance > 0.01, `${users.chance}`);
  });
  test('is known after a restart as before it', () => {
    const users = new BetweenUsers('amount');
    for (let call = 0; call < 200; call++)
      users.add(call % 2 ? 'stable' : 'candidate', call * 7919, call % 3);
    const again = new BetweenUsers('amount', JSON.parse(JSON.stringify(users.state)));
    assert.equal(again.chance, users.chance);
    assert.deepEqual(again.state, users.state);
  });
});
