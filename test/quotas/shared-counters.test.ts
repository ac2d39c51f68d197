import assert from 'node:assert/strict';
import { Socket } from 'node:net';
import { test } from 'node:test';
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

test('what is asked in one turn of the event loop goes out in one write, and each has its own answer', {
  skip: redisMissing,
}, async (context) => {
  const redis = await startRedis();
  context.after(() => redis.close());
  const one = context.mock.method(Socket.prototype, '_write');
  const several = context.mock.method(Socket.prototype as Required<Socket>, '_writev');
  const counters = new SharedCounters({
    ...{ url: redis.url, instance: 'i', replyMs: 5_000, schedule: scheduleTimeout },
    listener: { onAway: () => {}, onBack: async () => {}, onHere: () => {}, onLost: () => {} },
  });
  context.after(() => counters.close());
  await counters.open();
  for (let time = 0; time < 3; time += 1) {
    const before = one.mock.callCount() + several.mock.callCount();
    const answers: Promise<unknown>[] = [];
    for (let index = 0; index < 20; index += 1) {
      const call = { keys: [`slots-${time}`], args: [1, `call-${index}`, 60_000, 'slots', 10, 1, 60_000, 0] };
      answers.push(counters.run('reserve', call));
      // As between two reads of the same turn.
      await Promise.resolve();
    }
    const expected = Array.from({ length: 20 }, (_, index) =>
      index < 10 ? [1, 9 - index, 0, 0] : [0, 1, 0, -1, 0],
    );
    assert.deepEqual(await Promise.all(answers), expected);
    assert.equal(one.mock.callCount() + several.mock.callCount() - before, 1);
  }
});
