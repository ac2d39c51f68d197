import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { startGateway, TEST_KEY } from '../support/gateway.ts';
import { startRawUpstream } from '../support/raw-upstream.ts';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const DRAWN = {
  created: 1,
  data: [{ b64_json: 'aa' }],
  usage: { input_tokens: 50, output_tokens: 6240, total_tokens: 6290 },
};

/** What images cost, one after another, where a tenant has a dollar. */
async function draw(prices: object, calls: number) {
  const upstream = await startRawUpstream((response) => {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(DRAWN));
  });
  const gateway = await startGateway({
    providers: { openai: { baseUrl: upstream.baseUrl, accounts: [{ name: 'a', apiKey: 'k' }] } },
    prices,
    tenants: {
      acme: {
        models: ['*'],
        limits: { budgets: [{ usd: 1, per: 'total' }] },
        keys: [{ name: 'app', secret: TEST_KEY }],
      },
    },
  });
  closing.push(upstream.close, gateway.stop);
  const statuses: number[] = [];
  for (let call = 0; call < calls; call++) {
    const response = await gateway.post('/v1/images/generations', {
      model: 'openai/gpt-image-1',
      prompt: 'x',
    });
    await response.arrayBuffer();
    statuses.push(response.status);
  }
  const costs = (await gateway.calls(calls)).map(({ costMicroUsd }) => costMicroUsd);
  return { statuses, costs };
}

test("images cost what the operator's price says, and a budget that is spent refuses them", async () => {
  const { statuses, costs } = await draw({ 'openai/gpt-image-1': { input: 5, output: 40 } }, 6);
  assert.deepEqual(statuses, [200, 200, 200, 200, 200, 402]);
  assert.equal(costs.at(-1), 50 * 5 + 6240 * 40);
});

test('without a price of its own an image has no cost, for the published ones are for text', async () => {
  const { statuses, costs } = await draw({ 'openai/gpt-4*': { input: 5, output: 40 } }, 2);
  assert.deepEqual(statuses, [200, 200]);
  assert.deepEqual(costs, [null, null]);
});
