import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isObject, type JsonObject, type JsonValue, tryParseJson } from '../../src/conversation/json.ts';
import { NO_USAGE } from '../../src/conversation/usage.ts';
import type { UsageRecord } from '../../src/usage/record.ts';
import { startFakeAnthropic } from '../support/fake-anthropic.ts';
import { startFakeOpenAi } from '../support/fake-openai.ts';
import type { FakeProvider } from '../support/fake-provider.ts';
import { startGateway } from '../support/gateway.ts';
import { PIXEL_PNG } from '../support/pixel.ts';
import { objectsOf } from '../support/values.ts';

/** Providers that refuse some of what OpenAI takes, with a fake that does, and a model of theirs. */
const MODELS = {
  mistral: 'mistral-medium-latest',
  groq: 'openai/gpt-oss-20b',
  cerebras: 'zai-glm-4.6',
  cohere: 'command-a-03-2025',
  xai: 'grok-4',
  perplexity: 'sonar-reasoning-pro',
  deepseek: 'deepseek-v4-flash',
  moonshot: 'kimi-k2.6',
  zai: 'glm-5.2',
  ollama: 'qwen3',
};
type KinName = keyof typeof MODELS;

const PROVIDERS = Object.entries(MODELS) as [KinName, string][];
const started = await Promise.all(
  PROVIDERS.map(async ([kin, model]) => [kin, await startFakeOpenAi({ kin, models: [model] })] as const),
);
const openai = await startFakeOpenAi();
const anthropic = await startFakeAnthropic();
const fakes = Object.fromEntries(started) as Record<KinName, FakeProvider>;
const describe = ({ url, apiKey }: FakeProvider) => ({ baseUrl: url, accounts: [{ name: 'a', apiKey }] });
const gateway = await startGateway({
  providers: {
    ...Object.fromEntries(started.map(([name, fake]) => [name, describe(fake)])),
    openai: describe(openai),
    anthropic: describe(anthropic),
  },
  models: { choices: { targets: [`groq/${MODELS.groq}`, 'openai/gpt-4.1-mini'] } },
});
const others = [openai, anthropic, ...started.map(([, fake]) => fake)];
after(() => Promise.all([gateway.stop(), ...others.map((fake) => fake.close())]));

/** A chat request of the kind that agents send: tools, their results, limits, sampling, an end user. */
const AGENT: JsonObject = {
  messages: [
    { role: 'developer', content: 'Be brief.' },
    { role: 'user', content: 'Weather?', name: 'ann' },
    {
      role: 'assistant',
      content: null,
      reasoning_content: 'Ask the tool.',
      tool_calls: [
        { id: 'call_0123456789abcdef', type: 'function', function: { name: 'weather', arguments: '{}' } },
      ],
    },
    { role: 'tool', tool_call_id: 'call_0123456789abcdef', content: 'Rain.' },
    { role: 'user', content: 'think about rain\nGood.' },
  ],
  tools: [
    { type: 'function', function: { name: 'weather', parameters: { type: 'object', properties: {} } } },
  ],
  tool_choice: 'auto',
  max_completion_tokens: 100,
  temperature: 0.5,
  presence_penalty: 0.1,
  seed: 7,
  logit_bias: { 50: 1 },
  reasoning_effort: 'medium',
  user: 'ann',
};

const THREE_TOOLS: JsonObject = {
  messages: [{ role: 'user', content: 'Hi.' }],
  tools: ['weather', 'time', 'date'].map((name) => ({
    type: 'function',
    function: { name, parameters: { type: 'object', properties: {} } },
  })),
};

/** Perplexity has no tools; its rule is that the speakers take turns. */
const TWO_QUESTIONS: JsonObject = {
  messages: [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: 'Hello.' },
    { role: 'user', content: 'think about rain\nGood.' },
  ],
  max_completion_tokens: 100,
};

const bodyFor = (kin: KinName): JsonObject => (kin === 'perplexity' ? TWO_QUESTIONS : AGENT);

const DROPPED: Partial<Record<KinName, string[]>> = {
  mistral: ['logit_bias', 'messages[].name', 'reasoning_effort=high', 'user'],
  groq: ['logit_bias', 'messages[].name'],
  cerebras: ['logit_bias', 'presence_penalty'],
  cohere: ['logit_bias', 'reasoning_effort=high'],
  deepseek: ['logit_bias', 'seed', 'user'],
  xai: ['presence_penalty', 'reasoning_effort'],
  moonshot: ['presence_penalty', 'reasoning_effort=enabled', 'temperature'],
  ollama: ['logit_bias', 'user'],
};

/** Those whose streams never say their usage. */
const SILENT: ReadonlySet<KinName> = new Set<KinName>(['cohere']);

for (const [kin, model] of PROVIDERS) {
  const fake = fakes[kin];

  test(`${kin} refuses what the gateway changes`, async () => {
    const response = await fetch(`${fake.url}/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${fake.apiKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model, stream: true, stream_options: { include_usage: true }, ...bodyFor(kin) }),
    });
    assert.ok(response.status === 400 || response.status === 422, `${response.status}`);
  });

  test(`${kin} answers through the gateway; what was left out is named, what was used is recorded`, async () => {
    const before = fake.requests.length;
    const response = await gateway.post('/v1/chat/completions', {
      model: `${kin}/${model}`,
      ...bodyFor(kin),
    });
    const text = await response.text();
    assert.equal(response.status, 200, text);
    const answer = JSON.parse(text) as { choices: { message: { content: unknown } }[] };
    // Mistral's is a list with what it thought.
    const { content } = answer.choices[0]?.message ?? {};
    assert.match(String(objectsOf(content as JsonValue).at(-1)?.['text'] ?? content), /Good\.$/);
    assert.deepEqual(namesIn(response), DROPPED[kin] ?? []);
    const record = await recordOf(response);
    assert.equal(record.target, `${kin}/${model}`);
    assert.deepEqual(record.usage, { ...NO_USAGE, ...fake.requests[before]?.usage });
  });

  test(`${kin} streams through the gateway, with the usage where it says it`, async () => {
    const before = fake.requests.length;
    const response = await gateway.post('/v1/chat/completions', {
      model: `${kin}/${model}`,
      stream: true,
      ...bodyFor(kin),
    });
    const text = await response.text();
    assert.equal(response.status, 200, text);
    assert.match(contentOf(text), /Good\.$/);
    assert.match(text, /data: \[DONE\]\n\n$/);
    const record = await recordOf(response);
    assert.equal(record.stream, true);
    if (SILENT.has(kin)) assert.equal(record.usage?.estimated, true);
    else assert.deepEqual(record.usage, { ...NO_USAGE, ...fake.requests[before]?.usage });
  });
}

/** The usage record of the call that was answered so; records are written a moment after it. */
async function recordOf(response: Response): Promise<UsageRecord> {
  const id = response.headers.get('x-request-id');
  for (let waited = 0; waited < 200; waited++) {
    const record = (await gateway.calls()).find((call) => call.id === id);
    if (record) return record;
    await sleep(25);
  }
  throw new Error(`there is no usage record of ${id}`);
}

/** The text of a stream's first choice. */
function contentOf(stream: string): string {
  const deltas = [...stream.matchAll(/^data: (.*)$/gm)].map(([, data = '']) => {
    const chunk = tryParseJson(data);
    const choice = isObject(chunk) && Array.isArray(chunk['choices']) ? chunk['choices'][0] : undefined;
    const delta = isObject(choice) && isObject(choice['delta']) ? choice['delta']['content'] : undefined;
    return typeof delta === 'string' ? delta : '';
  });
  return deltas.join('');
}

function namesIn(response: Response): string[] {
  const names = response.headers.get('x-fairlead-dropped');
  return names === null ? [] : names.split(', ').sort();
}

test('fields that nobody knows and numbers of any size survive a rewritten body', async () => {
  const { length } = fakes.zai.requests;
  const text = `{ "model" : "zai/${MODELS.zai}", "max_completion_tokens":100, "seed":12345678901234567890,"messages":[{"role":"user","content":"Hi"}] , "user":"ann" }`;
  assert.equal((await gateway.post('/v1/chat/completions', text)).status, 200);
  assert.equal(
    fakes.zai.requests[length]?.rawBody.toString(),
    `{ "model" : "${MODELS.zai}", "max_tokens":100, "seed":12345678901234567890,"messages":[{"role":"user","content":"Hi"}] , "user":"ann" }`,
  );
});

test('a limit in the old word reaches a reasoning model of OpenAI in the new one; whoever says both is told', async () => {
  const ask = (more: string) =>
    gateway.post(
      '/v1/chat/completions',
      `{"model":"openai/gpt-5", "max_tokens":100${more},"messages":[{"role":"user","content":"Hi"}]}`,
    );
  const renamed = await ask('');
  assert.equal(renamed.status, 200, await renamed.text());
  assert.deepEqual(namesIn(renamed), []);
  assert.equal(
    openai.requests.at(-1)?.rawBody.toString(),
    '{"model":"gpt-5", "max_completion_tokens":100,"messages":[{"role":"user","content":"Hi"}]}',
  );
  assert.deepEqual(namesIn(await ask(',"max_completion_tokens":50')), ['max_tokens']);
});

test('a begun answer is continued by Mistral and Moonshot, in the word of each', async () => {
  const messages = [
    { role: 'user', content: 'Tell.' },
    { role: 'assistant', content: 'Once upon' },
  ];
  for (const [kin, word] of [
    ['mistral', 'prefix'],
    ['moonshot', 'partial'],
  ] as const) {
    const { length } = fakes[kin].requests;
    const response = await gateway.post('/v1/chat/completions', { model: `${kin}/${MODELS[kin]}`, messages });
    assert.equal(response.status, 200, await response.text());
    const sent = fakes[kin].requests[length]?.body as { messages: JsonObject[] };
    assert.deepEqual(sent.messages.at(-1), { ...messages[1], [word]: true });
  }
});

const PIXEL = { type: 'base64', media_type: 'image/png', data: PIXEL_PNG };

/** What agents say behind the result of a tool: the user's words, an instruction, and what a chat target is shown of a picture. */
const BEHIND_RESULTS: [path: string, body: JsonObject, told: string[]][] = [
  [
    '/v1/messages',
    afterResult([
      { type: 'tool_result', tool_use_id: 'a', content: '1' },
      { type: 'text', text: 'Go on.' },
    ]),
    [],
  ],
  [
    '/v1/messages',
    afterResult([{ type: 'tool_result', tool_use_id: 'a', content: [{ type: 'image', source: PIXEL }] }]),
    [],
  ],
  [
    '/v1/responses',
    {
      input: [
        { role: 'user', content: 'Hi' },
        { type: 'function_call', call_id: 'a', name: 'f', arguments: '{}' },
        { type: 'function_call_output', call_id: 'a', output: '1' },
        { role: 'developer', content: 'Be brief.' },
        { role: 'user', content: 'Go on.' },
      ],
      tools: [{ type: 'function', name: 'f' }],
    },
    ['input[].role=user'],
  ],
];

function afterResult(content: JsonObject[]): JsonObject {
  return {
    max_tokens: 99,
    messages: [
      { role: 'user', content: 'Hi' },
      { role: 'assistant', content: [{ type: 'tool_use', id: 'a', name: 'f', input: {} }] },
      { role: 'user', content },
    ],
    tools: [{ name: 'f', input_schema: { type: 'object' } }],
  };
}

test('Mistral, which lets the assistant alone speak behind results, takes what callers say there', async () => {
  for (const [path, body, told] of BEHIND_RESULTS) {
    const response = await gateway.post(path, { model: `mistral/${MODELS.mistral}`, ...body });
    assert.equal(response.status, 200, await response.text());
    assert.deepEqual(namesIn(response), told);
  }
});

/** Those that refuse a history in which tools were called and nothing was thought. */
const DEMANDING = ['deepseek', 'moonshot'] as const;

test('a tool loop that Claude began is gone on with where thoughts are demanded back, with what Claude thought', async () => {
  const asked = {
    max_tokens: 3000,
    thinking: { type: 'enabled', budget_tokens: 2000 },
    tools: [{ name: 'clock', input_schema: { type: 'object' } }],
  };
  const question = { role: 'user', content: 'think about maths\ncall clock' };
  const begun = await gateway.post('/v1/messages', {
    model: 'anthropic/claude-sonnet-4-5',
    messages: [question],
    ...asked,
  });
  const { content } = (await begun.json()) as { content: JsonObject[] };
  assert.deepEqual(
    content.map(({ type }) => type),
    ['thinking', 'tool_use'],
  );
  const results = [{ type: 'tool_result', tool_use_id: content[1]?.['id'] ?? null, content: 'noon' }];
  const messages = [question, { role: 'assistant', content }, { role: 'user', content: results }];
  for (const kin of DEMANDING) {
    const response = await gateway.post('/v1/messages', {
      model: `${kin}/${MODELS[kin]}`,
      messages,
      ...asked,
    });
    assert.equal(response.status, 200, await response.text());
    assert.ok(!namesIn(response).includes('messages[1].content[0]'), 'it is not left out');
    assert.equal(saidBack(kin), 'thinking about maths');
  }
});

function saidBack(kin: KinName): unknown {
  const messages = lastSent(kin)['messages'] as JsonObject[];
  return messages.find(({ tool_calls: calls }) => calls !== undefined)?.['reasoning_content'];
}

test('a tool loop whose thoughts nobody has any more is gone on with there, at every door', async () => {
  const { messages } = afterResult([{ type: 'tool_result', tool_use_id: 'a', content: '1' }]) as {
    messages: JsonObject[];
  };
  const hidden = { type: 'redacted_thinking', data: 'c2VjcmV0' };
  const [hi, called, result] = messages;
  const redacted = { role: 'assistant', content: [hidden, ...objectsOf(called?.['content'])] };
  const answer = { role: 'assistant', content: 'It is 1.' };
  const tools = [{ name: 'f', input_schema: { type: 'object' } }];
  const functions = [{ type: 'function', name: 'f', parameters: { type: 'object' } }];
  const input = [
    { role: 'user', content: 'Hi' },
    { type: 'function_call', call_id: 'a', name: 'f', arguments: '{}' },
    { type: 'function_call_output', call_id: 'a', output: '1' },
  ];
  for (const kin of DEMANDING) {
    for (const [path, body, told] of [
      [
        '/v1/messages',
        { max_tokens: 99, messages: [hi, redacted, result], tools },
        ['messages[1].content[0]'],
      ],
      ['/v1/messages', { max_tokens: 99, messages: [hi, called, result, answer, hi], tools }, []],
      ['/v1/responses', { input, tools: functions }, []],
      [
        '/v1/chat/completions',
        { messages: AGENT['messages'] as JsonObject[], tools: AGENT['tools'] ?? [] },
        [],
      ],
      ['/v1/chat/completions', { messages: withoutThoughts(), tools: AGENT['tools'] ?? [] }, []],
    ] as const) {
      const response = await gateway.post(path, { model: `${kin}/${MODELS[kin]}`, ...body });
      assert.equal(response.status, 200, await response.text());
      assert.deepEqual(namesIn(response), told);
      assert.ok(saidBack(kin));
    }
  }
});

function withoutThoughts(): JsonObject[] {
  return (AGENT['messages'] as JsonObject[]).map(({ reasoning_content: _, ...message }) => message);
}

test('a parameter without which the answer would be wrong is refused before anything is sent', async () => {
  const { length } = fakes.groq.requests;
  const response = await gateway.post('/v1/chat/completions', {
    model: `groq/${MODELS.groq}`,
    messages: [{ role: 'user', content: 'Hi' }],
    n: 2,
  });
  assert.equal(response.status, 400);
  const { error } = (await response.json()) as { error: JsonObject };
  assert.equal(error['param'], 'n');
  assert.equal(error['code'], 'unsupported_parameter');
  assert.equal(fakes.groq.requests.length, length);
});

test('a target that cannot express it is passed over for one that can', async () => {
  const response = await gateway.post('/v1/chat/completions', {
    model: 'choices',
    messages: [{ role: 'user', content: 'Hi' }],
    logit_bias: { 50: 1 },
    n: 2,
  });
  const body = (await response.json()) as { choices: unknown[] };
  assert.equal(body.choices.length, 2);
  assert.equal(response.headers.get('x-fairlead-target'), 'openai/gpt-4.1-mini');
  // Only what the target that answered was not sent counts as left out.
  assert.equal(response.headers.get('x-fairlead-dropped'), null);
});

function lastSent(kin: KinName): JsonObject {
  const body = fakes[kin].requests.at(-1)?.body;
  assert.ok(isObject(body));
  return body;
}

/** Those whose tools can be chosen. */
const CHOOSING = PROVIDERS.filter(([kin]) => kin !== 'perplexity' && kin !== 'zai');

for (const [kin, model] of CHOOSING) {
  test(`${kin}, which knows no choice among some of the tools, is offered these alone`, async () => {
    const tools = ['time', 'date'].map((name) => ({ type: 'function', function: { name } }));
    const allowed = { mode: 'required', tools };
    const asked = await gateway.post('/v1/chat/completions', {
      model: `${kin}/${model}`,
      ...THREE_TOOLS,
      tool_choice: { type: 'allowed_tools', allowed_tools: allowed },
    });
    assert.equal(asked.status, 200, await asked.text());
    const translated = await gateway.post(
      `/v1beta/models/${encodeURIComponent(`${kin}/${model}`)}:generateContent`,
      {
        contents: [{ role: 'user', parts: [{ text: 'Hi.' }] }],
        tools: [{ functionDeclarations: [{ name: 'weather' }, { name: 'time' }, { name: 'date' }] }],
        toolConfig: { functionCallingConfig: { mode: 'ANY', allowedFunctionNames: ['time', 'date'] } },
      },
    );
    assert.equal(translated.status, 200, await translated.text());
    const isRead = kin !== 'ollama';
    assert.deepEqual(namesIn(asked), isRead ? [] : ['tool_choice']);
    assert.deepEqual(namesIn(translated), isRead ? [] : ['toolConfig.functionCallingConfig']);
    for (const { body } of fakes[kin].requests.slice(-2)) {
      const { tools: offered, tool_choice: choice } = body as {
        tools: { function: JsonObject }[];
      } & JsonObject;
      assert.deepEqual(
        offered.map((tool) => tool.function['name']),
        ['time', 'date'],
      );
      const word = kin === 'mistral' ? 'any' : 'required';
      assert.equal(choice, isRead ? word : undefined);
    }
  });
}

test('a choice among tools that are not there is refused where one must be called, and none is called else', async () => {
  const choose = (mode: string) =>
    gateway.post('/v1/chat/completions', {
      model: `xai/${MODELS.xai}`,
      ...THREE_TOOLS,
      tool_choice: {
        type: 'allowed_tools',
        allowed_tools: { mode, tools: [{ type: 'function', function: { name: 'other' } }] },
      },
    });
  const refused = await choose('required');
  assert.equal(refused.status, 400);
  assert.equal(((await refused.json()) as { error: JsonObject }).error['param'], 'tool_choice');
  const fitted = await choose('auto');
  assert.equal(fitted.status, 200);
  assert.deepEqual(namesIn(fitted), ['tool_choice']);
  assert.equal(lastSent('xai')['tool_choice'], 'none');
});

test('OpenAI, whose choice it is, gets the body as it came', async () => {
  const text = JSON.stringify({
    model: 'openai/gpt-4.1-mini',
    ...THREE_TOOLS,
    tool_choice: {
      type: 'allowed_tools',
      allowed_tools: { mode: 'auto', tools: [{ type: 'function', function: { name: 'time' } }] },
    },
  });
  const response = await gateway.post('/v1/chat/completions', text);
  assert.equal(response.status, 200, await response.text());
  assert.equal(openai.requests.at(-1)?.rawBody.toString(), text.replace('openai/gpt', 'gpt'));
});

test('efforts beyond the most of gpt-oss at Groq are its most, and named', async () => {
  for (const [effort, sent, named] of [
    ['max', 'high', ['reasoning_effort=high']],
    ['xhigh', 'high', ['reasoning_effort=high']],
    ['high', 'high', []],
    ['minimal', 'low', ['reasoning_effort=low']],
  ] as const) {
    const response = await gateway.post('/v1/chat/completions', {
      model: `groq/${MODELS.groq}`,
      messages: [{ role: 'user', content: 'Hi.' }],
      reasoning_effort: effort,
    });
    assert.equal(response.status, 200, await response.text());
    assert.deepEqual(namesIn(response), named);
    assert.equal(lastSent('groq')['reasoning_effort'], sent);
  }
});

test('efforts that Ollama does not know are the nearest that it does, and named', async () => {
  for (const [said, sent, named] of [
    [{ reasoning_effort: 'minimal' }, { reasoning_effort: 'low' }, ['reasoning_effort=low']],
    [{ reasoning_effort: 'xhigh' }, { reasoning_effort: 'high' }, ['reasoning_effort=high']],
    [{ reasoning_effort: 'max' }, { reasoning_effort: 'max' }, []],
    [{ reasoning: { effort: 'minimal' } }, { reasoning: { effort: 'low' } }, ['reasoning=low']],
  ] as const) {
    const response = await gateway.post('/v1/chat/completions', {
      model: `ollama/${MODELS.ollama}`,
      messages: [{ role: 'user', content: 'Hi.' }],
      ...said,
    });
    assert.equal(response.status, 200, await response.text());
    assert.deepEqual(namesIn(response), named);
    const { reasoning_effort, reasoning } = lastSent('ollama');
    assert.deepEqual({ reasoning_effort, reasoning }, { ...NO_EFFORT, ...sent });
  }
});

const NO_EFFORT = { reasoning_effort: undefined, reasoning: undefined };

test('a null, which says nothing, does not reach Mistral, which would refuse it', async () => {
  const response = await gateway.post('/v1/chat/completions', {
    model: `mistral/${MODELS.mistral}`,
    messages: [{ role: 'user', content: 'Hi.' }],
    modalities: null,
    prediction: null,
    web_search_options: null,
    n: null,
    audio: null,
    reasoning_effort: null,
  });
  assert.equal(response.status, 200, await response.text());
  assert.deepEqual(namesIn(response), []);
  const sent = Object.keys(lastSent('mistral'));
  assert.deepEqual(sent, ['model', 'messages']);
});

test('a refusal in the provider’s own form reaches the caller with its words', async () => {
  for (const [kin, body, words] of [
    [
      'mistral',
      { messages: [{ role: 'user', content: 'Hi', colour: 'red' }] },
      /Extra inputs are not permitted/,
    ],
    ['xai', { messages: [{ role: 'user', content: 'Hi' }], colour: 'red' }, /colour/],
  ] as const) {
    const response = await gateway.post('/v1/chat/completions', { model: `${kin}/${MODELS[kin]}`, ...body });
    assert.ok(response.status === 400 || response.status === 422, `${response.status}`);
    const { error } = (await response.json()) as { error: { message: string } };
    assert.match(error.message, words);
  }
});

test('a provider that is known and not configured says how to have it', async () => {
  for (const [name, advice] of [
    ['together', /set TOGETHER_API_KEY or add it under 'providers'/],
    ['lmstudio', /'lmstudio' is not set up here: add it under 'providers'/],
  ] as const) {
    const response = await gateway.post('/v1/chat/completions', { model: `${name}/m`, messages: [] });
    assert.equal(response.status, 404);
    const { error } = (await response.json()) as { error: { message: string } };
    assert.match(error.message, advice);
  }
  const models = (await (await gateway.get('/v1/models')).json()) as { data: { id: string }[] };
  assert.deepEqual(
    models.data.map(({ id }) => id),
    ['choices', 'echo/echo'],
  );
});
