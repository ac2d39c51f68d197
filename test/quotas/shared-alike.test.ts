import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { compileTenantLimits, NO_SHARED_LIMITS } from '../../src/quotas/compile-limits.ts';
import { CounterBook } from '../../src/quotas/counters.ts';
import type { Demand, Limit } from '../../src/quotas/limit.ts';
import { LocalQuotas } from '../../src/quotas/local-quotas.ts';
import { Reservation, type Used } from '../../src/quotas/reservation.ts';
import { redisMissing, startRedis } from '../support/redis.ts';
import { scale } from '../support/scale.ts';
import { openTempStore } from '../support/temp-store.ts';
import { makeSharedQuotas, START } from './shared-instance.ts';

const redis = redisMissing ? undefined : await startRedis({ saves: false });
after(() => redis?.close());

const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      does: fc.constant('come' as const),
      at: fc.nat({ max: 1 }),
      tokens: fc.nat({ max: 1_500 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      does: fc.constantFrom('settle' as const, 'end' as const),
      which: fc.nat(),
      tokens: fc.nat({ max: 2_500 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ does: fc.constant('wait' as const), ms: fc.nat({ max: 25_000 }) }) },
);

/** With a place or a budget a call can be told from others; of a rate alone it cannot. */
const KINDS = [
  { tokensPerMinute: 5_000 },
  { requestsPerMinute: 8, tokensPerMinute: 5_000, concurrentCalls: 4 },
  { tokensPerMinute: 5_000, budgets: [{ tokens: 12_000, per: 'hour' as const }] },
];

test('two instances with a Redis grant and refuse, and say what is left, as one process that counts by itself', {
  skip: redisMissing,
}, async (context) => {
  assert.ok(redis);
  const store = await openTempStore(context);
  const property = fc.asyncProperty(fc.constantFrom(...KINDS), steps(), async (limits, sequence) => {
    await redis.client.flushall();
    const compile = (counters: CounterBook) =>
      compileTenantLimits('t', { limits, keys: [] }, NO_SHARED_LIMITS, counters);
    const sides = [0, 1].map(() => {
      const side = makeSharedQuotas({
        ...{ url: redis.url, store, onStateLoss: 'deny', tell: () => {} },
        limits: () => [],
      });
      return { ...side, limits: limitsOf(compile(side.counters)) };
    });
    for (const { quotas } of sides) await quotas.open();
    let nowMs = START;
    const counters = new CounterBook();
    const local = new LocalQuotas(counters, () => nowMs);
    const localLimits = limitsOf(compile(counters));
    const running: { at: number; shared: Reservation; alone: Reservation }[] = [];
    for (const [number, action] of sequence.entries()) {
      if (action.does === 'wait') {
        nowMs += action.ms;
        for (const { time } of sides) await time.advance(action.ms);
      } else if (action.does === 'come') {
        const side = sides[action.at];
        assert.ok(side);
        const demand: Demand = { calls: 1, tokens: action.tokens, nanoUsd: 0, costs: true, spare: 0 };
        const shared = await side.quotas.reserve(side.limits, demand, `call-${number}`);
        const alone = local.reserve(localLimits, demand);
        assert.deepEqual(describe(shared), describe(alone), `step ${number}`);
        if (shared instanceof Reservation && alone instanceof Reservation)
          running.push({ at: action.at, shared, alone });
      } else {
        const place = action.which % Math.max(running.length, 1);
        const call = running[place];
        const side = sides[call?.at ?? 0];
        if (!call || !side) continue;
        const used: Used = { calls: 1, tokens: action.tokens, nanoUsd: 0 };
        side.quotas[action.does](call.shared, used);
        local[action.does](call.alone, used);
        if (action.does === 'settle') running.splice(place, 1);
        await side.quotas.noteUncounted();
      }
    }
    for (const { quotas } of sides) await quotas.close();
    for (const key of await redis.client.keys('*'))
      assert.ok((await redis.client.pttl(key)) > 0, `${key} would stay for ever`);
  });
  await fc.assert(property, { numRuns: scale({ sample: 60, heavy: 3_000 }) });
});

function steps() {
  return fc.array(step, { maxLength: 60 });
}

function limitsOf(book: ReturnType<typeof compileTenantLimits>): readonly Limit[] {
  return book.ofKey('k')?.find('m') ?? [];
}

function describe(outcome: Awaited<ReturnType<LocalQuotas['reserve']>>): object {
  if (outcome instanceof Reservation) return { requests: outcome.requests, tokens: outcome.tokens };
  const { limit, available, waitMs } = outcome;
  return { refuses: limit.kind, available, waitMs };
}
