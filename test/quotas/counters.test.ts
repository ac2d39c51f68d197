import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compileTenantLimits, NO_SHARED_LIMITS } from '../../src/quotas/compile-limits.ts';
import { BudgetCounter, CounterBook } from '../../src/quotas/counters.ts';
import type { Demand, Limit } from '../../src/quotas/limit.ts';
import { LocalQuotas } from '../../src/quotas/local-quotas.ts';
import { PERIODS } from '../../src/quotas/period.ts';
import { writeDuration } from '../../src/quotas/rate-headers.ts';
import { Reservation } from '../../src/quotas/reservation.ts';
import { WINDOW_MS } from '../../src/quotas/window.ts';

const START = Date.UTC(2026, 1, 27, 23, 30);
const MAX = { requests: 20, tokens: 5_000, concurrent: 6, budget: 20_000 };

function setUp() {
  const counters = new CounterBook();
  let nowMs = START;
  const quotas = new LocalQuotas(counters, () => nowMs);
  const limits: NonNullable<Parameters<typeof compileTenantLimits>[1]['limits']> = {
    requestsPerMinute: MAX.requests,
    tokensPerMinute: MAX.tokens,
    concurrentCalls: MAX.concurrent,
    budgets: [{ tokens: MAX.budget, per: 'hour' }],
  };
  const book = compileTenantLimits('t', { limits, keys: [] }, NO_SHARED_LIMITS, counters);
  return {
    quotas,
    limits: book.ofKey('k')?.find('m') ?? [],
    pass: (ms: number) => {
      nowMs += ms;
    },
    now: () => nowMs,
  };
}

const demandOf = (tokens: number): Demand => ({ calls: 1, tokens, nanoUsd: 0, costs: true, spare: 0 });
const usedTokens = (tokens: number) => ({ calls: 1 as const, tokens, nanoUsd: 0 });

/** A call comes, one that runs ends (twice, for that must not matter), or time passes. */
const steps = fc.array(
  fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({ does: fc.constant('come' as const), tokens: fc.nat({ max: 2_000 }) }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        does: fc.constant('end' as const),
        which: fc.nat(),
        share: fc.double({ min: 0, max: 1, noNaN: true }),
      }),
    },
    { weight: 3, arbitrary: fc.record({ does: fc.constant('wait' as const), ms: fc.nat({ max: 40_000 }) }) },
  ),
  { maxLength: 200 },
);

test('whatever comes and goes: no window and no period gets more than its limit, and nothing stays reserved', () => {
  fc.assert(
    fc.property(steps, (sequence) => {
      const { quotas, limits, pass, now } = setUp();
      const running: { reservation: Reservation; tokens: number }[] = [];
      const taken: { atMs: number; tokens: number }[] = [];
      const spentIn = new Map<number, number>();
      const hourOf = (atMs: number) => PERIODS.hour(atMs).startMs;
      const end = (index: number, share: number) => {
        const [call] = running.splice(index, 1);
        if (!call) return;
        const used = Math.floor(call.tokens * share);
        quotas.settle(call.reservation, usedTokens(used));
        quotas.settle(call.reservation, usedTokens(used));
        const entry = taken.find(
          ({ atMs, tokens }) => atMs === call.reservation.atMs && tokens === call.tokens,
        );
        if (entry) entry.tokens = used;
        const hour = hourOf(call.reservation.atMs);
        spentIn.set(hour, (spentIn.get(hour) ?? 0) + used);
      };
      for (const step of sequence) {
        if (step.does === 'wait') pass(step.ms);
        else if (step.does === 'end') {
          if (running.length > 0) end(step.which % running.length, step.share);
        } else {
          const outcome = quotas.reserve(limits, demandOf(step.tokens));
          if (!(outcome instanceof Reservation)) continue;
          running.push({ reservation: outcome, tokens: step.tokens });
          taken.push({ atMs: now(), tokens: step.tokens });
        }
        const recent = taken.filter(({ atMs }) => atMs > now() - WINDOW_MS);
        assert.ok(recent.length <= MAX.requests);
        assert.ok(recent.reduce((sum, { tokens }) => sum + tokens, 0) <= MAX.tokens);
        assert.ok(running.length <= MAX.concurrent);
        const reserved = running.filter(({ reservation }) => hourOf(reservation.atMs) === hourOf(now()));
        const hour =
          (spentIn.get(hourOf(now())) ?? 0) + reserved.reduce((sum, { tokens }) => sum + tokens, 0);
        assert.ok(hour <= MAX.budget);
      }
      while (running.length > 0) end(0, 0);
      pass(2 * WINDOW_MS);
      for (const { counter, kind, max } of limits) {
        if (kind === 'tokenBudget') {
          assert.ok(counter instanceof BudgetCounter);
          assert.equal(counter.reserved(now()), 0);
          assert.equal(counter.spent(now()), spentIn.get(hourOf(now())) ?? 0);
        } else assert.equal(counter.available(max, now()), max, kind);
      }
    }),
  );
});

test('callers that press on never get more than the limit in any 60 seconds', () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 3_000 }), { minLength: 100, maxLength: 200 }), (pauses) => {
      const { quotas, limits, pass, now } = setUp();
      const rate = limits.filter(({ kind }) => kind === 'requests');
      const passed: number[] = [];
      for (const pause of pauses) {
        pass(pause);
        if (quotas.reserve(rate, demandOf(0)) instanceof Reservation) passed.push(now());
        assert.ok(passed.filter((atMs) => atMs > now() - WINDOW_MS).length <= MAX.requests);
      }
      assert.ok(passed.length >= MAX.requests);
    }),
  );
});

test('a refused call says how long to wait, and fits then', () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 20_000 }), { minLength: 20, maxLength: 60 }), (pauses) => {
      const { quotas, limits, pass } = setUp();
      const rate = limits.filter(({ kind }) => kind === 'requests');
      for (const pause of pauses) {
        pass(pause % 4_000);
        const outcome = quotas.reserve(rate, demandOf(0));
        if (outcome instanceof Reservation) continue;
        assert.ok(outcome.waitMs !== undefined && outcome.waitMs > 0);
        pass(outcome.waitMs - 1);
        assert.ok(
          !(quotas.reserve(rate, demandOf(0)) instanceof Reservation),
          'a moment earlier it does not',
        );
        pass(1);
        assert.ok(quotas.reserve(rate, demandOf(0)) instanceof Reservation);
      }
    }),
  );
});

test('what a call used beyond what it reserved counts, and a spent budget lets nothing through until its period ends', () => {
  const { quotas, limits, pass } = setUp();
  const budget = limits.filter(({ kind }) => kind === 'tokenBudget');
  const first = quotas.reserve(budget, demandOf(100));
  assert.ok(first instanceof Reservation);
  quotas.settle(first, usedTokens(MAX.budget + 500));
  const refused = quotas.reserve(budget, demandOf(0));
  assert.ok(!(refused instanceof Reservation));
  assert.equal(refused.waitMs, 30 * 60_000, 'the hour ends with the clock’s');
  pass(30 * 60_000 - 1);
  assert.ok(!(quotas.reserve(budget, demandOf(0)) instanceof Reservation));
  pass(1);
  assert.ok(quotas.reserve(budget, demandOf(MAX.budget)) instanceof Reservation);
});

test('a call belongs to the period in which it began', () => {
  const { quotas, limits, pass, now } = setUp();
  const [budget] = limits.filter(({ kind }) => kind === 'tokenBudget') as [Limit];
  const call = quotas.reserve([budget], demandOf(5_000));
  assert.ok(call instanceof Reservation);
  pass(40 * 60_000);
  const next = quotas.reserve([budget], demandOf(MAX.budget));
  assert.ok(next instanceof Reservation, 'the new hour is whole');
  quotas.settle(call, usedTokens(5_000));
  assert.equal((budget.counter as BudgetCounter).spent(now()), 0);
  assert.equal((budget.counter as BudgetCounter).reserved(now()), MAX.budget);
});

test('a clock that is set back leaves nothing reserved and nobody locked out', () => {
  const { quotas, limits, pass, now } = setUp();
  for (const jump of [-1, -70_000, -3 * 3_600_000, 5 * 3_600_000]) {
    const before = quotas.reserve(limits, demandOf(10));
    assert.ok(before instanceof Reservation);
    pass(jump);
    const after = quotas.reserve(limits, demandOf(10));
    assert.ok(after instanceof Reservation);
    quotas.settle(before, usedTokens(0));
    quotas.settle(after, usedTokens(0));
  }
  for (const { counter } of limits) {
    if (counter instanceof BudgetCounter) assert.equal(counter.reserved(now()), 0);
  }
});

test('months, days and hours are those of UTC', () => {
  const at = Date.UTC(2028, 1, 29, 13, 45, 1);
  const iso = ({ startMs, endMs }: { startMs: number; endMs: number }) =>
    [startMs, endMs].map((ms) => new Date(ms).toISOString());
  assert.deepEqual(iso(PERIODS.month(at)), ['2028-02-01T00:00:00.000Z', '2028-03-01T00:00:00.000Z']);
  assert.deepEqual(iso(PERIODS.month(Date.UTC(2028, 11, 31))), [
    '2028-12-01T00:00:00.000Z',
    '2029-01-01T00:00:00.000Z',
  ]);
  assert.deepEqual(iso(PERIODS.day(at)), ['2028-02-29T00:00:00.000Z', '2028-03-01T00:00:00.000Z']);
  assert.deepEqual(iso(PERIODS.hour(at)), ['2028-02-29T13:00:00.000Z', '2028-02-29T14:00:00.000Z']);
  assert.equal(PERIODS.total().endMs, Number.POSITIVE_INFINITY);
});

test('durations are written as OpenAI writes them', () => {
  for (const [ms, text] of [
    [0, '0ms'],
    [17, '17ms'],
    [1_000, '1s'],
    [1_500, '1.5s'],
    [60_000, '1m0s'],
    [61_250, '1m1.25s'],
    [360_000, '6m0s'],
  ] as const) {
    assert.equal(writeDuration(ms), text);
  }
});

test('counters of an earlier tenant of a name are forgotten, in each of its scopes, and no others', () => {
  let life = 0;
  const book = new CounterBook((tenant) => (tenant === 'again' ? life : 0));
  const config = {
    ...{ limits: { concurrentCalls: 1 }, modelLimits: { 'echo/*': { concurrentCalls: 1 } } },
    keys: [{ name: 'app', limits: { concurrentCalls: 1 } }],
  };
  const limitsOf = (tenant: string) => compileTenantLimits(tenant, config, NO_SHARED_LIMITS, book).own;
  const [earlier, other] = [limitsOf('again'), limitsOf('other')];
  const before = new Map([...earlier, ...other].map((limit) => [limit.id, limit.counter]));
  life = 7;
  const later = limitsOf('again');
  for (const { id, counter } of later)
    assert.ok(!before.has(id) && ![...before.values()].includes(counter), id);
  book.sweep(1_000_000);
  const left = (limits: readonly Limit[]) => limits.map(({ id }) => book.find(id) !== undefined);
  assert.deepEqual(left(earlier), [false, false, false]);
  assert.deepEqual(left(other), [true, true, true]);
  assert.deepEqual(left(later), [true, true, true]);
});
