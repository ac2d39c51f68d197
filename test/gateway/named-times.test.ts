import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { startGateway } from '../support/gateway.ts';
import { startRawUpstream } from '../support/raw-upstream.ts';

const MESSAGE = 'Slow down';

/** What a provider that refuses a call for its rate says beside `retry-after`, and the seconds that its caller is told to wait. */
interface NamedTime {
  says: string;
  adapter: 'openai-compatible' | 'anthropic' | 'gemini';
  headers?: () => Record<string, string>;
  body?: () => object;
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
];

async function setUp(context: TestContext, { adapter, headers, body }: NamedTime) {
  const upstream = await startRawUpstream((response) => {
    response.writeHead(429, { 'content-type': 'application/json', ...headers?.() });
    response.end(JSON.stringify(body?.() ?? { error: { message: MESSAGE } }));
  });
  const baseUrl = adapter === 'openai-compatible' ? upstream.baseUrl : upstream.baseUrl.replace('/v1', '');
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
    const messages = [{ role: 'user', content: 'Hi' }];
    const response = await gateway.post('/v1/chat/completions', { model: 'm', messages });
    await response.text();
    return { status: response.status, retryAfter: Number(response.headers.get('retry-after')) };
  };
  return { upstream, call };
}

for (const named of CASES) {
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
