import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { afterEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { UsageRecord } from '../../src/usage/record.ts';
import { startGateway, TEST_KEY, type TestGateway } from '../support/gateway.ts';
import { chatAnswer, chatChunk, startRawUpstream } from '../support/raw-upstream.ts';
import { redisMissing, startRedis } from '../support/redis.ts';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const BUDGET = 10_000_000;
/** Fewer tokens than a quarter of its bytes, and more. */
const TEXTS = {
  English: 'The committee decided that the proposal should be discussed again next week. '.repeat(100),
  numbers: Array.from({ length: 4_000 }, (_, index) => (index * 7 + (index >> 3)) % 10).join(','),
};

/** A gateway with a limit of each kind, whose provider does not say what a call used. */
async function setUp(state: string, limits: object = {}) {
  const upstream = await startRawUpstream((response: ServerResponse, body: string) => {
    if ((JSON.parse(body) as { stream?: boolean }).stream) {
      response.setHeader('content-type', 'text/event-stream');
      response.end(`${chatChunk('Well')}${chatChunk(', no.', 'stop')}data: [DONE]\n\n`);
      return;
    }
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ ...(JSON.parse(chatAnswer('Well, no.')) as object), usage: undefined }));
  });
  const gateway = await startGateway({
    state,
    stateTimeout: '10s',
    providers: { up: { adapter: 'openai-compatible', baseUrl: upstream.baseUrl } },
    prices: { 'up/*': { input: 1, output: 1 } },
    tenants: {
      acme: {
        models: ['*'],
        limits: {
          budgets: [
            { tokens: BUDGET, per: 'total' },
            { usd: 1, per: 'total' },
          ],
          ...limits,
        },
        keys: [{ name: 'app', secret: TEST_KEY }],
      },
    },
  });
  closing.push(upstream.close, gateway.stop);
  return gateway;
}

function ask(gateway: TestGateway, content: string, fields: object): Promise<Response> {
  const messages = [{ role: 'user', content }];
  return gateway.post('/v1/chat/completions', { model: 'up/gpt-4o', messages, ...fields });
}

/** As a call that does not fit is told. */
async function readLeft(gateway: TestGateway): Promise<number> {
  const refused = await ask(gateway, 'Hi', { max_tokens: 2 * BUDGET });
  assert.equal(refused.status, 402);
  return Number(/has (\d+) tokens left/.exec(await refused.text())?.[1]);
}

function sumTokens(records: readonly UsageRecord[]): number {
  return records.reduce((sum, { usage }) => sum + (usage?.input ?? 0) + (usage?.output ?? 0), 0);
}

for (const state of ['memory', 'redis'] as const) {
  test(`of calls whose usage their provider does not say a budget has what their records say (${state})`, {
    skip: state === 'redis' && redisMissing,
  }, async () => {
    const redis = state === 'redis' ? await startRedis() : undefined;
    if (redis) closing.push(redis.close);
    const gateway = await setUp(redis?.url ?? 'memory');
    const texts = Object.values(TEXTS);
    for (const content of texts) {
      for (const stream of [false, true]) {
        const response = await ask(gateway, content, { max_tokens: 100, stream });
        assert.equal(response.status, 200);
        await response.arrayBuffer();
      }
    }
    const records = await gateway.calls(2 * texts.length);
    const bySize = texts.reduce((sum, { length }) => sum + 2 * Math.ceil(length / 4), 0);
    assert.ok(Math.abs(sumTokens(records) - bySize) > 1_000, 'the records have counts');
    assert.equal(await readLeft(gateway), BUDGET - sumTokens(records));
    const [budget = ''] = (await redis?.client.keys('fairlead:*usdBudget:total@0')) ?? [];
    if (!redis) return;
    assert.deepEqual(
      { ...(await redis.client.hgetall(budget)) },
      { spent: String(sumTokens(records) * 1_000), reserved: '0' },
    );
  });

  test(`a call whose usage is still counted is under way no longer, and holds nothing of a rate (${state})`, {
    skip: state === 'redis' && redisMissing,
  }, async () => {
    const redis = state === 'redis' ? await startRedis() : undefined;
    if (redis) closing.push(redis.close);
    const gateway = await setUp(redis?.url ?? 'memory', { concurrentCalls: 1, tokensPerMinute: 20_000 });
    for (let call = 0; call < 6; call++) {
      // What it reserves is more than a third of the rate.
      const response = await ask(gateway, 'Hi', { max_tokens: 7_000 });
      assert.equal(response.status, 200, await response.clone().text());
      await response.arrayBuffer();
      // An instance does not wait for the Redis to hear of what ended.
      if (redis) await sleep(20);
    }
  });
}
