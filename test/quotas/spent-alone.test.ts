import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { NO_USAGE } from '../../src/conversation/usage.ts';
import { compileTenantLimits, NO_SHARED_LIMITS } from '../../src/quotas/compile-limits.ts';
import { BudgetCounter } from '../../src/quotas/counters.ts';
import type { Demand } from '../../src/quotas/limit.ts';
import { Reservation } from '../../src/quotas/reservation.ts';
import { learnSpent } from '../../src/quotas/spent-budgets.ts';
import type { Store } from '../../src/store/store.ts';
import { toCallRow } from '../../src/usage/call-row.ts';
import type { UsageRecord } from '../../src/usage/record.ts';
import { redisMissing, startRedis, type TestRedis } from '../support/redis.ts';
import { openTempStore } from '../support/temp-store.ts';
import { makeRecord } from '../support/usage-records.ts';
import { findBudget, startBehindNetwork } from './shared-instance.ts';

const DEMAND: Demand = { calls: 1, tokens: 600, nanoUsd: 0, costs: true, spare: 0 };

/** Instances that share a Redis, each behind a network of its own, and a store. */
async function setUp(context: TestContext) {
  const redis = await startRedis();
  const store = await openTempStore(context);
  context.after(() => redis.close());
  return { redis, store, start: () => startInstance(context, redis, store) };
}

async function startInstance(context: TestContext, redis: TestRedis, store: Store) {
  const { time, counters, now, quotas, proxy, until } = await startBehindNetwork(context, redis, {
    store,
    limits: () => book.own,
  });
  let book = compileTenantLimits('acme', { limits: {}, keys: [] }, NO_SHARED_LIMITS, counters);
  let cuts = 0;
  const one = {
    time,
    quotas,
    /** As a start, or a change of the configuration, has it. */
    async setBudget() {
      book = compileTenantLimits(
        'acme',
        { limits: { budgets: [{ tokens: 100_000, per: 'day' }] }, keys: [] },
        NO_SHARED_LIMITS,
        counters,
      );
      await learnSpent(book.own, store, now(), undefined, quotas);
      await quotas.learn(book.own);
    },
    async open() {
      await one.setBudget();
      await quotas.open();
      return one;
    },
    async take() {
      const record = makeRecord({ startedAt: now() });
      const reservation = await quotas.reserve(book.ofKey('app')?.find('smart') ?? [], DEMAND, record.id);
      assert.ok(reservation instanceof Reservation);
      const settle = (tokens: number) => quotas.settle(reservation, { calls: 1, tokens, nanoUsd: 0 });
      return { record, settle };
    },
    async begin() {
      const { record, settle } = await one.take();
      return async (tokens: number) => {
        settle(tokens);
        // As the ledger does it.
        await quotas.noteUncounted();
        await store.insertCalls([toCallRow({ ...record, usage: { ...NO_USAGE, input: tokens } })]);
      };
    },
    async spend(tokens: number) {
      const end = await one.begin();
      await end(tokens);
    },
    isolate: () => proxy.cut(),
    async goAway() {
      proxy.cut();
      cuts += 1;
      await until('quota_state_lost', cuts);
    },
    untilBack: (times: number) => until('quota_state_back', times),
    async comeBack() {
      proxy.mend();
      await until('quota_state_back', Math.max(1, cuts));
    },
    /** As `PastSpending` does it, of a call that a process left; `whileStored`: between its record and its settlement. */
    async recover(
      record: UsageRecord,
      tokens: number,
      countedAlone: boolean,
      whileStored: () => Promise<unknown> = async () => {},
    ) {
      const [limit] = book.own;
      assert.ok(limit);
      const spendings = [{ limit, callId: record.id, atMs: record.startedAt, amount: tokens, countedAlone }];
      await quotas.noteRecovered(spendings);
      await store.insertCalls([toCallRow({ ...record, usage: { ...NO_USAGE, input: tokens } })]);
      await whileStored();
      await quotas.recover(spendings);
    },
    known() {
      const [limit] = book.own;
      assert.ok(limit?.counter instanceof BudgetCounter);
      return limit.counter.spent(now());
    },
  };
  return one;
}

async function readBudget(redis: TestRedis): Promise<Record<string, string>> {
  await sleep(50);
  const key = await findBudget(redis);
  return { ...(await redis.client.hgetall(key ?? '')) };
}

const ORDERS = [
  [0, 1, 2],
  [0, 2, 1],
  [1, 0, 2],
  [1, 2, 0],
  [2, 0, 1],
  [2, 1, 0],
] as const;

for (const order of ORDERS) {
  test(`what two spent alone is counted once beside one that started meanwhile, where they return in the order ${order}`, {
    skip: redisMissing,
  }, async (context) => {
    const { redis, start } = await setUp(context);
    const [one, two] = [await (await start()).open(), await (await start()).open()];
    await one.spend(100);
    await two.spend(20);
    // Begun there: one ends while they are away, the other when they are back; and one more of each begins alone.
    const [early, late] = [await one.begin(), await two.begin()];
    await one.goAway();
    await two.goAway();
    await one.spend(3_000);
    await two.spend(400);
    const alone = await two.begin();
    await early(50);
    const three = await start();
    three.isolate();
    await three.open();
    assert.equal(three.known(), 3_570);
    await three.spend(7);
    const instances = [one, two, three];
    for (const each of order) await instances[each]?.comeBack();
    await late(60_000);
    await alone(5_000);
    assert.deepEqual(await readBudget(redis), { spent: '68577', reserved: '0' });
    // Nobody has anything left to bring in, and who starts now changes nothing.
    for (const each of instances) await each.time.advance(20_000);
    await (await start()).open();
    assert.deepEqual(await readBudget(redis), { spent: '68577', reserved: '0' });
  });
}

test('what an instance spent alone that is no more is brought in by another, calls that it had begun there too', {
  skip: redisMissing,
}, async (context) => {
  const { redis, start } = await setUp(context);
  const [one, two] = [await (await start()).open(), await (await start()).open()];
  await two.spend(20);
  const begun = await one.begin();
  await one.goAway();
  await one.spend(3_000);
  await begun(50);
  // It never comes back. Another one was never away, and counts on.
  await two.spend(400);
  await two.time.advance(20_000);
  assert.deepEqual(await readBudget(redis), { spent: '3470', reserved: '0' });
  const three = await (await start()).open();
  await three.spend(7);
  assert.deepEqual(await readBudget(redis), { spent: '3477', reserved: '0' });
});

test('an instance that is alone longer than others wait brings in what they did not', {
  skip: redisMissing,
}, async (context) => {
  const { redis, start } = await setUp(context);
  const [one, two] = [await (await start()).open(), await (await start()).open()];
  const begun = await one.begin();
  await one.goAway();
  await one.spend(3_000);
  await begun(50);
  await two.time.advance(20_000);
  assert.equal((await readBudget(redis))['spent'], '3050');
  await one.spend(200);
  await (await start()).open();
  await two.time.advance(20_000);
  await one.spend(1_000);
  await one.comeBack();
  assert.deepEqual(await readBudget(redis), { spent: '4250', reserved: '0' });
});

test('a budget that is set while the Redis is away counts what was spent before and since, once', {
  skip: redisMissing,
}, async (context) => {
  const { redis, start } = await setUp(context);
  const [one, two] = [await start(), await start()];
  for (const each of [one, two]) await each.quotas.open();
  await one.spend(100);
  await one.goAway();
  await two.goAway();
  await one.spend(3_000);
  await two.spend(400);
  await one.setBudget();
  await one.spend(7);
  await two.setBudget();
  await two.spend(20_000);
  await two.comeBack();
  await one.comeBack();
  assert.deepEqual((await readBudget(redis))['spent'], '23507');
});

test('a Redis that lost its data while two were alone is told all of it', {
  skip: redisMissing,
}, async (context) => {
  const { redis, start } = await setUp(context);
  const [one, two] = [await (await start()).open(), await (await start()).open()];
  await one.spend(100);
  await two.spend(20);
  await one.spend(1);
  await one.goAway();
  await two.goAway();
  await one.spend(3_000);
  await two.spend(400);
  await redis.client.flushall();
  await one.comeBack();
  await two.comeBack();
  assert.deepEqual((await readBudget(redis))['spent'], '3521');
});

test('a call that a process left is counted once beside an instance that starts when its record is stored', {
  skip: redisMissing,
}, async (context) => {
  const { redis, start } = await setUp(context);
  const one = await (await start()).open();
  await one.spend(100);
  const { record: left } = await one.take();
  const next = await (await start()).open();
  await next.recover(left, 600, false, async () => {
    const other = await (await start()).open();
    assert.equal(other.known(), 700);
    await next.setBudget();
  });
  assert.deepEqual(await readBudget(redis), { spent: '700', reserved: '0' });
});

for (const [first, how] of [
  ['next', 'the one that recovers it is back before the other'],
  ['other', 'the other is back before the one that recovers it'],
] as const) {
  test(`a call that a process began alone and left is counted once, where ${how}`, {
    skip: redisMissing,
  }, async (context) => {
    const { redis, start } = await setUp(context);
    const [one, other] = [await (await start()).open(), await (await start()).open()];
    await one.spend(100);
    await other.spend(20);
    await one.goAway();
    await other.goAway();
    const { record: left } = await one.take();
    await other.spend(3_000);
    const next = await start();
    next.isolate();
    await next.open();
    await next.recover(left, 600, true);
    await next.setBudget();
    const instances = first === 'next' ? [next, other] : [other, next];
    for (const each of instances) await each.comeBack();
    assert.deepEqual(await readBudget(redis), { spent: '3720', reserved: '0' });
    // Who is told it again does nothing.
    for (const each of instances) await each.time.advance(20_000);
    await (await start()).open();
    assert.deepEqual(await readBudget(redis), { spent: '3720', reserved: '0' });
  });
}

test('a call that began alone, is counted there later and ends there is not counted once more by what its journal says', {
  skip: redisMissing,
}, async (context) => {
  const { redis, start } = await setUp(context);
  const one = await (await start()).open();
  await one.goAway();
  const { record, settle } = await one.take();
  await one.comeBack();
  assert.equal((await readBudget(redis))['reserved'], '600');
  settle(70);
  assert.deepEqual(await readBudget(redis), { spent: '70', reserved: '0' });
  // Killed before its record was in the journal.
  const next = await (await start()).open();
  await next.recover(record, 600, true);
  assert.deepEqual(await readBudget(redis), { spent: '70', reserved: '0' });
});

for (const whose of ['its own', "another's"] as const) {
  test(`what was counted alone is known where it was brought in, should the Redis lose it before the next call (${whose})`, {
    skip: redisMissing,
  }, async (context) => {
    const { redis, start } = await setUp(context);
    const [one, two] = [await (await start()).open(), await (await start()).open()];
    await one.spend(20);
    const begun = await one.begin();
    await one.goAway();
    await one.spend(3_000);
    await begun(50);
    const knows = whose === 'its own' ? one : two;
    if (knows === one) await one.comeBack();
    else await two.time.advance(20_000);
    assert.equal((await readBudget(redis))['spent'], '3070');
    await redis.client.flushall();
    // Found by this call, which is counted when what was known is told.
    await knows.spend(1);
    await knows.untilBack(knows === one ? 2 : 1);
    assert.equal((await readBudget(redis))['spent'], '3071');
    await knows.spend(1);
    assert.deepEqual(await readBudget(redis), { spent: '3072', reserved: '0' });
  });
}

test('a call of an instance that is no more is spent, also where the Redis lost that it had begun there', {
  skip: redisMissing,
}, async (context) => {
  const { redis, start } = await setUp(context);
  const [one, two] = [await (await start()).open(), await (await start()).open()];
  await two.spend(20);
  const begun = await one.begin();
  await one.goAway();
  await begun(50_000);
  await redis.client.flushall();
  await two.spend(400);
  await two.untilBack(1);
  await two.time.advance(20_000);
  assert.equal((await readBudget(redis))['spent'], '50420');
  // It is not so dead after all: what it had to tell is there already.
  await one.comeBack();
  await one.spend(1);
  assert.deepEqual(await readBudget(redis), { spent: '50421', reserved: '0' });
});

/** An instance knows that 110 were spent, another that 10 were; then the Redis is emptied. */
async function setUpEmptied(context: TestContext) {
  const { redis, start } = await setUp(context);
  const [one, two] = [await (await start()).open(), await (await start()).open()];
  await two.spend(10);
  await readBudget(redis);
  await one.spend(100);
  assert.equal((await readBudget(redis))['spent'], '110');
  await redis.client.flushall();
  return { redis, start, one, two };
}

test('what is spent in a Redis that was emptied counts beside what others say was spent before, who return later', {
  skip: redisMissing,
}, async (context) => {
  const { redis, one, two } = await setUpEmptied(context);
  await two.spend(50);
  await two.untilBack(1);
  await two.spend(7);
  assert.equal((await readBudget(redis))['spent'], '67');
  await one.spend(1);
  await one.untilBack(1);
  assert.equal((await readBudget(redis))['spent'], '168');
});

test('it counts once, too, where an instance that starts meanwhile knows all of it from the records', {
  skip: redisMissing,
}, async (context) => {
  const { redis, start, one, two } = await setUpEmptied(context);
  await two.spend(50);
  await two.untilBack(1);
  await two.spend(7);
  await readBudget(redis);
  await (await start()).open();
  assert.equal((await readBudget(redis))['spent'], '167');
  await one.spend(1);
  await one.untilBack(1);
  assert.equal((await readBudget(redis))['spent'], '168');
});
