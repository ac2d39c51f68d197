import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import Anthropic, {
  RateLimitError as AnthropicRateLimitError,
  PaymentRequiredError,
} from '@anthropic-ai/sdk';
import { ApiError, GoogleGenAI } from '@google/genai';
import OpenAI, { APIError, RateLimitError } from 'openai';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { chatAnswer, startRawUpstream } from '../support/raw-upstream.ts';

const RATED = 'sk-fl-key-of-rated-00000000000000';
const BROKE = 'sk-fl-key-of-broke-00000000000000';

const closing: (() => Promise<void>)[] = [];
after(async () => {
  for (const close of closing.reverse()) await close();
});

const tenant = (secret: string, limits: object) => ({
  models: ['*'],
  limits,
  keys: [{ name: 'app', secret }],
});
const upstream = await startRawUpstream((response) => {
  response.setHeader('content-type', 'application/json');
  response.end(chatAnswer('Hi').replace('"prompt_tokens":3', '"prompt_tokens":6000'));
});
const gateway: TestGateway = await startGateway({
  providers: { up: { adapter: 'openai-compatible', baseUrl: upstream.baseUrl } },
  tenants: {
    rated: tenant(RATED, { tokensPerMinute: 1 }),
    // Holds each of the calls, and is spent by one.
    broke: tenant(BROKE, { budgets: [{ tokens: 6_000, per: 'month' }] }),
  },
});
closing.push(upstream.close, gateway.stop);

const model = 'echo/echo';
const messages = [{ role: 'user' as const, content: 'Hi' }];

/** Every door of every SDK, with the retries that its users have. */
const DOORS: { name: string; ask(key: string, url: string): Promise<unknown> }[] = [
  {
    name: 'chat',
    ask: (apiKey, url) => openAi(apiKey, url).chat.completions.create({ model, messages }),
  },
  {
    name: 'chat, streamed',
    ask: (apiKey, url) => openAi(apiKey, url).chat.completions.create({ model, messages, stream: true }),
  },
  {
    name: 'responses',
    ask: (apiKey, url) => openAi(apiKey, url).responses.create({ model, input: 'Hi' }),
  },
  {
    name: 'embeddings',
    ask: (apiKey, url) => openAi(apiKey, url).embeddings.create({ model, input: 'Good morning to you' }),
  },
  {
    name: 'messages',
    ask: (apiKey, url) =>
      new Anthropic({ baseURL: url, apiKey }).messages.create({ model, max_tokens: 10, messages }),
  },
  {
    name: 'gemini',
    ask: (apiKey, url) =>
      new GoogleGenAI({ apiKey, httpOptions: { baseUrl: url } }).models.generateContent({
        model,
        contents: 'Hi',
      }),
  },
];

function openAi(apiKey: string, url: string): OpenAI {
  return new OpenAI({ baseURL: `${url}/v1`, apiKey });
}

await openAi(BROKE, gateway.url).chat.completions.create({ model: 'up/x', max_tokens: 10, messages });

async function errorOf(asked: Promise<unknown>): Promise<unknown> {
  return asked.then(
    () => assert.fail('it was answered'),
    (error: unknown) => error,
  );
}

for (const { name, ask } of DOORS) {
  test(`${name}: a spent budget is a 402 that the SDK raises at once`, async () => {
    const error = await errorOf(ask(BROKE, gateway.url));
    if (name === 'messages') {
      assert.ok(error instanceof PaymentRequiredError, String(error));
      assert.equal(error.type, 'billing_error');
    } else if (name === 'gemini') {
      assert.ok(error instanceof ApiError, String(error));
      assert.match(error.message, /FAILED_PRECONDITION/);
    } else {
      assert.ok(error instanceof APIError, String(error));
      assert.equal(error.code, 'insufficient_quota');
    }
    assert.equal(error.status, 402);
    assert.match(error.message, /It resets at \d{4}-\d\d-01T00:00:00\.000Z/);
  });

  test(`${name}: a rate limit is the SDK’s own error`, async () => {
    const error = await errorOf(ask(RATED, gateway.url));
    const type =
      name === 'messages' ? AnthropicRateLimitError : name === 'gemini' ? ApiError : RateLimitError;
    assert.ok(error instanceof type, String(error));
    assert.equal(error.status, 429);
  });
}

test('no SDK has tried again what would not have helped', async () => {
  const calls = await gateway.calls(1 + 2 * DOORS.length);
  const told = calls.map(({ tenant: who, outcome }) => `${who}: ${outcome}`).toSorted();
  assert.deepEqual(told, [
    ...DOORS.map(() => 'broke: budget_exceeded'),
    'broke: ok',
    ...DOORS.map(() => 'rated: rate_limited'),
  ]);
});
