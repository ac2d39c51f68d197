import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Breaker, DEFAULT_BREAKER } from '../../src/routing/breaker.ts';
import { Lane } from '../../src/routing/lane.ts';
import { LargestLeft } from '../../src/routing/largest-left.ts';
import { Latency } from '../../src/routing/latency.ts';
import { orderAccounts } from '../../src/routing/order-accounts.ts';
import { orderTargets } from '../../src/routing/order-targets.ts';
import { readHeadroom } from '../../src/routing/read-headroom.ts';
import type { Strategy, Target } from '../../src/routing/target.ts';
import { weightedOrder } from '../../src/routing/weighted-order.ts';
import { seeded } from '../support/seeded.ts';

/** Only what ordering looks at. */
function target(
  name: string,
  { weight, accounts = [1] }: { weight?: number; accounts?: number[] } = {},
): Target {
  const lanes = accounts.map(
    (_, place) => new Lane(name, `${place}`, new Breaker(DEFAULT_BREAKER), new Breaker(DEFAULT_BREAKER)),
  );
  const upstream = { accounts: accounts.map((ofAccount) => ({ weight: ofAccount })) };
  return { name, weight, lanes, upstream } as unknown as Target;
}

const ROUTE = { retries: 2, isSelective: false, fallbacks: {} };

function firstOf(
  targets: Target[],
  strategy: Strategy,
  costs: Record<string, number | null> = {},
  calls = 1_000,
) {
  const random = seeded(1);
  const counts: Record<string, number> = Object.fromEntries(targets.map(({ name }) => [name, 0]));
  for (let call = 0; call < calls; call++) {
    const costOf = ({ name }: Target) => costs[name] ?? null;
    const order = orderTargets(
      { ...ROUTE, targets, strategy },
      { stream: true, random, costOf, monotonicMs: () => 0 },
    );
    assert.deepEqual(new Set(order), new Set(targets), 'a target is missing');
    const first = order[0]?.name ?? '';
    counts[first] = (counts[first] ?? 0) + 1;
  }
  return counts;
}

test('a weighted order has every place once, and each first as often as it weighs', () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 9 }), { minLength: 1, maxLength: 6 }), fc.nat(), (weights, seed) => {
      const random = seeded(seed);
      const order = weightedOrder(weights, random);
      assert.deepEqual(order.toSorted(), weights.map((_, place) => place).toSorted());
      const lightest = order.findIndex((place) => weights[place] === 0);
      if (lightest >= 0) assert.ok(order.slice(lightest).every((place) => weights[place] === 0));
    }),
  );
  const random = seeded(7);
  let heavy = 0;
  for (let call = 0; call < 10_000; call++) if (weightedOrder([1, 3], random)[0] === 1) heavy += 1;
  assert.ok(Math.abs(heavy - 7_500) < 200, `${heavy} of 10000`);
});

test('failover keeps the order; weighted follows the weights', () => {
  const targets = [target('a/x', { weight: 9 }), target('b/y', { weight: 1 })];
  assert.deepEqual(firstOf(targets, 'failover'), { 'a/x': 1_000, 'b/y': 0 });
  const { 'b/y': light = 0 } = firstOf(targets, 'weighted');
  assert.ok(light > 60 && light < 140, `${light}`);
});

test('fastest goes where the first token comes soonest, and elsewhere with one call in twenty', () => {
  const [slow, fast, middling] = [target('a/slow'), target('b/fast'), target('c/middling')];
  slow.lanes?.[0]?.noteLatency(true, 900, 0);
  fast.lanes?.[0]?.noteLatency(true, 300, 0);
  const pair = firstOf([slow, fast], 'fastest', {}, 20_000);
  assert.ok(Math.abs((pair['a/slow'] ?? 0) - 1_000) < 120, JSON.stringify(pair));
  middling.lanes?.[0]?.noteLatency(true, 500, 0);
  const three = firstOf([slow, fast, middling], 'fastest', {}, 20_000);
  for (const name of ['a/slow', 'c/middling'])
    assert.ok(Math.abs((three[name] ?? 0) - 500) < 90, JSON.stringify(three));
});

test('fastest learns what it does not know, and goes last where nothing but failures is known', () => {
  const [fast, unknown] = [target('b/fast'), target('c/unknown')];
  fast.lanes?.[0]?.noteLatency(true, 300, 0);
  const learning = firstOf([fast, unknown], 'fastest');
  assert.ok((learning['c/unknown'] ?? 0) > 920, JSON.stringify(learning));
  unknown.lanes?.[0]?.noteLatencyAtLeast(true, 5, 0);
  const failing = firstOf([fast, unknown], 'fastest');
  assert.ok((failing['b/fast'] ?? 0) > 920, JSON.stringify(failing));
  unknown.lanes?.[0]?.noteLatency(true, 100, 0);
  const known = firstOf([fast, unknown], 'fastest');
  assert.ok((known['c/unknown'] ?? 0) > 920, JSON.stringify(known));
});

test('what is waited for takes as long at least, unless others are answered meanwhile', () => {
  const [lane] = target('a/x').lanes ?? [];
  assert.ok(lane);
  assert.equal(lane.latency(true, 0), undefined);
  lane.beginWait(true, 0);
  assert.deepEqual([lane.latency(true, 10), lane.latency(false, 10)], [Infinity, Infinity]);
  lane.endWait(true, false);
  assert.equal(lane.latency(true, 10), undefined, 'who was not waited for said nothing');
  lane.noteLatency(true, 300, 0);
  lane.beginWait(true, 1_000);
  lane.beginWait(true, 1_100);
  assert.deepEqual([lane.latency(true, 1_200), lane.latency(true, 5_000)], [300, 4_000]);
  assert.equal(lane.latency(false, 5_000), 300, 'whole answers take their own time');
  lane.endWait(true, true);
  assert.equal(lane.latency(true, 60_000), 300, 'one that takes long for itself');
  lane.beginWait(true, 60_000);
  assert.equal(lane.latency(true, 61_000), 1_000);
});

test('what was waited for in vain says that a target takes longer, never that it is fast', () => {
  const [lane] = target('a/x').lanes ?? [];
  assert.ok(lane);
  lane.noteLatency(true, 300, 0);
  lane.noteLatencyAtLeast(true, 20, 0);
  assert.equal(lane.latency(true, 0), 300);
  lane.noteLatencyAtLeast(true, 1_300, 0);
  assert.equal(lane.latency(true, 0), 400);
});

test('cheapest goes by what the call would cost, what has no price last', () => {
  const targets = [target('a/unpriced'), target('b/dear'), target('c/cheap')];
  const counts = firstOf(targets, 'cheapest', { 'b/dear': 20, 'c/cheap': 3 });
  assert.equal(counts['c/cheap'], 1_000);
});

test('an average follows what is new, and sooner the longer nothing came', () => {
  const latency = new Latency();
  assert.equal(latency.averageMs, undefined);
  latency.note(100, 0);
  latency.note(200, 1);
  assert.equal(latency.averageMs, 110);
  latency.note(200, 120_000);
  assert.ok((latency.averageMs ?? 0) > 198);
});

test('accounts share the calls by weight, and by what is left of their limits', () => {
  const share = (one: Target, nowMs: number) => {
    const random = seeded(3);
    let first = 0;
    for (let call = 0; call < 1_000; call++) if (orderAccounts(one, nowMs, random)[0] === 0) first += 1;
    return first;
  };
  const one = target('a/x', { accounts: [3, 1] });
  assert.ok(Math.abs(share(one, 0) - 750) < 60);
  one.lanes?.[0]?.noteHeadroom({ share: 0, resetMs: 1_000 }, 0);
  assert.ok(share(one, 999) < 20);
  assert.ok(Math.abs(share(one, 1_000) - 750) < 60, 'its limit is whole again');
});

test('of a limit whose size is not said, what is left is a share of the most that was left within some minutes', () => {
  const largest = new LargestLeft();
  const share = (left: number, nowMs: number) => {
    const headers = { 'x-ratelimit-remaining-requests': String(left) };
    return readHeadroom(headers, 0, (limit, of) => largest.note(limit, of, nowMs))?.share;
  };
  const MINUTE = 60_000;
  assert.deepEqual([share(80, 0), share(20, MINUTE), share(80, 2 * MINUTE)], [1, 0.25, 1]);
  assert.equal(share(20, 11 * MINUTE), 0.25, 'the period before counts');
  assert.equal(share(20, 22 * MINUTE), 1, 'what is longer ago does not');
  assert.equal(new LargestLeft().note('any', 0, 0), 0);
  assert.equal(readHeadroom({ 'x-ratelimit-remaining-requests': '0' }, 0, () => 0)?.share, 0);
  assert.equal(readHeadroom({ 'x-ratelimit-remaining-requests': '5' }, 0), undefined);
});

test('what is left is read as providers say it', () => {
  const openai = {
    'x-ratelimit-limit-requests': '60',
    'x-ratelimit-remaining-requests': '59',
    'x-ratelimit-reset-requests': '1s',
    'x-ratelimit-limit-tokens': '150000',
    'x-ratelimit-remaining-tokens': '15000',
    'x-ratelimit-reset-tokens': '6m0s',
  };
  assert.deepEqual(readHeadroom(openai, 0), { share: 0.1, resetMs: 360_000 });
  const anthropic = {
    'anthropic-ratelimit-requests-limit': '50',
    'anthropic-ratelimit-requests-remaining': '50',
    'anthropic-ratelimit-requests-reset': '2026-01-01T00:00:00Z',
    'anthropic-ratelimit-output-tokens-limit': '8000',
    'anthropic-ratelimit-output-tokens-remaining': '2000',
    'anthropic-ratelimit-output-tokens-reset': '2026-01-01T00:00:30Z',
  };
  assert.deepEqual(readHeadroom(anthropic, Date.parse('2026-01-01T00:00:00Z')), {
    share: 0.25,
    resetMs: 30_000,
  });
  const bare = {
    'x-ratelimit-limit-requests': '10',
    'x-ratelimit-remaining-requests': '5',
    'x-ratelimit-reset-requests': '20ms',
  };
  assert.deepEqual(readHeadroom(bare, 0), { share: 0.5, resetMs: 20 });
  const cerebras = {
    'x-ratelimit-limit-requests-day': '1000',
    'x-ratelimit-remaining-requests-day': '900',
    'x-ratelimit-reset-requests-day': '33011.5',
    'x-ratelimit-limit-tokens-minute': '60000',
    'x-ratelimit-remaining-tokens-minute': '15000',
    'x-ratelimit-reset-tokens-minute': '11.5',
  };
  assert.deepEqual(readHeadroom(cerebras, 0), { share: 0.25, resetMs: 11_500 });
  const unnamed = {
    'x-ratelimit-limit': '20',
    'x-ratelimit-remaining': '5',
    'x-ratelimit-reset': '1789138080000',
  };
  assert.deepEqual(readHeadroom(unnamed, 1_789_138_020_000), { share: 0.25, resetMs: 60_000 });
  assert.deepEqual(readHeadroom({ ...unnamed, 'x-ratelimit-reset': '1789138080' }, 1_789_138_050_000), {
    share: 0.25,
    resetMs: 30_000,
  });
  assert.equal(readHeadroom({ 'x-ratelimit-limit-requests': 'many' }, 0), undefined);
});
