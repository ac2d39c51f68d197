import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { compileTenantLimits, NO_SHARED_LIMITS } from '../../src/quotas/compile-limits.ts';
import type { Demand, Limit } from '../../src/quotas/limit.ts';
import { Reservation, type Used } from '../../src/quotas/reservation.ts';
import { redisMissing, startRedis, type TestRedis } from '../support/redis.ts';
import { openTempStore } from '../support/temp-store.ts';
import { findBudget, startBehindNetwork } from './shared-instance.ts';

const DEMAND: Demand = { calls: 1, tokens: 600, nanoUsd: 0, costs: true, spare: 0 };
const USED: Used = { calls: 1, tokens: 70, nanoUsd: 0 };
/** What only a settlement of the budget sends: 600 taken, 70 used. */
const SETTLEMENT = 'budget\n600\n70\n';
/** What only brings in what was counted alone: 70 used. */
const BROUGHT_IN = 'budget\n70\n';
/** What only moves a call in: its lease, how long its mark stays, and when it began. */
const MOVED_IN = '\n60000\n120000\n';
/** Longer than a lease, and than anybody waits for an answer. */
const PARTITION_MS = 180_000;

/** An instance with a Redis of its own behind a network that loses what it is told to. */
async function setUp(context: TestContext, { saves = true } = {}) {
  const redis = await startRedis({ saves });
  const store = await openTempStore(context);
  context.after(() => redis.close());
  const { counters, ...instance } = await startBehindNetwork(context, redis, {
    store,
    limits: () => book.own,
  });
  const limits = { tokensPerMinute: 100_000, budgets: [{ tokens: 100_000, per: 'day' as const }] };
  const book = compileTenantLimits('t', { limits, keys: [] }, NO_SHARED_LIMITS, counters);
  await instance.quotas.open();
  const found: readonly Limit[] = book.ofKey('k')?.find('m') ?? [];
  const reserve = async (id: string) => {
    const outcome = await instance.quotas.reserve(found, DEMAND, id);
    assert.ok(outcome instanceof Reservation);
    return outcome;
  };
  return { redis, ...instance, reserve };
}

/** What the Redis knows of the one budget, once it was spent of. */
async function readBudget(redis: TestRedis): Promise<Record<string, string>> {
  for (let tries = 0; tries < 200; tries++) {
    const key = await findBudget(redis);
    const budget: Record<string, string> = key === undefined ? {} : { ...(await redis.client.hgetall(key)) };
    if (Number(budget['spent'] ?? 0) > 0) return budget;
    await sleep(10);
  }
  throw new Error('nothing was spent');
}

/** Has time go by for the Redis: its keys are so much nearer to their ends. */
async function letPass({ client }: TestRedis, ms: number): Promise<void> {
  for (const key of await client.keys('fairlead:*')) {
    await client.pexpire(key, (await client.pttl(key)) - ms);
  }
}

test('a settlement whose answer was lost counts once, however long nobody gets through', {
  skip: redisMissing,
}, async (context) => {
  const { redis, proxy, time, quotas, reserve, until } = await setUp(context);
  const call = await reserve('a');
  proxy.loseAnswerTo(SETTLEMENT);
  quotas.settle(call, USED);
  assert.deepEqual(await readBudget(redis), { spent: '70', reserved: '0' });
  await until('quota_state_lost');
  await time.advance(PARTITION_MS);
  await letPass(redis, PARTITION_MS);
  proxy.mend();
  await until('quota_state_back');
  assert.deepEqual(await readBudget(redis), { spent: '70', reserved: '0' });
});

test('what was counted alone is brought in once, however long the answer to that is awaited', {
  skip: redisMissing,
}, async (context) => {
  const { redis, proxy, time, quotas, reserve, until } = await setUp(context);
  quotas.settle(await reserve('a'), USED);
  await readBudget(redis);
  await redis.stop();
  await until('quota_state_lost');
  quotas.settle(await reserve('b'), USED);
  proxy.loseAnswerTo(BROUGHT_IN);
  await redis.start();
  for (let tries = 0; proxy.isWhole; tries++) {
    assert.ok(tries < 200, 'nothing was brought in');
    await time.advance(250);
    await sleep(25);
  }
  await time.advance(PARTITION_MS);
  await letPass(redis, PARTITION_MS);
  proxy.mend();
  await until('quota_state_back');
  assert.equal((await readBudget(redis))['spent'], '140');
});

test('a call that ends while the Redis loses its data is counted there when it is back', {
  skip: redisMissing,
}, async (context) => {
  const { redis, quotas, reserve, until } = await setUp(context, { saves: false });
  const [one, two] = [await reserve('a'), await reserve('b')];
  await redis.stop();
  await until('quota_state_lost');
  quotas.settle(one, USED);
  await redis.start();
  await until('quota_state_back');
  quotas.settle(two, USED);
  await sleep(100);
  assert.equal((await readBudget(redis))['spent'], '140');
});

test('a settlement that a Redis without its data answers too late is counted there when it is back', {
  skip: redisMissing,
}, async (context) => {
  const { redis, time, quotas, reserve, until } = await setUp(context);
  const call = await reserve('a');
  await redis.client.flushall();
  redis.freeze();
  quotas.settle(call, USED);
  await time.advance(15_000);
  await until('quota_state_lost');
  redis.thaw();
  await until('quota_state_back');
  assert.deepEqual(await readBudget(redis), { spent: '70' });
});

test('a settlement that the Redis answers too late, and loses then, is counted there when it is back', {
  skip: redisMissing,
}, async (context) => {
  const { redis, time, quotas, reserve, until } = await setUp(context);
  const call = await reserve('a');
  redis.freeze();
  quotas.settle(call, USED);
  await time.advance(15_000);
  await until('quota_state_lost');
  redis.thaw();
  assert.equal((await readBudget(redis))['spent'], '70');
  await redis.client.flushall();
  await until('quota_state_back');
  assert.equal((await readBudget(redis))['spent'], '70');
});

test('a call whose lease ran out while nobody got through is counted when it ends, and holds its amount until then', {
  skip: redisMissing,
}, async (context) => {
  const { redis, proxy, time, quotas, reserve, until } = await setUp(context);
  const call = await reserve('a');
  proxy.loseAnswerTo(SETTLEMENT);
  quotas.settle(await reserve('b'), USED);
  await until('quota_state_lost');
  await time.advance(PARTITION_MS);
  proxy.mend();
  await until('quota_state_back');
  // The next call finds the lease to have run out.
  const next = await reserve('c');
  await time.advance(20_000);
  await sleep(100);
  assert.equal((await readBudget(redis))['reserved'], '1200', 'both run');
  quotas.settle(call, USED);
  quotas.settle(next, USED);
  await sleep(100);
  assert.deepEqual(await readBudget(redis), { spent: '210', reserved: '0' });
});

for (const ends of ['while nobody gets through', 'when they are back'] as const) {
  test(`a call that is moved in twice, because the answer was lost, is held once, and ends ${ends}`, {
    skip: redisMissing,
  }, async (context) => {
    const { redis, proxy, time, quotas, reserve, until } = await setUp(context);
    quotas.settle(await reserve('a'), USED);
    await readBudget(redis);
    await redis.stop();
    await until('quota_state_lost');
    const call = await reserve('b');
    proxy.loseAnswerTo(MOVED_IN);
    await redis.start();
    for (let tries = 0; proxy.isWhole; tries++) {
      assert.ok(tries < 200, 'nothing was moved in');
      await time.advance(250);
      await sleep(25);
    }
    if (ends === 'while nobody gets through') quotas.settle(call, USED);
    proxy.mend();
    await until('quota_state_back');
    if (ends === 'when they are back') {
      assert.equal((await readBudget(redis))['reserved'], '600');
      quotas.settle(call, USED);
      await sleep(100);
      // A rate knows no calls: where the call ended meanwhile it counts there as if it had used what it took.
      const window = (await redis.client.keys('fairlead:*|tokens'))[0];
      const { at: _, sum, ...slices } = await redis.client.hgetall(window ?? '');
      assert.deepEqual([sum, ...Object.values(slices)], ['140', '140']);
    }
    assert.deepEqual(await readBudget(redis), { spent: '140', reserved: '0' });
  });
}

test('a Redis that was emptied holds calls once, also where the answer to that was lost', {
  skip: redisMissing,
}, async (context) => {
  const { redis, proxy, time, quotas, reserve, until } = await setUp(context);
  const calls = [await reserve('a'), await reserve('b')];
  await redis.client.flushall();
  proxy.loseAnswerTo(MOVED_IN);
  quotas.settle(await reserve('c'), USED);
  for (let tries = 0; proxy.isWhole; tries++) {
    assert.ok(tries < 200, 'nothing was moved in');
    await time.advance(250);
    await sleep(25);
  }
  proxy.mend();
  await until('quota_state_back');
  await sleep(50);
  assert.deepEqual(await readBudget(redis), { spent: '70', reserved: '1200' });
  for (const call of calls) quotas.settle(call, USED);
  await sleep(100);
  assert.deepEqual(await readBudget(redis), { spent: '210', reserved: '0' });
});

for (const evicted of ['the counter', 'the leases', 'both'] as const) {
  test(`a Redis that lost ${evicted} of a budget holds a running call again within a third of a lease`, {
    skip: redisMissing,
  }, async (context) => {
    const { redis, time, quotas, reserve } = await setUp(context);
    const call = await reserve('a');
    const keys = await redis.client.keys('fairlead:*tokenBudget:day@*');
    const isMeant = (key: string) =>
      evicted === 'both' || key.endsWith(':held') === (evicted === 'the leases');
    await redis.client.del(...keys.filter(isMeant));
    await time.advance(20_000);
    await sleep(50);
    const budget = keys.find((key) => !key.endsWith(':held')) ?? '';
    assert.equal(await redis.client.hget(budget, 'reserved'), '600');
    quotas.settle(call, USED);
    assert.deepEqual(await readBudget(redis), { spent: '70', reserved: '0' });
  });
}
