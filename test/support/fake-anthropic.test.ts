import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import type { MessageParam } from '@anthropic-ai/sdk/resources/messages';
import { startFakeAnthropic } from './fake-anthropic.ts';
import type { FakeProvider } from './fake-provider.ts';
import { PIXEL_PNG } from './pixel.ts';

const MODEL = 'claude-haiku-4-5';
const WEATHER = {
  name: 'weather',
  input_schema: { type: 'object' as const, properties: { city: { type: 'string' } } },
};
const THINKING = { type: 'enabled' as const, budget_tokens: 1024 };

let fake: FakeProvider;
let client: Anthropic;

before(async () => {
  fake = await startFakeAnthropic({ cutBytes: 5 });
  client = new Anthropic({ baseURL: fake.url, apiKey: fake.apiKey, maxRetries: 0 });
});
after(() => fake.close());

function say(content: string): MessageParam[] {
  return [{ role: 'user', content }];
}

test('a text is answered whole', async () => {
  const message = await client.messages.create({ model: MODEL, max_tokens: 100, messages: say('Grüße 👋') });
  assert.deepEqual(message.content, [{ type: 'text', text: 'Echo: Grüße 👋' }]);
  assert.equal(message.stop_reason, 'end_turn');
  assert.equal(message.usage.input_tokens, 2);
  assert.equal(message.usage.output_tokens, 3);
});

test('cached tokens are not part of the input tokens', async () => {
  const { usage } = await client.messages.create({
    model: MODEL,
    max_tokens: 100,
    messages: say('hi\nusage cached 7\nusage cache-write 5\nusage cache-write-1h 4'),
  });
  assert.deepEqual(
    [usage.input_tokens, usage.cache_read_input_tokens, usage.cache_creation_input_tokens],
    [10, 7, 9],
  );
  assert.deepEqual(usage.cache_creation, { ephemeral_5m_input_tokens: 5, ephemeral_1h_input_tokens: 4 });
});

test('a stream, cut inside its characters, is the same as the whole answer', async () => {
  const request = {
    model: MODEL,
    max_tokens: 4000,
    thinking: THINKING,
    tools: [WEATHER],
    messages: say('think about 👋\ncall weather {"city":"Köln"}\ncall weather {}'),
  };
  const streamed = await client.messages.stream(request).finalMessage();
  const whole = await client.messages.create(request);
  // The last usage of a stream has fewer fields, and ids are new each time.
  const comparable = ({ content, stop_reason: reason }: Anthropic.Message): unknown => [
    reason,
    content.map((block) => ({ ...block, id: '' })),
  ];
  assert.deepEqual(comparable(streamed), comparable(whole));
  assert.deepEqual(
    whole.content.map(({ type }) => type),
    ['thinking', 'tool_use', 'tool_use'],
  );
  assert.equal(streamed.usage.output_tokens, whole.usage.output_tokens);
});

test('thinking comes with a signature that the next request must bring back', async () => {
  const first = await client.messages.create({
    model: MODEL,
    max_tokens: 4000,
    thinking: THINKING,
    tools: [WEATHER],
    messages: say('call weather {"city":"Ulm"}'),
  });
  const [thought, call] = first.content;
  assert.ok(thought?.type === 'thinking' && call?.type === 'tool_use');
  assert.equal(thought.thinking, 'thinking about call weather {"city":"Ulm"}');

  const follow = (content: MessageParam['content']) =>
    client.messages.create({
      model: MODEL,
      max_tokens: 4000,
      thinking: THINKING,
      tools: [WEATHER],
      messages: [
        ...say('call weather {"city":"Ulm"}'),
        { role: 'assistant', content },
        { role: 'user', content: [{ type: 'tool_result', tool_use_id: call.id, content: '12°' }] },
      ],
    });
  const second = await follow(first.content as MessageParam['content']);
  assert.deepEqual(second.content, [{ type: 'text', text: 'Tool said: 12°' }]);

  await assert.rejects(
    follow([call as never]),
    /Expected `thinking` or `redacted_thinking`, but found `tool_use`/,
  );
  await assert.rejects(
    follow([{ ...thought, thinking: 'other words' }, call as never]),
    /messages\.1\.content\.0: Invalid `signature` in `thinking` block/,
  );
  await assert.rejects(
    follow([{ ...thought, signature: 'c2lnbmF0dXJl' }, call as never]),
    /messages\.1\.content\.0: Invalid `signature` in `thinking` block/,
  );
});

test('a JSON schema, an image, stop sequences, limits and refusals', async () => {
  const schema = {
    type: 'object',
    properties: { city: { type: 'string' } },
    required: ['city'],
    additionalProperties: false,
  };
  const create = (
    messages: MessageParam[],
    change: Partial<Anthropic.MessageCreateParamsNonStreaming> = {},
  ) => client.messages.create({ model: MODEL, max_tokens: 100, messages, ...change });
  const filled = await create(say('hi'), { output_config: { format: { type: 'json_schema', schema } } });
  assert.deepEqual(filled.content, [{ type: 'text', text: '{"city":"text"}' }]);

  const source = { type: 'base64' as const, media_type: 'image/png' as const, data: PIXEL_PNG };
  const seen = await create([
    {
      role: 'user',
      content: [
        { type: 'image', source },
        { type: 'text', text: 'look' },
      ],
    },
  ]);
  assert.deepEqual(seen.content, [{ type: 'text', text: 'Saw image image/png 68 bytes' }]);

  const stopped = await create(say('stop at END'), { stop_sequences: ['END'] });
  assert.deepEqual([stopped.stop_reason, stopped.stop_sequence], ['stop_sequence', 'END']);
  assert.equal((await create(say('long 9'), { max_tokens: 2 })).stop_reason, 'max_tokens');
  const refused = await create(say('refuse'));
  assert.deepEqual([refused.stop_reason, refused.content], ['refusal', []]);
  assert.deepEqual((await create(say('say system'), { system: 'be kind' })).content, [
    { type: 'text', text: 'System: be kind' },
  ]);
});

test('tokens are counted, models are listed', async () => {
  const { input_tokens: tokens } = await client.messages.countTokens({
    model: MODEL,
    messages: say('a b c'),
  });
  assert.equal(tokens, 3);
  const { data } = await client.models.list();
  assert.ok(data.some(({ id }) => id === MODEL));
  await assert.rejects(client.models.retrieve('nope'), Anthropic.NotFoundError);
});

test('the SDK raises an error event in a stream, and the errors of its own types', async () => {
  const request = (text: string) => ({ model: MODEL, max_tokens: 100, messages: say(text) });
  await assert.rejects(
    client.messages.stream(request('long 9\nerror mid-stream')).finalMessage(),
    (error: unknown) => {
      assert.ok(error instanceof Anthropic.APIError);
      assert.match(error.message, /overloaded_error/);
      return true;
    },
  );
  await assert.rejects(client.messages.create(request('fail 429')), Anthropic.RateLimitError);
  await assert.rejects(
    client.messages.create(request('fail 529')),
    (error: unknown) => error instanceof Anthropic.APIError && error.status === 529,
  );
});

test('a wrong key, a missing version and an unknown model have their own errors', async () => {
  const wrong = new Anthropic({ baseURL: fake.url, apiKey: 'sk-ant-wrong', maxRetries: 0 });
  await assert.rejects(
    wrong.messages.create({ model: MODEL, max_tokens: 1, messages: say('hi') }),
    Anthropic.AuthenticationError,
  );
  const response = await fetch(`${fake.url}/v1/messages`, {
    method: 'POST',
    headers: { 'x-api-key': fake.apiKey, 'content-type': 'application/json' },
    body: '{}',
  });
  assert.equal(response.status, 400);
  assert.match(await response.text(), /anthropic-version: header is required/);
  await assert.rejects(
    client.messages.create({ model: 'claude-9', max_tokens: 1, messages: say('hi') }),
    (error: unknown) => error instanceof Anthropic.NotFoundError && /model: claude-9/.test(error.message),
  );
});
