import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import OpenAI from 'openai';
import type { ChatCompletionMessageParam } from 'openai/resources/chat/completions';
import { startFakeOpenAi } from './fake-openai.ts';
import type { FakeProvider } from './fake-provider.ts';
import { vectorOf } from './fake-vectors.ts';
import { PIXEL_PNG } from './pixel.ts';

const MODEL = 'gpt-4.1-mini';
const WEATHER = {
  type: 'function' as const,
  function: {
    name: 'weather',
    parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  },
};

let fake: FakeProvider;
let compatible: FakeProvider;
let client: OpenAI;

before(async () => {
  [fake, compatible] = await Promise.all([
    startFakeOpenAi({ cutBytes: 5 }),
    startFakeOpenAi({ compatible: true, models: ['deepseek-reasoner'] }),
  ]);
  client = clientFor(fake);
});
after(() => Promise.all([fake.close(), compatible.close()]));

function clientFor({ url, apiKey }: FakeProvider): OpenAI {
  return new OpenAI({ baseURL: url, apiKey, maxRetries: 0 });
}

function say(content: string): ChatCompletionMessageParam[] {
  return [{ role: 'user', content }];
}

test('a text is answered whole', async () => {
  const completion = await client.chat.completions.create({ model: MODEL, messages: say('Grüße 👋') });
  assert.equal(completion.choices[0]?.message.content, 'Echo: Grüße 👋');
  assert.equal(completion.choices[0]?.finish_reason, 'stop');
  assert.deepEqual(completion.usage, {
    prompt_tokens: 2,
    completion_tokens: 3,
    total_tokens: 5,
    prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
    completion_tokens_details: {
      reasoning_tokens: 0,
      audio_tokens: 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
    },
  });
});

test('a stream, cut inside its characters, is the same as the whole answer', async () => {
  const stream = client.chat.completions.stream({
    model: MODEL,
    messages: say('Grüße 👋\nusage cached 7'),
    stream_options: { include_usage: true },
  });
  const completion = await stream.finalChatCompletion();
  assert.equal(completion.choices[0]?.message.content, 'Echo: Grüße 👋');
  assert.equal(completion.usage?.prompt_tokens_details?.cached_tokens, 7);
  assert.equal(completion.usage?.prompt_tokens, 12);
});

test('usage comes only when it was asked for, in a chunk without choices', async () => {
  const usages = async (options?: { include_usage: boolean }): Promise<number[]> => {
    const stream = await client.chat.completions.create({
      model: MODEL,
      messages: say('hi'),
      stream: true,
      ...(options ? { stream_options: options } : {}),
    });
    const seen: number[] = [];
    for await (const chunk of stream) if (chunk.usage) seen.push(chunk.choices.length);
    return seen;
  };
  assert.deepEqual(await usages(), []);
  assert.deepEqual(await usages({ include_usage: true }), [0]);
});

test('the SDK runs a tool loop to its end, in parallel calls', async () => {
  const cities: string[] = [];
  const runner = client.chat.completions.runTools({
    model: MODEL,
    stream: true,
    messages: say('call weather {"city":"Köln"}\ncall weather {"city":"Ulm"}'),
    tools: [
      {
        type: 'function',
        function: {
          ...WEATHER.function,
          description: 'weather',
          parse: JSON.parse,
          function: ({ city }: { city: string }) => {
            cities.push(city);
            return `12° in ${city}`;
          },
        },
      },
    ],
  });
  assert.equal(await runner.finalContent(), 'Tool said: 12° in Köln, 12° in Ulm');
  assert.deepEqual(cities, ['Köln', 'Ulm']);
});

test('a forced function is called, and ends with `stop` as OpenAI does it', async () => {
  const completion = await client.chat.completions.create({
    model: MODEL,
    messages: say('hello'),
    tools: [WEATHER],
    tool_choice: { type: 'function', function: { name: 'weather' } },
  });
  const [call] = completion.choices[0]?.message.tool_calls ?? [];
  assert.equal(call?.type === 'function' && call.function.arguments, '{"city":"text"}');
  assert.equal(completion.choices[0]?.finish_reason, 'stop');
});

test('a JSON schema is filled in', async () => {
  const schema = {
    type: 'object',
    properties: { city: { type: 'string' }, tags: { type: 'array', items: { type: 'string' } } },
    required: ['city', 'tags'],
    additionalProperties: false,
  };
  const completion = await client.chat.completions.parse({
    model: MODEL,
    messages: say('hi'),
    response_format: { type: 'json_schema', json_schema: { name: 'place', schema, strict: true } },
  });
  assert.deepEqual(JSON.parse(completion.choices[0]?.message.content ?? ''), {
    city: 'text',
    tags: ['text'],
  });
});

test('images, limits, refusals, several choices and log probabilities', async () => {
  const image = { url: `data:image/png;base64,${PIXEL_PNG}` };
  const seen = await client.chat.completions.create({
    model: MODEL,
    messages: [
      {
        role: 'user',
        content: [
          { type: 'text', text: 'look' },
          { type: 'image_url', image_url: image },
        ],
      },
    ],
  });
  assert.equal(seen.choices[0]?.message.content, 'Saw image image/png 68 bytes');

  const limited = await client.chat.completions.create({
    model: MODEL,
    messages: say('long 9'),
    max_completion_tokens: 2,
    n: 2,
    logprobs: true,
    top_logprobs: 1,
  });
  assert.deepEqual(
    limited.choices.map(({ finish_reason, message }) => [finish_reason, message.content]),
    [
      ['length', 'word1 word2'],
      ['length', 'word1 word2 #2'],
    ],
  );
  assert.equal(limited.choices[0]?.logprobs?.content?.[1]?.token, ' word2');

  const refused = await client.chat.completions.create({ model: MODEL, messages: say('refuse') });
  assert.equal(refused.choices[0]?.message.refusal, 'I cannot help with that.');
  const blocked = await client.chat.completions.create({ model: MODEL, messages: say('block') });
  assert.equal(blocked.choices[0]?.finish_reason, 'content_filter');
});

test('a compatible server shows its reasoning and takes it back; OpenAI only counts it', async () => {
  const own = await client.chat.completions.create({
    model: 'gpt-5-mini',
    messages: say('think about cats'),
  });
  assert.equal(own.usage?.completion_tokens_details?.reasoning_tokens, 3);
  assert.equal(Object.hasOwn(own.choices[0]?.message ?? {}, 'reasoning_content'), false);

  const other = clientFor(compatible);
  const first = await other.chat.completions.create({
    model: 'deepseek-reasoner',
    messages: say('think about cats'),
  });
  const message = first.choices[0]?.message as ChatCompletionMessageParam & { reasoning_content?: string };
  assert.equal(message.reasoning_content, 'thinking about cats');
  const second = await other.chat.completions.create({
    model: 'deepseek-reasoner',
    messages: [...say('think about cats'), message, ...say('and?')],
  });
  assert.equal(second.choices[0]?.message.content, 'Echo: and?');
  await assert.rejects(
    client.chat.completions.create({ model: MODEL, messages: [...say('hi'), message] }),
    /Unknown parameter: 'messages\[1\]\.reasoning_content'/,
  );
});

test('embeddings come as floats and in base64, one per input, in the size asked for', async () => {
  const create = (input: string | string[] | number[][], encoding_format?: 'float' | 'base64') =>
    client.embeddings.create({
      model: 'text-embedding-3-small',
      input,
      dimensions: 8,
      ...(encoding_format ? { encoding_format } : {}),
    });
  const floats = await create(['a', 'b'], 'float');
  // The SDK asks for base64 of itself and decodes it.
  const decoded = await create(['a', 'b']);
  assert.deepEqual(floats.data[1]?.embedding, vectorOf('b', 8));
  assert.deepEqual(
    decoded.data.map(({ embedding }) => [...embedding]),
    floats.data.map(({ embedding }) => embedding),
  );
  assert.deepEqual((await create([[1, 2]], 'float')).data[0]?.embedding, vectorOf('1 2', 8));
  await assert.rejects(client.embeddings.create({ model: 'nope', input: 'a' }), OpenAI.NotFoundError);
  for (const mixed of [
    ['a', 1],
    ['a', [1]],
    [1, [1]],
  ]) {
    await assert.rejects(create(mixed as string[], 'float'), (error) => {
      return error instanceof OpenAI.BadRequestError && /^400 '\$\.input' is invalid\./.test(error.message);
    });
  }
});

test('inputs to embed are bounded, each and all together', async () => {
  const ofTokens = (count: number): number[] => new Array<number>(count).fill(1);
  const model = 'text-embedding-3-small';
  await assert.rejects(client.embeddings.create({ model, input: ofTokens(8193) }), (error) => {
    return error instanceof OpenAI.BadRequestError && error.message.includes('requested 8193 tokens');
  });
  const many = new Array<number[]>(40).fill(ofTokens(8000));
  await assert.rejects(client.embeddings.create({ model, input: many }), (error) => {
    return error instanceof OpenAI.BadRequestError && error.code === 'max_tokens_per_request';
  });
  const { usage } = await client.embeddings.create({ model, input: ofTokens(8192) });
  assert.equal(usage.prompt_tokens, 8192);
});

test('models are listed and found', async () => {
  const { data } = await client.models.list();
  assert.ok(data.some(({ id }) => id === MODEL));
  assert.equal((await client.models.retrieve(MODEL)).id, MODEL);
  await assert.rejects(client.models.retrieve('nope'), OpenAI.NotFoundError);
});

test('the SDK raises an error event in a stream, and waits as a 429 tells it', async () => {
  const stream = client.chat.completions.stream({ model: MODEL, messages: say('long 9\nerror mid-stream') });
  await assert.rejects(stream.finalContent(), (error: unknown) => {
    assert.ok(error instanceof OpenAI.APIError);
    assert.equal(error.type, 'server_error');
    return true;
  });
  await assert.rejects(
    client.chat.completions.create({ model: MODEL, messages: say('fail 429') }),
    (error: unknown) => error instanceof OpenAI.RateLimitError && error.headers?.get('retry-after') === '1',
  );
});

test('a wrong key, a wrong path and a wrong method have their own errors', async () => {
  const wrong = new OpenAI({ baseURL: fake.url, apiKey: 'sk-wrong-key', maxRetries: 0 });
  await assert.rejects(wrong.models.list(), (error: unknown) => {
    assert.ok(error instanceof OpenAI.AuthenticationError);
    assert.equal(error.code, 'invalid_api_key');
    return true;
  });
  const get = (path: string): Promise<Response> =>
    fetch(fake.url + path, { headers: { authorization: `Bearer ${fake.apiKey}` } });
  assert.equal((await get('/nothing')).status, 404);
  assert.equal((await get('/chat/completions')).status, 405);
});

test('an unknown model is not found', async () => {
  await assert.rejects(
    client.chat.completions.create({ model: 'gpt-9', messages: say('hi') }),
    (error: unknown) => error instanceof OpenAI.NotFoundError && error.code === 'model_not_found',
  );
});
