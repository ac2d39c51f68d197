import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { startGateway, TEST_KEY } from '../support/gateway.ts';
import { startRawUpstream } from '../support/raw-upstream.ts';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const QUEUED = {
  id: 'resp_1',
  object: 'response',
  created_at: 1,
  status: 'queued',
  background: true,
  model: 'gpt-5',
  output: [],
  usage: null,
  error: null,
};

async function setUp(limits: object | undefined) {
  const upstream = await startRawUpstream((response) => {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(QUEUED));
  });
  closing.push(upstream.close);
  const gateway = await startGateway({
    providers: {
      oa: { adapter: 'openai', baseUrl: upstream.baseUrl, accounts: [{ name: 'a', apiKey: 'k' }] },
      grok: { adapter: 'xai', baseUrl: upstream.baseUrl, accounts: [{ name: 'a', apiKey: 'k' }] },
    },
    prices: { 'oa/*': { input: 1, output: 10 }, 'grok/*': { input: 1, output: 10 } },
    tenants: {
      acme: { models: ['*'], ...(limits && { limits }), keys: [{ name: 'app', secret: TEST_KEY }] },
    },
  });
  closing.push(gateway.stop);
  return { upstream, gateway };
}

const asked = (background: unknown) => ({ model: 'oa/gpt-5', input: 'Write a book', background });

for (const [what, limits] of [
  ['a budget in dollars', { budgets: [{ usd: 1, per: 'total' }] }],
  ['a budget in tokens', { budgets: [{ tokens: 200_000, per: 'day' }] }],
  ['tokens per minute', { tokensPerMinute: 200_000 }],
] as const) {
  test(`a run that goes on behind its call is refused where there is ${what}`, async () => {
    const { gateway, upstream } = await setUp(limits);
    const message = { role: 'user', content: 'Write a book' };
    for (const [path, body, param] of [
      ['/v1/responses', asked(true), 'background'],
      ['/v1/responses', { ...asked(true), stream: true }, 'background'],
      ['/v1/responses', asked('yes'), 'background'],
      ['/v1/responses', JSON.stringify(asked(true)).replace('background', 'b\\u0061ckground'), 'background'],
      ['/v1/chat/completions', { model: 'grok/grok-4', messages: [message], deferred: true }, 'deferred'],
    ] as const) {
      const response = await gateway.post(path, body);
      assert.equal(response.status, 400);
      const { error } = (await response.json()) as { error: { param: string; code: string } };
      assert.deepEqual([error.param, error.code], [param, 'background_not_counted']);
    }
    assert.equal(upstream.requests.length, 0);
  });
}

test('a run in the foreground is not, and neither is one where only calls are counted', async () => {
  const budget = await setUp({ budgets: [{ usd: 1, per: 'total' }] });
  for (const foreground of [false, null]) {
    assert.equal((await budget.gateway.post('/v1/responses', asked(foreground))).status, 200);
  }
  const calls = await setUp({ requestsPerMinute: 10, concurrentCalls: 2 });
  assert.equal((await calls.gateway.post('/v1/responses', asked(true))).status, 200);
});

test('the record of a run that goes on says that its usage is not known', async () => {
  const { gateway } = await setUp(undefined);
  assert.equal((await gateway.post('/v1/responses', asked(true))).status, 200);
  const [record] = await gateway.calls(1);
  assert.equal(record?.outcome, 'ok');
  assert.equal(record?.usage, null);
  assert.equal(record?.costMicroUsd, null);
});
