import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { startGateway } from '../support/gateway.ts';
import { startRawUpstream } from '../support/raw-upstream.ts';

const MESSAGE = 'Slow down';

/** What a provider that refuses a call for its rate says beside `retry-after`, and the seconds that its caller is told to wait. */
interface NamedTime {
  says: string;
  adapter: 'openai-compatible' | 'openai' | 'anthropic' | 'gemini';
  headers?: () => Record<string, string | string[]>;
  body?: () => object;
  /** The answer is a success, and the body stands in it: as an event of its stream, or whole. */
  within?: 'stream' | 'answer';
  /** The door that is spoken to; `/v1/chat/completions` where nothing is said. */
  path?: '/v1/chat/completions' | '/v1/messages' | '/v1/responses';
  seconds: number;
}

const secondsFromNow = (seconds: number) => new Date(Date.now() + seconds * 1000).toISOString();
const google = {
  code: 429,
  message: MESSAGE,
  status: 'RESOURCE_EXHAUSTED',
  details: [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '17s' }],
};

const CASES: NamedTime[] = [
  {
    says: 'the reset of the requests, of which none is left',
    adapter: 'openai-compatible',
    headers: () => ({
      'x-ratelimit-limit-requests': '60',
      'x-ratelimit-remaining-requests': '0',
      'x-ratelimit-reset-requests': '1m30s',
      'x-ratelimit-limit-tokens': '150000',
      'x-ratelimit-remaining-tokens': '149984',
      'x-ratelimit-reset-tokens': '6m0s',
    }),
    seconds: 90,
  },
  {
    says: 'the reset of the tokens, in seconds alone',
    adapter: 'openai-compatible',
    headers: () => ({ 'x-ratelimit-remaining-tokens': '0', 'x-ratelimit-reset-tokens': '41' }),
    seconds: 41,
  },
  {
    says: 'the times of two limits that are used up',
    adapter: 'anthropic',
    headers: () => ({
      'anthropic-ratelimit-requests-limit': '50',
      'anthropic-ratelimit-requests-remaining': '49',
      'anthropic-ratelimit-requests-reset': secondsFromNow(300),
      'anthropic-ratelimit-input-tokens-limit': '10000',
      'anthropic-ratelimit-input-tokens-remaining': '0',
      'anthropic-ratelimit-input-tokens-reset': secondsFromNow(20),
      'anthropic-ratelimit-tokens-limit': '18000',
      'anthropic-ratelimit-tokens-remaining': '0',
      'anthropic-ratelimit-tokens-reset': secondsFromNow(40),
    }),
    seconds: 40,
  },
  {
    says: "the reset of Cerebras's requests of the day",
    adapter: 'openai-compatible',
    headers: () => ({
      'x-ratelimit-limit-requests-day': '1000',
      'x-ratelimit-remaining-requests-day': '0',
      'x-ratelimit-reset-requests-day': '911.38',
      'x-ratelimit-limit-tokens-minute': '60000',
      'x-ratelimit-remaining-tokens-minute': '60000',
      'x-ratelimit-reset-tokens-minute': '11.38',
    }),
    seconds: 912,
  },
  {
    says: "OpenRouter's reset, a time in milliseconds",
    adapter: 'openai-compatible',
    headers: () => ({
      'x-ratelimit-limit': '20',
      'x-ratelimit-remaining': '0',
      'x-ratelimit-reset': String(Date.now() + 50_000),
    }),
    seconds: 50,
  },
  {
    says: "OpenRouter's reset in the error's metadata",
    adapter: 'openai-compatible',
    body: () => ({
      error: {
        message: MESSAGE,
        code: 429,
        metadata: {
          headers: {
            'X-RateLimit-Limit': '20',
            'X-RateLimit-Remaining': '0',
            'X-RateLimit-Reset': String(Date.now() + 50_000),
          },
          provider_name: null,
        },
      },
    }),
    seconds: 50,
  },
  {
    says: "OpenRouter's `Retry-After` in the error's metadata",
    adapter: 'openai-compatible',
    body: () => ({
      error: { message: MESSAGE, code: 429, metadata: { headers: { 'Retry-After': '50' } } },
    }),
    seconds: 50,
  },
  { says: "Google's RetryInfo", adapter: 'gemini', body: () => ({ error: google }), seconds: 17 },
  {
    says: "Google's RetryInfo in its compatible API",
    adapter: 'openai-compatible',
    body: () => [{ error: google }],
    seconds: 17,
  },
  {
    says: '`retry-after-ms`',
    adapter: 'openai-compatible',
    headers: () => ({ 'retry-after-ms': '25000', 'retry-after': '60' }),
    seconds: 25,
  },
  {
    says: '`retry-after`, which goes before resets',
    adapter: 'openai-compatible',
    headers: () => ({
      'retry-after': '30',
      'x-ratelimit-remaining-requests': '0',
      'x-ratelimit-reset-requests': '20h',
    }),
    seconds: 30,
  },
  {
    says: '`retry-after` in two lines',
    adapter: 'openai-compatible',
    headers: () => ({ 'retry-after': ['30', '40'] }),
    seconds: 40,
  },
  {
    says: '`retry-after` twice in one line',
    adapter: 'openai-compatible',
    headers: () => ({ 'retry-after': '30, 30' }),
    seconds: 30,
  },
  {
    says: 'more seconds than anybody waits',
    adapter: 'openai-compatible',
    headers: () => ({ 'retry-after': '99999999999' }),
    seconds: 3_600,
  },
  ...['-5', '0.0'].map(
    (remaining): NamedTime => ({
      says: `the reset of a limit of which ${remaining} is left`,
      adapter: 'openai-compatible',
      headers: () => ({ 'x-ratelimit-remaining-requests': remaining, 'x-ratelimit-reset-requests': '41' }),
      seconds: 41,
    }),
  ),
  {
    says: 'the reset by the names of the IETF draft',
    adapter: 'openai-compatible',
    headers: () => ({ 'ratelimit-limit': '10', 'ratelimit-remaining': '0', 'ratelimit-reset': '41' }),
    seconds: 41,
  },
];

const LIMITED_BY_TOKENS = {
  type: 'tokens',
  code: 'rate_limit_exceeded',
  message:
    'Rate limit reached for gpt-4.1 in organization org-x on tokens per min (TPM): Limit 30000, Used 29937, Requested 11159. Please try again in 1m2.5s. Visit https://platform.openai.com/account/rate-limits to learn more.',
  param: null,
};
const openRouters = () => ({
  code: 429,
  message: MESSAGE,
  metadata: {
    headers: {
      'X-RateLimit-Limit': '20',
      'X-RateLimit-Remaining': '0',
      'X-RateLimit-Reset': String(Date.now() + 50_000),
    },
    provider_name: null,
  },
});
const chunk = { id: 'gen-1', object: 'chat.completion.chunk', created: 1, model: 'x' };

/** Where no header says it, or there can be none: behind a 200. */
const IN_BODIES: NamedTime[] = [
  {
    says: "OpenAI's words",
    adapter: 'openai',
    body: () => ({ error: LIMITED_BY_TOKENS }),
    seconds: 63,
  },
  {
    says: "Azure's words",
    adapter: 'openai-compatible',
    body: () => ({ error: { code: '429', message: 'Rate limit is exceeded. Try again in 50 seconds.' } }),
    seconds: 50,
  },
  {
    says: 'a reset, which goes before the words',
    adapter: 'openai-compatible',
    headers: () => ({ 'x-ratelimit-remaining-tokens': '0', 'x-ratelimit-reset-tokens': '41' }),
    body: () => ({ error: LIMITED_BY_TOKENS }),
    seconds: 41,
  },
  ...(['/v1/chat/completions', '/v1/messages'] as const).flatMap((path): NamedTime[] => [
    {
      says: `OpenRouter's error chunk (${path})`,
      adapter: 'openai-compatible',
      within: 'stream',
      body: () => ({
        ...chunk,
        error: openRouters(),
        choices: [{ index: 0, delta: { content: '' }, finish_reason: 'error' }],
      }),
      path,
      seconds: 50,
    },
    {
      says: `OpenRouter's error in a choice (${path})`,
      adapter: 'openai-compatible',
      within: 'answer',
      body: () => ({
        ...chunk,
        object: 'chat.completion',
        choices: [{ index: 0, message: { role: 'assistant', content: '' }, error: openRouters() }],
      }),
      path,
      seconds: 50,
    },
    {
      says: `OpenRouter's error in place of an answer (${path})`,
      adapter: 'openai-compatible',
      within: 'answer',
      body: () => ({ error: openRouters() }),
      path,
      seconds: 50,
    },
    {
      says: `OpenAI's words in a stream (${path})`,
      adapter: 'openai-compatible',
      within: 'stream',
      body: () => ({ error: LIMITED_BY_TOKENS }),
      path,
      seconds: 63,
    },
    {
      says: `Google's RetryInfo in a stream (${path})`,
      adapter: 'gemini',
      within: 'stream',
      body: () => ({ error: google }),
      path,
      seconds: 17,
    },
  ]),
  {
    says: '`retry-after` of an answer in whose place an error stands',
    adapter: 'openai-compatible',
    within: 'answer',
    headers: () => ({ 'retry-after': '40' }),
    body: () => ({ error: { code: 429, message: MESSAGE } }),
    seconds: 40,
  },
  {
    says: "OpenAI's words in an event of the Responses API",
    adapter: 'openai',
    within: 'stream',
    body: () => ({ type: 'error', sequence_number: 0, error: LIMITED_BY_TOKENS }),
    path: '/v1/responses',
    seconds: 63,
  },
  {
    says: "OpenAI's words in a failed response",
    adapter: 'openai',
    within: 'answer',
    body: () => ({
      ...{ id: 'resp_1', object: 'response', created_at: 1, status: 'failed', model: 'x', output: [] },
      error: { code: 'rate_limit_exceeded', message: LIMITED_BY_TOKENS.message },
    }),
    path: '/v1/responses',
    seconds: 63,
  },
];

async function setUp(context: TestContext, { adapter, headers, body, within, path }: NamedTime) {
  const upstream = await startRawUpstream((response) => {
    const type = within === 'stream' ? 'text/event-stream' : 'application/json';
    response.writeHead(within ? 200 : 429, { 'content-type': type, ...headers?.() });
    const text = JSON.stringify(body?.() ?? { error: { message: MESSAGE } });
    response.end(within === 'stream' ? `data: ${text}\n\n` : text);
  });
  const baseUrl = adapter.startsWith('openai') ? upstream.baseUrl : upstream.baseUrl.replace('/v1', '');
  const accounts = [{ name: 'main', apiKey: 'sk-upstream-secret-0123456789' }];
  const gateway = await startGateway({
    providers: { up: { adapter, baseUrl, accounts } },
    models: { m: { targets: ['up/x'], retries: 0 } },
  });
  context.after(async () => {
    await gateway.stop();
    await upstream.close();
  });
  const call = async () => {
    const said = { messages: [{ role: 'user', content: 'Hi' }], max_tokens: 9 };
    const stream = within === 'stream';
    const response = await gateway.post(path ?? '/v1/chat/completions', {
      ...{ model: 'm', stream },
      ...(path === '/v1/responses' ? { input: 'Hi' } : said),
    });
    await response.text();
    return { status: response.status, retryAfter: Number(response.headers.get('retry-after')) };
  };
  return { upstream, call };
}

for (const named of [...CASES, ...IN_BODIES]) {
  test(`${named.says} (${named.adapter}): the place is not called before`, async (context) => {
    const { upstream, call } = await setUp(context, named);
    const first = await call();
    const second = await call();
    assert.deepEqual([first.status, second.status], [429, 429]);
    for (const { retryAfter } of [first, second]) {
      assert.ok(
        retryAfter > named.seconds - 10 && retryAfter <= named.seconds,
        `retry-after: ${retryAfter}, not about ${named.seconds}`,
      );
    }
    assert.equal(upstream.requests.length, 1);
  });
}

test('the reset of a limit of which something is left names no time', async (context) => {
  const { upstream, call } = await setUp(context, {
    says: '',
    adapter: 'openai-compatible',
    headers: () => ({ 'x-ratelimit-remaining-requests': '3', 'x-ratelimit-reset-requests': '6m0s' }),
    seconds: 0,
  });
  const { status, retryAfter } = await call();
  await call();
  assert.deepEqual([status, retryAfter, upstream.requests.length], [429, 0, 2]);
});

for (const path of ['/v1/chat/completions', '/v1/messages'] as const) {
  test(`an error that names a time behind the beginning of a stream counts for all that come (${path})`, async (context) => {
    const upstream = await startRawUpstream((response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const begun = { ...chunk, choices: [{ index: 0, delta: { role: 'assistant', content: 'Hel' } }] };
      const broken = {
        ...{ ...chunk, error: openRouters() },
        choices: [{ index: 0, delta: { content: '' }, finish_reason: 'error' }],
      };
      response.write(`data: ${JSON.stringify(begun)}\n\n`);
      // In one packet the client would have nothing of the answer yet.
      setTimeout(() => response.end(`data: ${JSON.stringify(broken)}\n\n`), 200);
    });
    const accounts = [{ name: 'main', apiKey: 'sk-upstream-secret-0123456789' }];
    const gateway = await startGateway({
      providers: { up: { adapter: 'openai-compatible', baseUrl: upstream.baseUrl, accounts } },
      models: { m: { targets: ['up/x'], retries: 0 } },
    });
    context.after(async () => {
      await gateway.stop();
      await upstream.close();
    });
    const call = () =>
      gateway.post(path, {
        ...{ model: 'm', stream: true, max_tokens: 9 },
        messages: [{ role: 'user', content: 'Hi' }],
      });
    const first = await call();
    assert.match(await first.text(), /Hel.*Slow down/s);
    const second = await call();
    await second.text();
    const retryAfter = Number(second.headers.get('retry-after'));
    assert.deepEqual([first.status, second.status, upstream.requests.length], [200, 429, 1]);
    assert.ok(retryAfter > 40 && retryAfter <= 50, `retry-after: ${retryAfter}`);
  });
}
