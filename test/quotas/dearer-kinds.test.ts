import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { afterEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startGateway, TEST_KEY } from '../support/gateway.ts';
import { chatAnswer, startRawUpstream } from '../support/raw-upstream.ts';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

interface Case {
  adapter: string;
  price: object;
  usd: number;
  path: string;
  body: object | string;
  answer: object;
}

/** Calls that run all at once against a budget, and answers that come when each is under way or refused. Gives what they cost. */
async function spendAtOnce({ adapter, price, usd, path, body, answer }: Case, calls = 40) {
  const held: ServerResponse[] = [];
  const upstream = await startRawUpstream((response: ServerResponse) => held.push(response));
  const baseUrl = adapter === 'anthropic' ? upstream.baseUrl.replace('/v1', '') : upstream.baseUrl;
  const gateway = await startGateway({
    providers: { up: { adapter, baseUrl, accounts: [{ name: 'a', apiKey: 'k' }] } },
    prices: { 'up/*': price },
    tenants: {
      acme: {
        models: ['*'],
        limits: { budgets: [{ usd, per: 'total' }] },
        keys: [{ name: 'app', secret: TEST_KEY }],
      },
    },
  });
  closing.push(upstream.close, gateway.stop);
  let [refused, failed] = [0, 0];
  const answers = Array.from({ length: calls }, async () => {
    const response = await gateway.post(path, body, { headers: { 'anthropic-version': '2023-06-01' } });
    await response.arrayBuffer();
    if (response.status === 402) refused += 1;
    else if (response.status !== 200) failed = response.status;
  });
  while (held.length + refused < calls && failed === 0) await sleep(10);
  assert.equal(failed, 0);
  for (const response of held) {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(answer));
  }
  await Promise.all(answers);
  const records = await gateway.calls(calls);
  const spent = records.reduce((sum, { costMicroUsd }) => sum + (costMicroUsd ?? 0), 0) / 1e6;
  return { passed: held.length, spent };
}

const TEXT = 'The committee decided that the proposal should be discussed again next week. '.repeat(200);
const TOKENS = 2_802;

const cached = (ttl: string | undefined) => ({
  model: 'up/claude-sonnet-4-5',
  max_tokens: 10,
  messages: [
    {
      role: 'user',
      content: [{ type: 'text', text: TEXT, cache_control: { type: 'ephemeral', ...(ttl && { ttl }) } }],
    },
  ],
});
const written = (ttl: '5m' | '1h') => ({
  id: 'msg_1',
  type: 'message',
  role: 'assistant',
  model: 'claude',
  content: [{ type: 'text', text: 'x' }],
  stop_reason: 'end_turn',
  stop_sequence: null,
  usage: {
    input_tokens: 5,
    cache_creation_input_tokens: TOKENS,
    cache_read_input_tokens: 0,
    cache_creation: {
      ephemeral_5m_input_tokens: ttl === '5m' ? TOKENS : 0,
      ephemeral_1h_input_tokens: ttl === '1h' ? TOKENS : 0,
    },
    output_tokens: 10,
  },
});
const claude = {
  adapter: 'anthropic',
  path: '/v1/messages',
  price: { input: 3, cacheWrite: 3.75, cacheWrite1h: 6, output: 15 },
};
const speaking = { input: 2.5, output: 10, inputAudio: 40, outputAudio: 80 };
const audio = { voice: 'alloy', format: 'wav' };
const chat = { adapter: 'openai-compatible', path: '/v1/chat/completions' };
const spoken = (inputAudio: number, outputAudio: number) => ({
  ...(JSON.parse(chatAnswer('La.')) as object),
  usage: {
    prompt_tokens: 10 + inputAudio,
    prompt_tokens_details: { audio_tokens: inputAudio },
    completion_tokens: outputAudio,
    completion_tokens_details: { audio_tokens: outputAudio },
    total_tokens: 10 + inputAudio + outputAudio,
  },
});
const sing = [{ role: 'user', content: 'Sing' }];

const CASES: Record<string, Case> = {
  'a cache for an hour': { ...claude, usd: 0.2, body: cached('1h'), answer: written('1h') },
  'a cache for five minutes': { ...claude, usd: 0.1, body: cached(undefined), answer: written('5m') },
  'a cache, by a key with escaped letters': {
    ...claude,
    usd: 0.2,
    body: JSON.stringify(cached('1h')).replace('cache_control', 'cache\\u005fcontrol'),
    answer: written('1h'),
  },
  speech: {
    ...chat,
    price: speaking,
    usd: 0.1,
    body: { model: 'up/a', max_tokens: 1000, modalities: ['text', 'audio'], audio, messages: sing },
    answer: spoken(0, 1000),
  },
  'what is heard': {
    ...chat,
    price: speaking,
    usd: 0.1,
    body: {
      model: 'up/a',
      max_tokens: 10,
      messages: [
        {
          role: 'user',
          content: [{ type: 'input_audio', input_audio: { data: 'A'.repeat(100_000), format: 'wav' } }],
        },
      ],
    },
    answer: spoken(600, 0),
  },
  'reasoning that costs more than an answer': {
    ...chat,
    price: { input: 1, output: 1, reasoning: 5 },
    usd: 0.02,
    body: { model: 'up/a', max_tokens: 1000, messages: sing },
    answer: {
      ...(JSON.parse(chatAnswer('La.')) as object),
      usage: {
        prompt_tokens: 10,
        completion_tokens: 1000,
        completion_tokens_details: { reasoning_tokens: 1000 },
        total_tokens: 1010,
      },
    },
  },
};

for (const [what, one] of Object.entries(CASES)) {
  test(`calls that run at once cannot overspend together by ${what}`, async () => {
    const { passed, spent } = await spendAtOnce(one);
    assert.ok(passed > 0);
    assert.ok(spent <= one.usd, `${passed} calls spent $${spent} of $${one.usd}`);
  });
}

test('where a request asks for no such thing, it is reserved at the plain price', async () => {
  const { passed } = await spendAtOnce({
    ...chat,
    price: { ...speaking, cacheWrite: 100 },
    usd: 0.1,
    body: { model: 'up/a', max_tokens: 1000, messages: sing },
    answer: spoken(0, 0),
  });
  // A little over a cent each.
  assert.ok(passed >= 8, `${passed} calls`);
});
