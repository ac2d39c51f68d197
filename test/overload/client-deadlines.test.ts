import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import OpenAI, { InternalServerError } from 'openai';
import { startGateway, TEST_KEY } from '../support/gateway.ts';
import { chat, send, startHeldUpstream } from './held-upstream.ts';

const CHAT = '/v1/chat/completions';

async function setUp(context: TestContext) {
  const upstream = await startHeldUpstream();
  const gateway = await startGateway({
    server: { port: 0, overload: { maxConcurrentCalls: 1, maxQueueTime: '1h' } },
    providers: { up: { adapter: 'openai-compatible', baseUrl: upstream.baseUrl } },
    models: {
      m: { targets: ['up/x'] },
      brief: { targets: ['up/x'], timeouts: { total: '200ms' } },
    },
  });
  context.after(async () => {
    await upstream.close();
    await gateway.stop();
  });
  const running = await send(gateway, CHAT, chat('one'));
  const [held] = await upstream.arrived(1);
  return { upstream, gateway, running, finish: () => held?.answer() };
}

const CASES: [header: string, value: string, path: string, body: object][] = [
  ['x-stainless-timeout', '1', CHAT, chat('two')],
  ['x-stainless-timeout', '0', '/v1/messages', { ...chat('two'), max_tokens: 10 }],
  ['x-stainless-read-timeout', '0.25', '/v1/responses', { model: 'm', input: 'two' }],
  [
    'x-server-timeout',
    '0.3',
    '/v1beta/models/m:generateContent',
    { contents: [{ role: 'user', parts: [{ text: 'two' }] }] },
  ],
];

for (const [header, value, path, body] of CASES) {
  test(`a client that waits so long is told when that is over, and its call is never sent: ${header}: ${value}`, async (context) => {
    const { upstream, gateway, running, finish } = await setUp(context);
    const keys = { 'x-api-key': TEST_KEY, 'x-goog-api-key': TEST_KEY };
    const told = await (await send(gateway, path, body, { ...keys, [header]: value })).told;
    assert.ok([503, 529].includes(told.status), `status ${told.status}`);
    assert.match(told.text, /waited 0\.\d+ s/);
    assert.match(String(told.headers['retry-after']), /^\d+$/);
    finish();
    assert.equal((await running.told).status, 200);
    assert.equal(upstream.held.length, 1);
  });
}

test("a call's time-out at OpenAI's SDK is its deadline", async (context) => {
  const { upstream, gateway } = await setUp(context);
  const openai = new OpenAI({ apiKey: TEST_KEY, baseURL: `${gateway.url}/v1`, maxRetries: 0 });
  const messages = [{ role: 'user' as const, content: 'two' }];
  const asked = openai.chat.completions.create({ model: 'm', messages }, { timeout: 2_900 });
  await assert.rejects(asked, InternalServerError);
  assert.equal(upstream.held.length, 1);
});

test('the total time of a model is a deadline in the queue, too', async (context) => {
  const { upstream, gateway } = await setUp(context);
  const body = { ...chat('two'), model: 'brief' };
  const told = await (await send(gateway, CHAT, body, { 'x-stainless-timeout': '600' })).told;
  assert.equal(told.status, 503);
  assert.match(told.text, /waited 0\.\d+ s/);
  assert.equal(upstream.held.length, 1);
});

test('what says nothing of a time is no deadline', async (context) => {
  const { upstream, gateway, running, finish } = await setUp(context);
  const asked = await send(gateway, CHAT, chat('two'), { 'x-stainless-timeout': 'NOT_GIVEN' });
  finish();
  await running.told;
  const [, second] = await upstream.arrived(2);
  second?.answer();
  assert.equal((await asked.told).status, 200);
});
