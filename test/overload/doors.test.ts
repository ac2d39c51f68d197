import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import Anthropic, { OverloadedError } from '@anthropic-ai/sdk';
import { ApiError, GoogleGenAI } from '@google/genai';
import OpenAI, { InternalServerError } from 'openai';
import { ADMIN_KEY, startGateway, TEST_KEY } from '../support/gateway.ts';
import { parseMetrics } from '../support/prometheus-text.ts';
import { send, startHeldUpstream } from './held-upstream.ts';

const closing: (() => Promise<void>)[] = [];
after(async () => {
  for (const close of closing.reverse()) await close();
});

const upstream = await startHeldUpstream();
const gateway = await startGateway({
  providers: { up: { adapter: 'openai-compatible', baseUrl: upstream.baseUrl } },
  models: {
    m: { targets: ['up/x'], overload: { maxConcurrentCalls: 1, maxQueuedCalls: 1 } },
    n: { targets: ['up/x'], overload: { maxConcurrentCalls: 1, maxQueuedCalls: 0 } },
  },
});
closing.push(upstream.close, gateway.stop);

const messages = [{ role: 'user', content: 'Hi' }];
const contents = [{ role: 'user', parts: [{ text: 'Hi' }] }];

interface DoorCase {
  name: string;
  path: string;
  body: object;
  status: 503 | 529;
  /** What of the error the dialect's SDK goes by. */
  error: object;
}

const chatError = { type: 'server_error', param: null, code: 'model_overloaded' };
const googleError = { code: 503, status: 'UNAVAILABLE' };
const DOORS: DoorCase[] = [false, true].flatMap((stream): DoorCase[] => [
  {
    name: 'chat',
    path: '/v1/chat/completions',
    body: { model: 'm', messages, stream },
    status: 503,
    error: chatError,
  },
  {
    name: 'responses',
    path: '/v1/responses',
    body: { model: 'm', input: 'Hi', stream },
    status: 503,
    error: chatError,
  },
  {
    name: 'messages',
    path: '/v1/messages',
    body: { model: 'm', max_tokens: 10, messages, stream },
    status: 529,
    error: { type: 'overloaded_error' },
  },
  {
    name: 'gemini',
    path: `/v1beta/models/m:${stream ? 'streamGenerateContent?alt=sse' : 'generateContent'}`,
    body: { contents },
    status: 503,
    error: googleError,
  },
]);

for (const { name, path, body, status, error } of DOORS) {
  const form =
    'stream' in body ? (body.stream ? ', streamed' : '') : path.includes('stream') ? ', streamed' : '';
  test(`${name}${form}: one call runs, one waits and is answered, and one is told to come again`, async () => {
    const before = upstream.held.length;
    const headers = { 'x-api-key': TEST_KEY, 'x-goog-api-key': TEST_KEY };
    const runs = await send(gateway, path, body, headers);
    await upstream.arrived(before + 1);
    const waits = await send(gateway, path, body, headers);
    const refused = await (await send(gateway, path, body, headers)).told;

    assert.equal(refused.status, status);
    const wait = Number(refused.headers['retry-after']);
    assert.ok(wait >= 1 && wait <= 60, `retry-after is ${refused.headers['retry-after']}`);
    const told = JSON.parse(refused.text) as { error: { message: string } & Record<string, unknown> };
    const { message, details, ...rest } = told.error;
    assert.match(message, /Too many calls of the model 'm' wait already\. Try again in \d+ s\./);
    assert.deepEqual(rest, error);
    if (name === 'gemini') assert.match(JSON.stringify(details), /RetryInfo.*retryDelay/);

    assert.equal(upstream.held.length, before + 1, 'who waits has not been sent');
    upstream.held[before]?.answer();
    assert.equal((await runs.told).status, 200);
    await upstream.arrived(before + 2);
    upstream.held[before + 1]?.answer();
    const answered = await waits.told;
    assert.equal(answered.status, 200);
    assert.match(answered.text, /Hello/);
  });
}

test('the metrics tell how many calls run and wait, in all and of each model with a bound', async () => {
  const read = async () => {
    const samples = parseMetrics(await (await gateway.get('/metrics', ADMIN_KEY)).text());
    return Object.fromEntries(
      samples
        .filter(({ name }) => /^fairlead_(?:model_)?calls_(?:running|waiting)$/.test(name))
        .map(({ name, labels, value }) => [[name, ...Object.values(labels)].join(' '), value]),
    );
  };
  const before = upstream.held.length;
  const asked = [];
  for (const model of ['m', 'm', 'up/x'])
    asked.push(await send(gateway, '/v1/chat/completions', { model, messages }));
  await upstream.arrived(before + 2);
  assert.deepEqual(await read(), {
    ...{ fairlead_calls_running: 2, fairlead_calls_waiting: 1 },
    ...{ 'fairlead_model_calls_running m': 1, 'fairlead_model_calls_waiting m': 1 },
    ...{ 'fairlead_model_calls_running n': 0, 'fairlead_model_calls_waiting n': 0 },
  });
  for (const { answer } of upstream.held.slice(before)) answer();
  (await upstream.arrived(before + 3)).at(-1)?.answer();
  for (const { told } of asked) assert.equal((await told).status, 200);
  await gateway.calls();
  const after = Object.values(await read());
  assert.deepEqual(after, Array(6).fill(0));
});

test('each SDK raises its own error, and one that comes again as it was told is answered', async () => {
  const before = upstream.held.length;
  const runs = await send(gateway, '/v1/chat/completions', { model: 'n', messages });
  await upstream.arrived(before + 1);
  const user = { role: 'user' as const, content: 'Hi' };
  const openai = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: TEST_KEY, maxRetries: 0 });
  const anthropic = new Anthropic({ baseURL: gateway.url, apiKey: TEST_KEY, maxRetries: 0 });
  const google = new GoogleGenAI({ apiKey: TEST_KEY, httpOptions: { baseUrl: gateway.url } });
  await assert.rejects(
    openai.chat.completions.create({ model: 'n', messages: [user] }),
    (error) =>
      error instanceof InternalServerError && error.status === 503 && error.code === 'model_overloaded',
  );
  await assert.rejects(
    openai.responses.create({ model: 'n', input: 'Hi', stream: true }),
    (error) => error instanceof InternalServerError && error.status === 503,
  );
  await assert.rejects(
    anthropic.messages.create({ model: 'n', max_tokens: 5, messages: [user] }),
    (error) => error instanceof OverloadedError && error.type === 'overloaded_error',
  );
  await assert.rejects(
    google.models.generateContent({ model: 'n', contents: 'Hi' }),
    (error) => error instanceof ApiError && error.status === 503,
  );
  const again = new Anthropic({ baseURL: gateway.url, apiKey: TEST_KEY, maxRetries: 3 }).messages.create({
    model: 'n',
    max_tokens: 5,
    messages: [user],
  });
  // Once it has been refused for the first time, the place becomes free.
  await gateway.calls((await gateway.calls()).length + 1);
  upstream.held[before]?.answer();
  await runs.told;
  await upstream.arrived(before + 2);
  upstream.held[before + 1]?.answer();
  assert.equal((await again).content[0]?.type, 'text');
});
