import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Redis } from 'ioredis';
import type { ScriptCall } from '../../src/quotas/script-frame.ts';
import { SharedCounters } from '../../src/quotas/shared-counters.ts';
import { scheduleTimeout } from '../../src/usage/ledger.ts';
import { redisMissing, startRedis } from '../support/redis.ts';

test('who closes them while a Redis is coming back waits for that, and hears nothing behind it', {
  skip: redisMissing,
}, async (context) => {
  const redis = await startRedis();
  context.after(() => redis.close());
  const told: string[] = [];
  const [isBack, mayGoOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const counters = new SharedCounters({
    ...{ url: redis.url, instance: 'i', replyMs: 5_000, schedule: scheduleTimeout },
    listener: {
      onAway: (reason) => told.push(`away: ${reason}`),
      onBack: async () => {
        isBack.resolve();
        await mayGoOn.promise;
        told.push('back');
      },
      onHere: () => told.push('here'),
      onLost: () => told.push('lost'),
    },
  });
  const opening = counters.open();
  await isBack.promise;
  const closing = counters.close().then(() => told.push('closed'));
  mayGoOn.resolve();
  await Promise.all([opening, closing]);
  assert.deepEqual(told, ['back', 'closed']);
});

async function openCounters(context: TestContext): Promise<{ counters: SharedCounters; client: Redis }> {
  const redis = await startRedis();
  context.after(() => redis.close());
  const counters = new SharedCounters({
    ...{ url: redis.url, instance: 'i', replyMs: 5_000, schedule: scheduleTimeout },
    listener: { onAway: () => {}, onBack: async () => {}, onHere: () => {}, onLost: () => {} },
  });
  context.after(() => counters.close());
  await counters.open();
  const client = new Redis(redis.url);
  context.after(() => client.disconnect());
  return { counters, client };
}

function takePlace(key: string, call: string): ScriptCall {
  return { keys: [key], args: [1, call, 60_000, 'slots', 10, 1, 60_000, 0] };
}

function givePlace(key: string, call: string): ScriptCall {
  return { keys: [key, `settled:${call}`], args: [1, call, 60_000, 1, 'slots', 1, 0, 1, 60_000] };
}

async function countScripts(client: Redis): Promise<number> {
  const told = await client.info('commandstats');
  return Number(/^cmdstat_evalsha:calls=(\d+)/m.exec(told)?.[1] ?? 0);
}

test('what is asked in one turn of the event loop goes out as one, and each has its own answer', {
  skip: redisMissing,
}, async (context) => {
  const { counters, client } = await openCounters(context);
  for (let time = 0; time < 3; time += 1) {
    const key = `slots-${time}`;
    const before = await countScripts(client);
    const answers: Promise<unknown>[] = [];
    for (let index = 0; index < 20; index += 1) {
      answers.push(counters.run('reserve', takePlace(key, `call-${index}`)));
      // As between two reads of the same turn.
      await Promise.resolve();
    }
    const expected = Array.from({ length: 20 }, (_, index) =>
      index < 10 ? [1, 9 - index, 0, 0] : [0, 1, 0, -1, 0],
    );
    assert.deepEqual(await Promise.all(answers), expected);
    assert.equal((await countScripts(client)) - before, 1);
  }
});

test('what is given back in a turn can be taken in it, in whatever order they are asked for', {
  skip: redisMissing,
}, async (context) => {
  const { counters, client } = await openCounters(context);
  const first = Array.from({ length: 10 }, (_, index) => takePlace('slots', `first-${index}`));
  await Promise.all(first.map((call) => counters.run('reserve', call)));
  const before = await countScripts(client);
  const answers: Promise<unknown>[] = [];
  for (let index = 0; index < 10; index += 1) {
    answers.push(counters.run('reserve', takePlace('slots', `second-${index}`)));
    answers.push(counters.run('settle', givePlace('slots', `first-${index}`)));
  }
  const replies = await Promise.all(answers);
  assert.deepEqual(
    replies.filter((_, index) => index % 2 === 0),
    Array.from({ length: 10 }, (_, index) => [1, 9 - index, 0, 0]),
  );
  assert.equal((await countScripts(client)) - before, 2);
});

test('what is asked behind a settlement does not overtake it', { skip: redisMissing }, async (context) => {
  const { counters, client } = await openCounters(context);
  await counters.run('reserve', takePlace('slots', 'call'));
  const move = { keys: ['slots', 'moved:call'], args: [1, 'call', 60_000, 60_000, 1, 'slots', 1, 60_000] };
  await Promise.all([counters.run('settle', givePlace('slots', 'call')), counters.run('move', move)]);
  assert.equal(await client.zcard('slots'), 1);
});

test('a call that a script fails at fails all that were told with it, and none of the next turn', {
  skip: redisMissing,
}, async (context) => {
  const { counters, client } = await openCounters(context);
  await client.set('no-slots', 'a text');
  const outcomes = await Promise.allSettled([
    counters.run('reserve', takePlace('slots', 'call')),
    counters.run('reserve', takePlace('no-slots', 'call')),
  ]);
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ['rejected', 'rejected'],
  );
  assert.match(String((outcomes[0] as PromiseRejectedResult).reason), /WRONGTYPE/);
  assert.deepEqual(await counters.run('reserve', takePlace('slots', 'another')), [1, 8, 0, 0]);
});

test('a Redis that forgot the scripts is told them again, for all calls of the turn', {
  skip: redisMissing,
}, async (context) => {
  const { counters, client } = await openCounters(context);
  await client.script('FLUSH');
  const answers = Array.from({ length: 3 }, (_, index) =>
    counters.run('reserve', takePlace('slots', `call-${index}`)),
  );
  assert.deepEqual(await Promise.all(answers), [
    [1, 9, 0, 0],
    [1, 8, 0, 0],
    [1, 7, 0, 0],
  ]);
});
