import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { RedisAnswers } from '../../src/prompts/redis-answers.ts';
import { scheduleTimeout } from '../../src/usage/ledger.ts';
import { redisMissing, startRedis } from '../support/redis.ts';

const WAIT_MS = 300;

test('instances that share a Redis wait for one that asks already, within a bound', {
  skip: redisMissing,
}, async () => {
  const redis = await startRedis();
  after(redis.close);
  const open = () => {
    const answers = new RedisAnswers({
      ...{ url: redis.url, replyMs: 1_000, longestWaitMs: WAIT_MS, now: Date.now, schedule: scheduleTimeout },
      onAway: (error) => assert.fail(String(error)),
    });
    after(() => answers.close());
    return answers;
  };
  const [one, other] = [open(), open()];
  const stays = () => false;
  // Until they are connected they know of nothing.
  for (const answers of [one, other])
    for (let looks = 0; looks < 100; looks += 1) {
      answers.keep('ready', 'yes', 60_000);
      if ((await answers.find('ready')) === 'yes') break;
      await sleep(20);
    }

  const release = await one.claim('a');
  assert.ok(release);
  assert.equal(await other.claim('a'), undefined);
  const inVain = performance.now();
  assert.equal(await other.wait('a', stays), undefined);
  assert.ok(performance.now() - inVain >= WAIT_MS, 'it waited as long as it may');

  const waiting = other.wait('a', stays);
  one.keep('a', 'the answer', 60_000);
  release();
  assert.equal(await waiting, 'the answer');

  const second = await other.claim('b');
  const waitingInVain = one.wait('b', stays);
  second?.();
  assert.equal(await waitingInVain, undefined, 'it came to no answer');

  const third = await one.claim('c');
  const left = performance.now();
  assert.equal(await other.wait('c', () => true), undefined, 'nobody waits any more');
  assert.ok(performance.now() - left < WAIT_MS);
  assert.ok((await redis.client.pttl('fairlead:asked:c')) <= 5_000, 'one that dies is not waited for');
  third?.();
});
