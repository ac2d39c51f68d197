import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import OpenAI from 'openai';
import type { ChatCompletionCreateParamsNonStreaming } from 'openai/resources/chat/completions';
import { isObject, type JsonObject } from '../../src/conversation/json.ts';
import { startFakeOpenAi } from '../support/fake-openai.ts';
import type { FakeProvider } from '../support/fake-provider.ts';
import { startGateway, TEST_KEY } from '../support/gateway.ts';
import type { KinName } from '../support/openai/kin.ts';
import { objectsOf } from '../support/values.ts';

/** Servers of OpenAI's kin, none of which is known to take the deprecated `functions`, and a model of theirs. */
const KIN = {
  mistral: 'mistral-medium-latest',
  groq: 'llama-3.3-70b-versatile',
  cerebras: 'zai-glm-4.6',
  cohere: 'command-a-03-2025',
  xai: 'grok-4',
  deepseek: 'deepseek-v4-flash',
  moonshot: 'kimi-k2.6',
  zai: 'glm-5.2',
  openrouter: 'gpt-4.1',
  together: 'gpt-4.1',
  ollama: 'qwen3',
  vllm: 'qwen3',
} satisfies Partial<Record<KinName, string>>;

const kin = Object.entries(KIN) as [keyof typeof KIN, string][];
const started = await Promise.all([
  ...kin.map(async ([name, model]) => [name, await startFakeOpenAi({ kin: name, models: [model] })] as const),
  (async () => ['perplexity', await startFakeOpenAi({ kin: 'perplexity', models: ['sonar'] })] as const)(),
  (async () => ['server', await startFakeOpenAi({ compatible: true })] as const)(),
  (async () => ['openai', await startFakeOpenAi()] as const)(),
]);
const fakes: Readonly<Record<string, FakeProvider>> = Object.fromEntries(started);
const gateway = await startGateway({
  providers: Object.fromEntries(
    started.map(([name, { url, apiKey }]) => [
      name,
      {
        ...(name === 'server' ? { adapter: 'openai-compatible' } : {}),
        baseUrl: url,
        accounts: [{ name: 'a', apiKey }],
      },
    ]),
  ),
});
after(() => Promise.all([gateway.stop(), ...started.map(([, fake]) => fake.close())]));

const client = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: TEST_KEY, maxRetries: 0 });
const functions = [
  {
    name: 'get_weather',
    description: 'Tells the weather.',
    parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  },
];
const CALL = { name: 'get_weather', arguments: '{"city":"Rome"}' };
const ASKED = { role: 'user' as const, content: 'call get_weather {"city":"Rome"}' };

function sentTo(provider: string): JsonObject {
  const sent = fakes[provider]?.requests.at(-1)?.body;
  assert.ok(isObject(sent));
  return sent;
}

const SERVERS: [provider: string, model: string][] = [...kin, ['server', 'gpt-4.1']];

for (const [provider, name] of SERVERS) {
  const model = `${provider}/${name}`;
  const ask = (more: Partial<ChatCompletionCreateParamsNonStreaming> = {}) =>
    client.chat.completions.create({ model, messages: [ASKED], functions, ...more }).withResponse();

  describe(`${provider} is offered tools for functions`, () => {
    test('and its call is one of a function, whole', async () => {
      const { data, response } = await ask();
      const [choice] = data.choices;
      assert.deepEqual(choice?.message.function_call, CALL);
      assert.equal(choice?.message.tool_calls, undefined);
      assert.equal(choice?.finish_reason, 'function_call');
      assert.equal(response.headers.get('x-fairlead-dropped'), null);
      const sent = sentTo(provider);
      assert.deepEqual(sent['tools'], [{ type: 'function', function: functions[0] }]);
      assert.equal('functions' in sent, false);
    });

    test('and streamed', async () => {
      const stream = client.chat.completions.stream({ model, messages: [ASKED], functions });
      const [choice] = (await stream.finalChatCompletion()).choices;
      assert.deepEqual(choice?.message.function_call, CALL);
      assert.equal(choice?.finish_reason, 'function_call');
    });

    test('and gets its call with what it gave', async () => {
      const { data, response } = await ask({
        messages: [
          ASKED,
          { role: 'assistant', content: null, function_call: CALL, ...REASONED },
          { role: 'function', name: 'get_weather', content: '20 degrees' },
        ],
        functions,
        function_call: 'auto',
      });
      assert.match(data.choices[0]?.message.content ?? '', /20 degrees/);
      assert.equal(response.headers.get('x-fairlead-dropped'), LOST[provider] ?? null);
      const [, call, result] = objectsOf(sentTo(provider)['messages']);
      const [called] = objectsOf(call?.['tool_calls']);
      assert.deepEqual(called?.['function'], CALL);
      assert.equal(result?.['role'], 'tool');
      assert.equal(result?.['tool_call_id'], called?.['id']);
      assert.equal('function_call' in (call ?? {}), false);
    });
  });
}

/** As DeepSeek wants it back, and its answers have it. */
const REASONED: object = { reasoning_content: 'Ask.' };
/** Where thoughts do not go back. */
const LOST: Record<string, string> = {
  groq: 'messages[].reasoning_content',
};

test('a history of functions alone is one of tools', async () => {
  const answer = await gateway.post('/v1/chat/completions', {
    model: 'mistral/mistral-medium-latest',
    messages: [
      ASKED,
      { role: 'assistant', content: null, function_call: CALL },
      { role: 'function', name: 'get_weather', content: '20 degrees' },
      { role: 'user', content: 'Hi' },
    ],
  });
  assert.equal(answer.status, 200, await answer.text());
});

test('messages that say null of a call pass through', async () => {
  const messages = [
    { role: 'user', content: 'Hi' },
    { role: 'assistant', content: 'Ho', function_call: null },
    ASKED,
  ];
  const body = JSON.stringify({ model: 'openrouter/gpt-4.1', messages, top_p: 0.5, seed: 12 }).replace(
    '12',
    '12.0',
  );
  const answer = await gateway.post('/v1/chat/completions', body);
  assert.equal(answer.status, 200, await answer.text());
  assert.match(String(fakes['openrouter']?.requests.at(-1)?.rawBody), /"seed":12\.0/);
  for (const model of ['groq/llama-3.3-70b-versatile', 'mistral/mistral-medium-latest']) {
    const strict = await gateway.post('/v1/chat/completions', { model, messages });
    assert.equal(strict.status, 200, await strict.text());
  }
});

describe('what cannot be said is refused in the words of the caller', () => {
  for (const [model, more, param] of [
    ['perplexity/sonar', {}, 'functions'],
    ['zai/glm-5.2', { function_call: { name: 'get_weather' } }, 'function_call'],
  ] as const) {
    test(`${param} of ${model}`, async () => {
      const before = fakes['perplexity']?.requests.length;
      await assert.rejects(
        client.chat.completions.create({ model, messages: [ASKED], functions, ...more }),
        (error) => {
          assert.ok(error instanceof OpenAI.BadRequestError, `${error}`);
          assert.equal(error.param, param);
          return true;
        },
      );
      assert.equal(fakes['perplexity']?.requests.length, before);
    });
  }
});

describe('OpenAI takes them as they are', () => {
  const model = 'openai/gpt-4.1';

  test('whole', async () => {
    const body = JSON.stringify({ model, messages: [ASKED], functions, function_call: 'auto', seed: 12 });
    const answer = await gateway.post('/v1/chat/completions', body);
    const { choices } = (await answer.json()) as OpenAI.ChatCompletion;
    assert.deepEqual(choices[0]?.message.function_call, CALL);
    assert.equal(choices[0]?.finish_reason, 'function_call');
    assert.equal(String(fakes['openai']?.requests.at(-1)?.rawBody), body.replace(model, 'gpt-4.1'));
  });

  test('streamed, and with what a function gave', async () => {
    const stream = client.chat.completions.stream({ model, messages: [ASKED], functions });
    const [choice] = (await stream.finalChatCompletion()).choices;
    assert.deepEqual(choice?.message.function_call, CALL);
    const { choices } = await client.chat.completions.create({
      model,
      messages: [
        ASKED,
        { role: 'assistant', content: null, function_call: CALL },
        { role: 'function', name: 'get_weather', content: '20 degrees' },
      ],
      functions,
    });
    assert.match(choices[0]?.message.content ?? '', /20 degrees/);
    assert.equal(sentTo('openai')['tools'], undefined);
  });
});
