import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { afterEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { countText } from '../../src/tokens/encoders.ts';
import { startGateway, TEST_KEY, type TestGateway } from '../support/gateway.ts';
import { chatAnswer, startRawUpstream } from '../support/raw-upstream.ts';
import { redisMissing, startRedis } from '../support/redis.ts';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const OUTPUT = 10;
/** What frames the text of a call to gpt-4o (a recorded call reports it). */
const FRAME = 7;
/** A table of numbers: a token for each byte. */
const TABLE = Array.from({ length: 5_000 }, (_, index) => (index * 7 + (index >> 3)) % 10).join(',');
const ENGLISH = 'The committee decided that the proposal should be discussed again next week. '.repeat(120);

const inputOf = (text: string) => countText('o200k_base', text) + FRAME;

/** Instances with one budget, and a provider that answers when it is told to, and says what it read. */
async function setUp(state: string, tokens: number, instances: number) {
  const held: { response: ServerResponse; input: number }[] = [];
  const upstream = await startRawUpstream((response: ServerResponse, body: string) => {
    const { messages, documents = [] } = JSON.parse(body) as {
      messages: { content: string }[];
      documents?: { text: string }[];
    };
    const texts = [...messages.map(({ content }) => content), ...documents.map(({ text }) => text)];
    held.push({ response, input: inputOf(texts.join('\n')) });
  });
  closing.push(upstream.close);
  const gateways: TestGateway[] = [];
  for (let index = 0; index < instances; index++) {
    const gateway = await startGateway({
      state,
      stateTimeout: '10s',
      providers: { up: { adapter: 'openai-compatible', baseUrl: upstream.baseUrl } },
      tenants: {
        acme: {
          models: ['*'],
          limits: { budgets: [{ tokens, per: 'total' }] },
          keys: [{ name: 'app', secret: TEST_KEY }],
        },
      },
    });
    closing.push(gateway.stop);
    gateways.push(gateway);
  }
  /** So many calls at once, none of which ends before each is under way or refused. */
  const race = async (calls: number, content: string, fields: object = {}) => {
    const messages = [{ role: 'user', content }];
    const body = { model: 'up/gpt-4o', max_tokens: OUTPUT, messages, ...fields };
    let refused = 0;
    const statuses = Array.from({ length: calls }, async (_, index) => {
      const response = await gateways[index % instances]?.post('/v1/chat/completions', body);
      await response?.arrayBuffer();
      if (response?.status === 402) refused += 1;
      return response?.status;
    });
    while (held.length + refused < calls) await sleep(10);
    const passed = held.length;
    let used = 0;
    for (const { response, input } of held) {
      used += input + OUTPUT;
      const usage = { prompt_tokens: input, completion_tokens: OUTPUT, total_tokens: input + OUTPUT };
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ ...(JSON.parse(chatAnswer('Well.')) as object), usage }));
    }
    await Promise.all(statuses);
    return { passed, used };
  };
  return { race };
}

for (const [state, instances] of [
  ['memory', 1],
  ['redis', 2],
] as const) {
  const skip = state === 'redis' && redisMissing;
  const openState = async () => {
    if (state === 'memory') return state;
    const redis = await startRedis();
    closing.push(redis.close);
    return redis.url;
  };

  test(`calls that run at once cannot overspend together, also where each byte is a token (${state})`, {
    skip,
  }, async () => {
    const budget = 100_000;
    const { race } = await setUp(await openState(), budget, instances);
    const { passed, used } = await race(40, TABLE);
    assert.ok(used <= budget, `${passed} calls used ${used} tokens of ${budget}`);
    assert.equal(passed, Math.floor(budget / (inputOf(TABLE) + OUTPUT)));
  });

  test(`as many calls of ordinary text run at once as fit, where little is left beside their size (${state})`, {
    skip,
  }, async () => {
    const needed = inputOf(ENGLISH) + OUTPUT;
    const { race } = await setUp(await openState(), 12 * needed + 5, instances);
    assert.ok(ENGLISH.length * 2 < 12 * needed);
    assert.equal((await race(30, ENGLISH)).passed, 12);
  });

  test(`nor where the text stands in a field that only some servers read (${state})`, {
    skip,
  }, async () => {
    const budget = 3 * inputOf(ENGLISH);
    const { race } = await setUp(await openState(), budget, instances);
    const { passed, used } = await race(40, 'Sum up.', { documents: [{ title: 'Minutes', text: ENGLISH }] });
    assert.ok(used <= budget, `${passed} calls used ${used} tokens of ${budget}`);
  });
}
