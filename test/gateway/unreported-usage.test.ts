import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { afterEach, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { startGateway, TEST_KEY } from '../support/gateway.ts';
import { chatChunk, configFor, startRawUpstream } from '../support/raw-upstream.ts';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function setUp(answer: (response: ServerResponse) => unknown) {
  const upstream = await startRawUpstream(answer);
  const gateway = await startGateway(configFor(upstream));
  closing.push(upstream.close, gateway.stop);
  const client = new Anthropic({ baseURL: gateway.url, apiKey: TEST_KEY, maxRetries: 0 });
  return { gateway, client };
}

const PROMPT = 'How do I tell a user what nobody has told me? '.repeat(20);
const REQUEST = {
  model: 'up/m',
  max_tokens: 100,
  messages: [{ role: 'user' as const, content: PROMPT }],
};
const WORDS = ['By ', 'saying ', 'what ', 'you ', 'think ', 'it ', 'is.'];
/** A quarter of the bytes: `estimateUsage`. */
const LEAST_INPUT = PROMPT.length / 4;

const json = (response: ServerResponse) => {
  response.setHeader('content-type', 'application/json');
  const message = { role: 'assistant', content: WORDS.join('') };
  response.end(JSON.stringify({ id: 'c', choices: [{ index: 0, message, finish_reason: 'stop' }] }));
};
const events =
  (end = '') =>
  (response: ServerResponse) => {
    response.setHeader('content-type', 'text/event-stream');
    const chunks = WORDS.map((word) => chatChunk(word)).join('');
    response.end(`${chunks}${chatChunk('', 'stop')}${end}data: [DONE]\n\n`);
  };

test("a whole message says the gateway's estimate where the provider reported no usage", async () => {
  const { gateway, client } = await setUp(json);
  const { usage } = await client.messages.create(REQUEST);
  assert.ok(usage.input_tokens >= LEAST_INPUT, `${usage.input_tokens} tokens`);
  assert.equal(usage.output_tokens, Math.ceil(WORDS.join('').length / 4));
  const [record] = await gateway.calls();
  assert.equal(record?.usage?.estimated, true);
});

/** A quarter of the letters, or one an event. */
for (const [what, answer, output] of [
  ['a streamed message', events(), WORDS.length],
  ['a message streamed from a whole answer', json, Math.ceil(WORDS.join('').length / 4)],
] as const) {
  test(`${what} says it from its start, and what came out at its end`, async () => {
    const { client } = await setUp(answer);
    let announced = 0;
    const stream = client.messages.stream(REQUEST);
    stream.on('streamEvent', (event) => {
      if (event.type === 'message_start') announced = event.message.usage.input_tokens;
    });
    const { usage } = await stream.finalMessage();
    assert.ok(announced >= LEAST_INPUT, `${announced} tokens`);
    assert.equal(usage.input_tokens, announced);
    assert.equal(usage.output_tokens, output);
  });
}

test('what a provider reports at the end stands in the place of what was announced', async () => {
  const usage = { prompt_tokens: 30, completion_tokens: 9, prompt_tokens_details: { cached_tokens: 10 } };
  const { client } = await setUp(events(`data: ${JSON.stringify({ id: 'c', choices: [], usage })}\n\n`));
  const message = await client.messages.stream(REQUEST).finalMessage();
  assert.equal(message.usage.input_tokens, 20);
  assert.equal(message.usage.cache_read_input_tokens, 10);
  assert.equal(message.usage.output_tokens, 9);
});

test('doors whose answers can leave their usage out do so', async () => {
  const { gateway } = await setUp(json);
  const path = '/v1beta/models/up%2Fm:generateContent';
  const contents = [{ role: 'user', parts: [{ text: PROMPT }] }];
  const body = JSON.parse(await (await gateway.post(path, { contents })).text());
  assert.ok(body.candidates);
  assert.equal(body.usageMetadata, undefined);
});
