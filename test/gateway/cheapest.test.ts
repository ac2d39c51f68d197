import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { startGateway } from '../support/gateway.ts';
import { chatAnswer, startRawUpstream } from '../support/raw-upstream.ts';

type Prices = Record<string, { input: number; output: number }>;

async function setUp(context: TestContext, prices: Prices, targets: unknown[] = ['up/first', 'up/second']) {
  const upstream = await startRawUpstream((response) => {
    response.setHeader('content-type', 'application/json');
    response.end(chatAnswer('Hi'));
  });
  const accounts = [{ name: 'main', apiKey: 'sk-upstream-secret-0123456789' }];
  const gateway = await startGateway({
    providers: { up: { adapter: 'openai-compatible', baseUrl: upstream.baseUrl, accounts } },
    models: { m: { strategy: 'cheapest', targets } },
    prices,
  });
  context.after(async () => {
    await gateway.stop();
    await upstream.close();
  });
  return async (content: string, more: object = {}) => {
    const body = { model: 'm', messages: [{ role: 'user', content }], ...more };
    const response = await gateway.post('/v1/chat/completions', body);
    assert.equal(response.status, 200, await response.text());
    return response.headers.get('x-fairlead-target');
  };
}

const CHEAP = { input: 1, output: 2 };
const DEAR = { input: 3, output: 6 };

test('a call goes where it costs least, what has no price last', async (context) => {
  const dearFirst = await setUp(context, { 'up/first': DEAR, 'up/second': CHEAP });
  assert.equal(await dearFirst('Hi'), 'up/second');
  const cheapFirst = await setUp(context, { 'up/first': CHEAP, 'up/second': DEAR });
  assert.equal(await cheapFirst('Hi'), 'up/first');
  const unpriced = await setUp(context, { 'up/second': DEAR });
  assert.equal(await unpriced('Hi'), 'up/second');
});

test('the input counts at its price, the output at its own', async (context) => {
  const call = await setUp(context, {
    'up/first': { input: 1, output: 10 },
    'up/second': { input: 2, output: 1 },
  });
  const long = 'many words '.repeat(1_000);
  assert.equal(await call(long, { max_tokens: 10 }), 'up/first');
  assert.equal(await call('Hi', { max_tokens: 1_000 }), 'up/second');
});

test('an input is what it comes to, not its bytes: media are none of its text', async (context) => {
  const call = await setUp(context, {
    'up/first': { input: 1, output: 10 },
    'up/second': { input: 2, output: 1 },
  });
  const url = `data:image/png;base64,${'A'.repeat(100_000)}`;
  const content = [
    { type: 'text', text: 'What is this?' },
    { type: 'image_url', image_url: { url } },
  ];
  const messages = [{ role: 'user', content }];
  assert.equal(await call('', { messages, max_tokens: 1_000 }), 'up/second');
});

test('where a call names no limit, each target is taken at what it is told', async (context) => {
  const targets = [
    { target: 'up/first', parameters: { maxOutputTokens: 2_000 } },
    { target: 'up/second', parameters: { maxOutputTokens: 100 } },
  ];
  const call = await setUp(context, { 'up/first': CHEAP, 'up/second': DEAR }, targets);
  assert.equal(await call('Hi'), 'up/second', '100 tokens at six are less than 2,000 at two');
  assert.equal(await call('Hi', { max_tokens: 100 }), 'up/first');
});
