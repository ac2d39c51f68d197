import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { afterEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startGateway, TEST_KEY } from '../support/gateway.ts';
import { chatAnswer, startRawUpstream } from '../support/raw-upstream.ts';
import { redisMissing, startRedis } from '../support/redis.ts';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const TEXT = 'The committee decided that the proposal should be discussed again next week. ';

for (const state of ['memory', 'redis'] as const) {
  const skip = state === 'redis' && redisMissing;
  test(`a call of any size that fits when the minute is over is told so (${state})`, { skip }, async () => {
    const redis = state === 'redis' ? await startRedis() : undefined;
    const upstream = await startRawUpstream((response) => {
      response.setHeader('content-type', 'application/json');
      const usage = { prompt_tokens: 98_000, completion_tokens: 1_000, total_tokens: 99_000 };
      response.end(JSON.stringify({ ...(JSON.parse(chatAnswer('Well.')) as object), usage }));
    });
    const gateway = await startGateway({
      state: redis?.url ?? 'memory',
      stateTimeout: '10s',
      providers: { up: { adapter: 'openai-compatible', baseUrl: upstream.baseUrl } },
      tenants: {
        acme: {
          models: ['*'],
          limits: { tokensPerMinute: 100_000 },
          keys: [{ name: 'app', secret: TEST_KEY }],
        },
      },
    });
    if (redis) closing.push(redis.close);
    closing.push(upstream.close, gateway.stop);
    const ask = async (content: string) => {
      const messages = [{ role: 'user', content }];
      const response = await gateway.post('/v1/chat/completions', {
        model: 'up/a',
        max_tokens: 5_000,
        messages,
      });
      await response.arrayBuffer();
      return response;
    };
    assert.equal((await ask('Hi')).status, 200);
    await sleep(300);
    for (const content of ['Hi', TEXT.repeat(400)]) {
      const refused = await ask(content);
      assert.equal(refused.status, 429);
      const wait = Number(refused.headers.get('retry-after'));
      assert.ok(wait > 50 && wait <= 60, `${content.length} letters: ${wait} s`);
    }
  });

  test(`a budget that calls under way hold is tried again, one that is spent is not (${state})`, {
    skip,
  }, async () => {
    const redis = state === 'redis' ? await startRedis() : undefined;
    const held: ServerResponse[] = [];
    const upstream = await startRawUpstream((response: ServerResponse) => held.push(response));
    const gateway = await startGateway({
      state: redis?.url ?? 'memory',
      stateTimeout: '10s',
      providers: { up: { adapter: 'openai-compatible', baseUrl: upstream.baseUrl } },
      tenants: {
        acme: {
          models: ['*'],
          limits: { budgets: [{ tokens: 10_000, per: 'total' }] },
          keys: [{ name: 'app', secret: TEST_KEY }],
        },
      },
    });
    if (redis) closing.push(redis.close);
    closing.push(upstream.close, gateway.stop);
    const ask = async (most: number) => {
      const messages = [{ role: 'user', content: 'Hi' }];
      const response = await gateway.post('/v1/chat/completions', {
        model: 'up/a',
        max_tokens: most,
        messages,
      });
      const text = await response.text();
      const [again, after] = ['x-should-retry', 'retry-after'].map((name) => response.headers.get(name));
      return { status: response.status, again, after, text };
    };
    const answer = (response: ServerResponse, tokens: number) => {
      const usage = { prompt_tokens: 1, completion_tokens: tokens - 1, total_tokens: tokens };
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ ...(JSON.parse(chatAnswer('Well.')) as object), usage }));
    };
    const first = ask(8_000);
    while (held.length < 1) await sleep(5);
    const refused = await ask(8_000);
    assert.deepEqual([refused.status, refused.again, refused.after], [402, 'true', '1']);
    assert.match(refused.text, /Try again when calls under way have ended/);
    const large = await ask(20_000);
    assert.deepEqual([large.status, large.again, large.after], [402, 'false', null]);
    for (const response of held.splice(0)) answer(response, 100);
    assert.equal((await first).status, 200);
    await sleep(200);
    const second = ask(8_000);
    while (held.length < 1) await sleep(5);
    for (const response of held.splice(0)) answer(response, 9_000);
    assert.equal((await second).status, 200);
    await sleep(200);
    const last = await ask(8_000);
    assert.deepEqual([last.status, last.again, last.after], [402, 'false', null]);
  });
}
