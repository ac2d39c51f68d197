import assert from 'node:assert/strict';
import { afterEach, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { compileTenantLimits, NO_SHARED_LIMITS } from '../../src/quotas/compile-limits.ts';
import type { Demand, Limit } from '../../src/quotas/limit.ts';
import { Reservation } from '../../src/quotas/reservation.ts';
import { redisMissing, startRedis } from '../support/redis.ts';
import { openTempStore } from '../support/temp-store.ts';
import { findBudget, makeSharedQuotas, START } from './shared-instance.ts';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const DEMAND: Demand = { calls: 1, tokens: 600, nanoUsd: 0, costs: true, spare: 0 };

/** One instance, whose time stands still until it is moved. */
async function startInstance(context: TestContext, url: string, { calls = 1 } = {}) {
  const store = await openTempStore(context);
  const { time, counters, quotas } = makeSharedQuotas({
    url,
    store,
    onStateLoss: 'deny',
    limits: () => book.own,
    tell: (severity, kind) => assert.notEqual(severity, 'alarm', kind),
  });
  const limits = { concurrentCalls: calls, budgets: [{ tokens: calls * 1_000, per: 'day' as const }] };
  const book = compileTenantLimits('t', { limits, keys: [] }, NO_SHARED_LIMITS, counters);
  await quotas.open();
  const found: readonly Limit[] = book.ofKey('k')?.find('m') ?? [];
  return { time, quotas, reserve: (id: string) => Promise.resolve(quotas.reserve(found, DEMAND, id)) };
}

test('a running call keeps what it took as long as its instance lives, and no more than a minute longer', {
  skip: redisMissing,
}, async (context) => {
  const redis = await startRedis({ saves: false });
  closing.push(redis.close);
  const one = await startInstance(context, redis.url);
  const two = await startInstance(context, redis.url);
  closing.push(() => two.quotas.close());

  assert.ok((await one.reserve('a')) instanceof Reservation);
  for (let passed = 0; passed < 180_000; passed += 20_000) {
    await one.time.advance(20_000);
    await two.time.advance(20_000);
    // The renewal is sent, and not waited for.
    await sleep(50);
    assert.ok(!((await two.reserve('b')) instanceof Reservation), `after ${passed} ms it still runs`);
  }
  // As a crash ends it: without a settlement.
  await one.quotas.close();
  await two.time.advance(50_000);
  assert.ok(!((await two.reserve('b')) instanceof Reservation));
  await two.time.advance(15_000);
  const next = await two.reserve('b');
  assert.ok(next instanceof Reservation, 'its place and its 600 of 1,000 tokens are free');
  two.quotas.settle(next, { calls: 1, tokens: 100, nanoUsd: 0 });
  await sleep(50);
  const budget = (await findBudget(redis)) ?? assert.fail('there is no budget');
  assert.deepEqual({ ...(await redis.client.hgetall(budget)) }, { reserved: '0', spent: '100' });
});

test('a call that is settled twice counts once', { skip: redisMissing }, async (context) => {
  const redis = await startRedis({ saves: false });
  closing.push(redis.close);
  const { quotas, reserve } = await startInstance(context, redis.url);
  closing.push(() => quotas.close());
  const call = await reserve('a');
  assert.ok(call instanceof Reservation);
  quotas.settle(call, { calls: 1, tokens: 70, nanoUsd: 0 });
  quotas.settle(call, { calls: 1, tokens: 70, nanoUsd: 0 });
  await sleep(50);
  const budget = (await findBudget(redis)) ?? assert.fail('there is no budget');
  assert.deepEqual({ ...(await redis.client.hgetall(budget)) }, { reserved: '0', spent: '70' });
});

test('the leases of many calls go on with few scripts, and a Redis that is late with that is not away', {
  skip: redisMissing,
}, async (context) => {
  const redis = await startRedis({ saves: false });
  closing.push(redis.close);
  const { time, quotas, reserve } = await startInstance(context, redis.url, { calls: 1_000 });
  closing.push(() => quotas.close());
  for (let call = 0; call < 1_000; call++) assert.ok((await reserve(`call-${call}`)) instanceof Reservation);
  await redis.client.config('RESETSTAT');
  redis.freeze();
  // Longer than the answer to a call may take: nobody waits for these.
  await time.advance(35_000);
  redis.thaw();
  const budget = (await findBudget(redis)) ?? assert.fail('there is no budget');
  const until = START + 20_000 + 60_000;
  for (let tries = 0; (await redis.client.zcount(`${budget}:held`, until, '+inf')) < 1_000; tries++) {
    assert.ok(tries < 200, 'the leases were not renewed');
    await sleep(10);
  }
  const stats = await redis.client.info('commandstats');
  assert.ok(Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1]) <= 5, stats);
});
