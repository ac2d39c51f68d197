import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { afterEach, test } from 'node:test';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { chatAnswer, chatChunk, startRawUpstream } from '../support/raw-upstream.ts';
import { scale } from '../support/scale.ts';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const APP = 'sk-fl-app-key-of-acme-000000000000';
const OTHER = 'sk-fl-other-key-of-acme-0000000000';
const RIVAL = 'sk-fl-key-of-rival-00000000000000';

interface Limited {
  limits?: object;
  modelLimits?: object;
  keyLimits?: object;
  modelsLimits?: object;
  prices?: object;
}

type Answer = (response: ServerResponse, body: string) => unknown;

/** A gateway whose models `m` and `n` lead to one upstream; tenant acme has two keys, tenant rival one. */
async function setUp(
  { limits, modelLimits, keyLimits, modelsLimits, prices }: Limited,
  answer: Answer = (response) => respond(response),
) {
  const upstream = await startRawUpstream(answer);
  const gateway = await startGateway({
    providers: { up: { adapter: 'openai-compatible', baseUrl: upstream.baseUrl } },
    models: {
      m: { targets: ['up/x'], ...(modelsLimits && { limits: modelsLimits }) },
      n: { targets: ['up/y'] },
    },
    prices: prices ?? { 'up/*': { input: 1, output: 1 } },
    tenants: {
      acme: {
        models: ['*'],
        ...(limits && { limits }),
        ...(modelLimits && { modelLimits }),
        keys: [
          { name: 'app', secret: APP, ...(keyLimits && { limits: keyLimits }) },
          { name: 'other', secret: OTHER },
        ],
      },
      rival: { models: ['*'], keys: [{ name: 'app', secret: RIVAL }] },
    },
  });
  closing.push(upstream.close, gateway.stop);
  return { upstream, gateway };
}

function respond(response: ServerResponse, text = chatAnswer('Hello')): void {
  response.setHeader('content-type', 'application/json');
  response.end(text);
}

interface Ask {
  key?: string;
  model?: string;
  content?: string;
  [field: string]: unknown;
}

function ask(
  gateway: TestGateway,
  { key = APP, model = 'm', content = 'Hi', ...rest }: Ask = {},
): Promise<Response> {
  return gateway.post(
    '/v1/chat/completions',
    { model, messages: [{ role: 'user', content }], ...rest },
    { headers: { authorization: `Bearer ${key}` } },
  );
}

async function statuses(calls: Promise<Response>[]): Promise<number[]> {
  const found: number[] = [];
  for (const call of calls) {
    const response = await call;
    await response.arrayBuffer();
    found.push(response.status);
  }
  return found;
}

interface ToldError {
  message: string;
  type: string;
  code: string;
  param: string | null;
}

async function errorOf(response: Response): Promise<ToldError> {
  return ((await response.json()) as { error: ToldError }).error;
}

test('a key’s limit of requests a minute holds for that key alone, and the answers count it down', async () => {
  const { gateway, upstream } = await setUp({ keyLimits: { requestsPerMinute: 2 } });
  const first = await ask(gateway);
  assert.equal(first.status, 200);
  assert.equal(first.headers.get('x-ratelimit-limit-requests'), '2');
  assert.equal(first.headers.get('x-ratelimit-remaining-requests'), '1');
  assert.match(first.headers.get('x-ratelimit-reset-requests') ?? '', /^(?:1m)?[\d.]+m?s$/);
  assert.equal(first.headers.get('x-ratelimit-limit-tokens'), null);
  assert.equal((await ask(gateway)).headers.get('x-ratelimit-remaining-requests'), '0');

  const refused = await ask(gateway);
  assert.equal(refused.status, 429);
  const wait = Number(refused.headers.get('retry-after'));
  assert.ok(wait > 50 && wait <= 62, `retry-after is ${wait}`);
  const error = await errorOf(refused);
  assert.equal(error.code, 'rate_limit_exceeded');
  assert.match(error.message, /the key 'app' has a limit of 2 requests per minute/);
  assert.equal((await ask(gateway, { key: OTHER })).status, 200);
  assert.equal(upstream.requests.length, 3);
  const [record] = (await gateway.calls(4)).filter(({ outcome }) => outcome !== 'ok');
  assert.equal(record?.outcome, 'rate_limited');
});

test('a refusal tells of the rate that refuses, in the words of the caller’s dialect, and of no model’s', async () => {
  const { gateway } = await setUp({ keyLimits: { requestsPerMinute: 1 } });
  const ask1 = () => ask(gateway);
  const asMessages = () =>
    gateway.post(
      '/v1/messages',
      { model: 'm', max_tokens: 10, messages: [{ role: 'user', content: 'Hi' }] },
      { headers: { 'x-api-key': APP, authorization: '' } },
    );
  await ask1();
  const [openai, anthropic] = [await ask1(), await asMessages()];
  assert.deepEqual([openai.status, anthropic.status], [429, 429]);
  assert.equal(openai.headers.get('x-ratelimit-limit-requests'), '1');
  assert.equal(openai.headers.get('x-ratelimit-remaining-requests'), '0');
  assert.match(openai.headers.get('x-ratelimit-reset-requests') ?? '', /^(?:1m)?[\d.]+m?s$/);
  assert.equal(anthropic.headers.get('anthropic-ratelimit-requests-limit'), '1');
  assert.equal(anthropic.headers.get('anthropic-ratelimit-requests-remaining'), '0');
  assert.match(anthropic.headers.get('anthropic-ratelimit-requests-reset') ?? '', /^\d{4}-.*Z$/);

  const tokens = await setUp({ keyLimits: { tokensPerMinute: 20 } });
  const tooLarge = await ask(tokens.gateway);
  assert.equal(tooLarge.status, 429);
  assert.equal(tooLarge.headers.get('x-ratelimit-limit-tokens'), '20');
  assert.equal(tooLarge.headers.get('x-ratelimit-remaining-tokens'), '20');

  const ofAll = await setUp({ modelsLimits: { requestsPerMinute: 1 } });
  await ask(ofAll.gateway);
  const refused = await ask(ofAll.gateway);
  assert.equal(refused.status, 429);
  assert.equal(refused.headers.get('x-ratelimit-limit-requests'), null);
});

test('a tenant’s limit is one for all of its keys, and none of another tenant’s', async () => {
  const { gateway } = await setUp({ limits: { requestsPerMinute: 2 } });
  const keys = [APP, OTHER, APP, RIVAL];
  assert.deepEqual(await statuses(keys.map((key) => ask(gateway, { key }))), [200, 200, 429, 200]);
});

test('limits on models hold for names and patterns, and a model’s own limit for everyone', async () => {
  const byTenant = await setUp({
    modelLimits: { m: { requestsPerMinute: 1 }, 'up/*': { requestsPerMinute: 1 } },
  });
  const models = ['m', 'm', 'n', 'n', 'up/x', 'up/z'];
  assert.deepEqual(
    await statuses(models.map((model) => ask(byTenant.gateway, { model }))),
    [200, 429, 200, 200, 200, 429],
  );
  const ofAll = await setUp({ modelsLimits: { requestsPerMinute: 2 } });
  const first = await ask(ofAll.gateway);
  // What is left would tell a tenant of others.
  assert.equal(first.headers.get('x-ratelimit-remaining-requests'), null);
  const calls = [RIVAL, APP].map((key) => ask(ofAll.gateway, { key }));
  assert.deepEqual(await statuses(calls), [200, 429]);
});

test('a call that one limit refuses takes nothing from the others', async () => {
  const { gateway } = await setUp({
    limits: { requestsPerMinute: 2 },
    modelLimits: { m: { requestsPerMinute: 1 } },
  });
  const models = ['m', 'm', 'm', 'n', 'n'];
  assert.deepEqual(await statuses(models.map((model) => ask(gateway, { model }))), [200, 429, 429, 200, 429]);
});

test('calls under way are limited, and one that ends makes room', async () => {
  const held: ServerResponse[] = [];
  const { gateway, upstream } = await setUp({ limits: { concurrentCalls: 2 } }, (response) =>
    held.push(response),
  );
  const running = [ask(gateway), ask(gateway)];
  while (upstream.requests.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  const refused = await ask(gateway);
  assert.equal(refused.status, 429);
  assert.equal(refused.headers.get('retry-after'), '1');
  assert.equal((await errorOf(refused)).code, 'concurrent_calls_exceeded');
  for (const response of held.splice(0)) respond(response);
  assert.deepEqual(await statuses(running), [200, 200]);
  const next = ask(gateway);
  while (held.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  for (const response of held.splice(0)) respond(response);
  assert.equal((await next).status, 200);
});

test('tokens are reserved by what the call may use, and what it did not use comes back', async () => {
  const { gateway } = await setUp({ limits: { tokensPerMinute: 3_000 } });
  const first = await ask(gateway, { max_tokens: 2_000 });
  assert.equal(first.status, 200);
  assert.equal(first.headers.get('x-ratelimit-limit-tokens'), '3000');
  const left = Number(first.headers.get('x-ratelimit-remaining-tokens'));
  assert.ok(left < 1_000 - 700 && left > 200, `${left} are left`);
  // The answer used 5 of them: nearly all is there again.
  assert.equal((await ask(gateway, { max_tokens: 2_000 })).status, 200);
});

test('of several limits of output the largest is reserved, for some providers know only that one', async () => {
  const { gateway, upstream } = await setUp({ limits: { budgets: [{ tokens: 20_000, per: 'total' }] } });
  for (const bounds of [
    { max_tokens: 50_000, max_completion_tokens: 1 },
    { max_tokens: 50_000, max_completion_tokens: 0 },
    { max_tokens: 1, max_completion_tokens: '50000' },
    { max_tokens: 5_000, n: '8' },
  ]) {
    assert.equal((await ask(gateway, bounds)).status, 402, JSON.stringify(bounds));
  }
  const gemini = (generationConfig: object, more: object = {}) =>
    gateway.post(
      '/v1beta/models/m:generateContent',
      { contents: [{ role: 'user', parts: [{ text: 'Hi' }] }], generationConfig, ...more },
      { headers: { authorization: '', 'x-goog-api-key': APP } },
    );
  assert.equal((await gemini({ maxOutputTokens: 1, max_output_tokens: 50_000 })).status, 402);
  assert.equal((await gemini({ maxOutputTokens: '50000' })).status, 402);
  const twice = { generation_config: { maxOutputTokens: 50_000 } };
  assert.equal((await gemini({ maxOutputTokens: 1 }, twice)).status, 402);
  assert.equal(upstream.requests.length, 0);
});

test('a limit of output that is none is refused where tokens or money are limited, and only there', async () => {
  const { gateway, upstream } = await setUp({ limits: { budgets: [{ usd: 1, per: 'total' }] } });
  for (const [param, value] of [
    ['max_tokens', 1e30],
    ['max_tokens', [100_000]],
    ['max_tokens', -1],
    ['n', 1e30],
  ] as const) {
    const refused = await ask(gateway, { [param]: value });
    assert.equal(refused.status, 400);
    assert.equal((await errorOf(refused)).param, param);
  }
  assert.equal(upstream.requests.length, 0);
  assert.equal((await ask(gateway, { key: RIVAL, max_tokens: -1 })).status, 200);
});

test('a call that can never fit is refused for good, and says what it may use', async () => {
  const { gateway, upstream } = await setUp({ limits: { tokensPerMinute: 3_000 } });
  const refused = await ask(gateway, { max_tokens: 100_000 });
  assert.equal(refused.status, 429);
  assert.equal(refused.headers.get('retry-after'), null);
  assert.equal(refused.headers.get('x-should-retry'), 'false');
  assert.match(
    (await errorOf(refused)).message,
    /too large: the tenant 'acme' has a limit of 3000 tokens per minute/,
  );
  assert.equal(upstream.requests.length, 0);
});

test('where the bound by bytes does not fit, the input is counted', async () => {
  const { gateway, upstream } = await setUp({ limits: { tokensPerMinute: 3_000 } });
  // 20 KB of text are bounded by 10,700 tokens, and come to 2,500.
  const text = 'hello and '.repeat(1_200);
  assert.equal((await ask(gateway, { content: text, max_tokens: 100 })).status, 200);
  assert.equal((await ask(gateway, { content: text.repeat(4), max_tokens: 100 })).status, 429);
  assert.equal(upstream.requests.length, 1);
});

test('only what was counted, or the limit of the answer alone, is ever refused for good', async () => {
  const used = (tokens: number) => chatAnswer('Hi').replace('"prompt_tokens":3', `"prompt_tokens":${tokens}`);
  // 12 KB of text are bounded by 6,700 tokens, which is more than the limit, and come to 2,500.
  const text = 'hello and '.repeat(1_200);
  const rate = await setUp({ limits: { tokensPerMinute: 3_000 } }, (response) =>
    respond(response, used(2_950)),
  );
  assert.equal((await ask(rate.gateway, { max_tokens: 10 })).status, 200);
  // Nothing is left that could be worth a count, nor even the answer's limit.
  const later = await ask(rate.gateway, { content: text, max_tokens: 100 });
  assert.equal(later.status, 429);
  assert.notEqual(later.headers.get('x-should-retry'), 'false');
  assert.ok(Number(later.headers.get('retry-after')) > 0);
  assert.match((await errorOf(later)).message, /^Rate limit reached/);
  const never = await ask(rate.gateway, { content: text, max_tokens: 3_001 });
  assert.equal(never.headers.get('x-should-retry'), 'false');
  assert.match((await errorOf(never)).message, /too large/);

  const limits = { budgets: [{ tokens: 3_000, per: 'day' as const }] };
  const budget = await setUp({ limits }, (response) => respond(response, used(2_950)));
  assert.equal((await ask(budget.gateway, { max_tokens: 10 })).status, 200);
  const tomorrow = await ask(budget.gateway, { content: text, max_tokens: 100 });
  assert.equal(tomorrow.status, 402);
  assert.ok(Number(tomorrow.headers.get('retry-after')) > 0);
  assert.match((await errorOf(tomorrow)).message, /It resets at/);
});

test('what was counted and is more than the limit is refused for good', async () => {
  const { gateway, upstream } = await setUp({ limits: { tokensPerMinute: 3_000 } });
  const refused = await ask(gateway, { content: 'hello and '.repeat(4_800), max_tokens: 100 });
  assert.equal(refused.headers.get('x-should-retry'), 'false');
  assert.match((await errorOf(refused)).message, /too large.*may use (9|10)\d{3}\./);
  assert.equal(upstream.requests.length, 0);
});

test('a budget that is spent says when it resets, and is not tried again', async () => {
  const { gateway } = await setUp({ keyLimits: { budgets: [{ usd: 0.002, per: 'day' }] } }, (response) =>
    respond(response, chatAnswer('Hi').replace('"prompt_tokens":3', '"prompt_tokens":1998')),
  );
  assert.equal((await ask(gateway, { max_tokens: 10 })).status, 200);
  const refused = await ask(gateway, { max_tokens: 10 });
  assert.equal(refused.status, 402);
  assert.equal(refused.headers.get('x-should-retry'), 'false');
  const error = await errorOf(refused);
  assert.deepEqual([error.type, error.code], ['insufficient_quota', 'insufficient_quota']);
  const tomorrow = new Date(Math.ceil((Date.now() + 1) / 86_400_000) * 86_400_000).toISOString();
  assert.equal(
    error.message,
    `The budget of $0.002 per day of the key 'app' does not allow this call. It resets at ${tomorrow}.`,
  );
  assert.equal((await ask(gateway, { key: OTHER, max_tokens: 10 })).status, 200);
});

test('a budget that is smaller than the call does not say when to come again', async () => {
  const { gateway } = await setUp({ limits: { budgets: [{ tokens: 3_000, per: 'day' }] } });
  const refused = await ask(gateway, { max_tokens: 100_000 });
  assert.equal(refused.status, 402);
  assert.equal(refused.headers.get('retry-after'), null);
  const { message } = await errorOf(refused);
  assert.match(message, /has 3000 tokens left.* It is smaller than the call: send less/);
  assert.doesNotMatch(message, /resets/);
  const fits = await ask(gateway, { max_tokens: 2_000 });
  assert.equal(fits.status, 200);
  const spent = await setUp({ limits: { budgets: [{ tokens: 1_000, per: 'day' }] } }, (response) =>
    respond(response, chatAnswer('Hi').replace('"prompt_tokens":3', '"prompt_tokens":998')),
  );
  assert.equal((await ask(spent.gateway, { max_tokens: 10 })).status, 200);
  const later = await ask(spent.gateway, { max_tokens: 10 });
  assert.equal(later.status, 402);
  assert.ok(Number(later.headers.get('retry-after')) > 0);
});

test('a rate of tokens is told as one, and no wait is longer than the SDK of OpenAI waits', async () => {
  const requests = await setUp({ limits: { requestsPerMinute: 1 } });
  await ask(requests.gateway);
  assert.equal((await errorOf(await ask(requests.gateway))).type, 'requests');
  const tokens = await setUp({ limits: { tokensPerMinute: 3_000 } });
  const { gateway } = tokens;
  assert.equal((await errorOf(await ask(gateway, { max_tokens: 100_000 }))).type, 'tokens');
});

test('counting tokens is a request, and takes neither tokens nor money', async () => {
  const { gateway } = await setUp({
    limits: { requestsPerMinute: 3, tokensPerMinute: 1, budgets: [{ tokens: 1, per: 'total' }] },
  });
  const count = () =>
    gateway.post(
      '/v1/messages/count_tokens',
      { model: 'm', messages: [{ role: 'user', content: 'Hi' }] },
      { headers: { authorization: '', 'x-api-key': APP, 'anthropic-version': '2023-06-01' } },
    );
  const first = await count();
  assert.equal(first.status, 200);
  assert.equal(first.headers.get('anthropic-ratelimit-requests-remaining'), '2');
  assert.deepEqual(await statuses([count(), count(), count()]), [200, 200, 429]);
});

test('a stream’s tokens are settled by what it reported, and one that its client left by what came', async () => {
  const { gateway } = await setUp({ limits: { concurrentCalls: 1, tokensPerMinute: 4_000 } }, (response) => {
    response.setHeader('content-type', 'text/event-stream');
    response.write(chatChunk('Hello'));
  });
  const client = new AbortController();
  const stream = await gateway.post(
    '/v1/chat/completions',
    { model: 'm', stream: true, max_tokens: 3_000, messages: [{ role: 'user', content: 'Hi' }] },
    { headers: { authorization: `Bearer ${APP}` }, signal: client.signal },
  );
  assert.equal(stream.status, 200);
  assert.equal((await ask(gateway)).status, 429);
  client.abort();
  await gateway.calls(2);
  const next = await gateway.post(
    '/v1/chat/completions',
    { model: 'm', stream: true, max_tokens: 3_000, messages: [{ role: 'user', content: 'Hi' }] },
    { headers: { authorization: `Bearer ${APP}` } },
  );
  assert.equal(next.status, 200);
  await next.body?.cancel();
});

test('white space around a name, or Google’s folder before it, makes no second name, which the limits on the first would not meet', async () => {
  const { gateway, upstream } = await setUp({});
  for (const odd of ['up/gpt-4.1 ', 'up/ gpt-4.1', 'up/gpt-4.1\n', 'up/gpt\u00004.1', 'up/gpt-4.1\u00a0']) {
    assert.equal((await ask(gateway, { model: odd })).status, 404, JSON.stringify(odd));
  }
  assert.equal(upstream.requests.length, 0);
});

test('a call that fits by its bound passes, also where its input costs nothing that a count could lower', async () => {
  const { gateway, upstream } = await setUp({
    limits: { budgets: [{ usd: 1, per: 'total' }] },
    prices: { 'up/*': { input: 0, output: 10 } },
  });
  // It takes 0.3 of the dollar.
  const answer = await ask(gateway, { content: 'hello and '.repeat(500), max_tokens: 30_000 });
  assert.equal(answer.status, 200, await answer.text());
  assert.equal(upstream.requests.length, 1);
});

test('what cannot be read is refused by its bound for good', async () => {
  const { gateway } = await setUp({ limits: { tokensPerMinute: 2_000 } });
  const refused = await ask(gateway, { content: 'x', messages: 'hello and '.repeat(500), max_tokens: 10 });
  assert.equal(refused.status, 429);
  assert.equal(refused.headers.get('x-should-retry'), 'false');
});

const HEAVY = scale<string | false>({ sample: 'it counts 50 MB of text: only with --heavy', heavy: false });

test('where too much waits to be counted, nobody is refused for good', { skip: HEAVY }, async () => {
  const { gateway } = await setUp({ limits: { budgets: [{ usd: 7, per: 'total' }] } });
  const text = 'hello and '.repeat(800_000);
  const answers = await Promise.all(
    Array.from({ length: 6 }, () => ask(gateway, { content: text, max_tokens: 10 })),
  );
  const refused = answers.filter(({ status }) => status !== 200);
  assert.ok(refused.length > 0, 'all of them were counted at once');
  for (const { status, headers } of refused) {
    assert.ok(status === 503 || headers.get('x-should-retry') === 'true', `${status}`);
    assert.ok(Number(headers.get('retry-after')) > 0);
  }
});
