import assert from 'node:assert/strict';
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
