import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BadRequestError } from 'openai';
import type { ChatCompletionCreateParamsNonStreaming } from 'openai/resources/chat/completions';
import { DIFFERENCES } from '../differences.ts';
import { startWorld } from '../support.ts';

const world = await startWorld();
const { client } = world;
const messages = [{ role: 'user' as const, content: 'Hi' }];

type Parameters = Partial<ChatCompletionCreateParamsNonStreaming> & Record<string, unknown>;

/** Asks with these parameters, in both ways, and gives what the gateway says it left out. */
async function droppedFor(model: string, parameters: Parameters): Promise<string | null> {
  const params = { model, messages, ...parameters };
  const whole = await client.chat.completions.create(params).withResponse();
  assert.equal(whole.data.choices[0]?.message.content, 'Echo: Hi');
  const streamed = await client.chat.completions.create({ ...params, stream: true }).withResponse();
  for await (const chunk of streamed.data) assert.ok(chunk.id);
  const dropped = whole.response.headers.get('x-fairlead-dropped');
  assert.equal(streamed.response.headers.get('x-fairlead-dropped'), dropped);
  return dropped;
}

/** What is left out for whom: what the provider has no parameter for, or the model a smaller range. */
const DROPPED: { parameters: Parameters; anthropic: string | null; gemini: string | null }[] = [
  { parameters: { temperature: 0.5 }, anthropic: null, gemini: null },
  { parameters: { temperature: 1.5 }, anthropic: 'temperature=1', gemini: null },
  { parameters: { top_p: 0.5 }, anthropic: null, gemini: null },
  { parameters: { temperature: 0.5, top_p: 0.5 }, anthropic: 'top_p', gemini: null },
  { parameters: { seed: 7 }, anthropic: 'seed', gemini: null },
  { parameters: { logit_bias: { '50256': -100 } }, anthropic: 'logit_bias', gemini: 'logit_bias' },
  {
    parameters: { frequency_penalty: 0.5, presence_penalty: 0.5 },
    anthropic: 'frequency_penalty, presence_penalty',
    gemini: 'frequency_penalty, presence_penalty',
  },
  {
    parameters: { logprobs: true, top_logprobs: 2 },
    anthropic: 'logprobs, top_logprobs',
    gemini: 'logprobs, top_logprobs',
  },
  { parameters: { user: 'someone' }, anthropic: null, gemini: 'user' },
  { parameters: { service_tier: 'auto' }, anthropic: null, gemini: 'service_tier' },
  { parameters: { verbosity: 'low' }, anthropic: 'verbosity', gemini: 'verbosity' },
  { parameters: { prompt_cache_key: 'k' }, anthropic: 'prompt_cache_key', gemini: 'prompt_cache_key' },
  {
    parameters: { metadata: { a: 'b' }, store: true },
    anthropic: 'metadata, store',
    gemini: 'metadata, store',
  },
  { parameters: { seed: null, user: null as never, stop: null }, anthropic: null, gemini: null },
];

for (const { parameters, ...dropped } of DROPPED) {
  world.each(`${JSON.stringify(parameters)}: written or named as dropped`, async ({ model, name }) => {
    assert.equal(await droppedFor(model, parameters), name === 'openai' ? null : dropped[name]);
  });
}

/** Where the same parameters stand in each provider's request. */
const PLACES = {
  openai: { temperature: 0.5, max_completion_tokens: 99, stop: ['X'], seed: 7 },
  anthropic: { temperature: 0.5, max_tokens: 99, stop_sequences: ['X'] },
  gemini: { generationConfig: { temperature: 0.5, maxOutputTokens: 99, stopSequences: ['X'], seed: 7 } },
};

world.each('parameters reach the provider in its own words', async ({ model, name, fake }) => {
  const parameters = { temperature: 0.5, max_completion_tokens: 99, stop: ['X'], seed: 7 };
  await client.chat.completions.create({ model, messages, ...parameters });
  assert.partialDeepStrictEqual(fake.requests.at(-1)?.body, PLACES[name]);
});

world.each('a parameter that nobody knows', async ({ model, name }) => {
  const params = { model, messages, made_up: 1 };
  const expected = DIFFERENCES.unknownParameter[name];
  if (expected.status === 200) {
    assert.equal(await droppedFor(model, params), expected.dropped);
    return;
  }
  await assert.rejects(client.chat.completions.create(params), (error) => {
    assert.ok(error instanceof BadRequestError);
    assert.match(error.message, /made_up/);
    return true;
  });
});

const REFUSED: { parameters: Parameters; param: string }[] = [
  { parameters: { temperature: 'warm' as never }, param: 'temperature' },
  { parameters: { messages: 'Hi' as never }, param: 'messages' },
  { parameters: { tool_choice: 'required' }, param: 'tool_choice' },
  { parameters: { stop: [1] as never }, param: 'stop[0]' },
  { parameters: { n: 0 }, param: 'n' },
  { parameters: { reasoning_effort: 'ultra' as never }, param: 'reasoning_effort' },
  { parameters: { messages: [{ role: 'wizard', content: 'Hi' } as never] }, param: 'messages[0].role' },
  { parameters: { messages: [{ role: 'user', content: 7 } as never] }, param: 'messages[0].content' },
];

for (const { parameters, param } of REFUSED) {
  world.each(`${JSON.stringify(parameters)} is a 400 that names '${param}'`, async ({ model, name }) => {
    const asked = client.chat.completions.create({ model, messages, ...parameters });
    await assert.rejects(asked, (error) => {
      assert.ok(error instanceof BadRequestError);
      // What OpenAI refuses itself is told in its own words.
      if (name !== 'openai') assert.equal(error.param, param);
      return true;
    });
  });
}

test('the usage records say what the providers served', () =>
  // OpenAI refuses what it does not know, and what is of the wrong type.
  world.checkBooks(1 + REFUSED.length));
