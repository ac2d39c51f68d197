import assert from 'node:assert/strict';
import { test } from 'node:test';
import { collectEvents } from '../../src/conversation/collect.ts';
import type { Completion } from '../../src/conversation/completion.ts';
import type { Conversation } from '../../src/conversation/conversation.ts';
import { GatewayError } from '../../src/conversation/gateway-error.ts';
import type { JsonObject } from '../../src/conversation/json.ts';
import { QuirkedChat } from '../../src/dialects/chat/quirked-chat.ts';
import { messages as messagesDialect } from '../../src/dialects/messages/index.ts';
import { DIALECTS } from '../../src/dialects/registry.ts';
import { loadDeclarations } from '../../src/upstream/load-declarations.ts';
import { rewriteRequest } from '../support/rewrite-request.ts';

const DECLARATIONS = new Map(
  (await loadDeclarations()).map((declaration) => [declaration.name, declaration]),
);

function quirkedChat(provider: string): QuirkedChat {
  const quirks = DECLARATIONS.get(provider)?.quirks;
  assert.ok(quirks, `${provider} has quirks`);
  return new QuirkedChat(quirks);
}

/** A chat request as OpenAI takes it, with everything that some server does differently. */
const EVERYTHING: JsonObject = {
  model: 'smart',
  messages: [
    { role: 'developer', content: 'Be brief.' },
    { role: 'user', content: 'Weather?', name: 'ann' },
    {
      role: 'assistant',
      content: null,
      refusal: null,
      annotations: [],
      reasoning_content: 'Ask the tool.',
      tool_calls: [
        { id: 'call_0123456789abcdef', type: 'function', function: { name: 'weather', arguments: '{}' } },
      ],
    },
    { role: 'tool', tool_call_id: 'call_0123456789abcdef', content: 'Rain.' },
  ],
  tools: [{ type: 'function', function: { name: 'weather', parameters: { type: 'object' }, strict: true } }],
  tool_choice: 'auto',
  parallel_tool_calls: true,
  max_completion_tokens: 100,
  temperature: 0.5,
  presence_penalty: 0.1,
  frequency_penalty: 0.2,
  seed: 7,
  logit_bias: { 50: 1 },
  logprobs: true,
  top_logprobs: 2,
  reasoning_effort: 'medium',
  n: 1,
  user: 'ann',
  store: false,
  future: [1, { two: 2 }],
};

interface Expected {
  model: string;
  /** Fields beside those of `EVERYTHING`; `undefined`: not sent. */
  fields: Record<string, unknown>;
  dropped?: string[];
  /** What the assistant message that called the tool becomes, without its calls. */
  assistant: JsonObject;
  developer?: boolean;
  names?: boolean;
  /** It has no tools: a request with them is refused, and this one goes without. */
  lacksTools?: boolean;
}

const NULL_CONTENT = { role: 'assistant', content: null };
const REPLAYED = { ...NULL_CONTENT, refusal: null, annotations: [] };
const LIMIT = { max_completion_tokens: undefined, max_tokens: 100 };

const SENT: Record<string, Expected> = {
  mistral: {
    model: 'mistral-medium-latest',
    fields: {
      ...LIMIT,
      ...{
        seed: undefined,
        random_seed: 7,
        logit_bias: undefined,
        logprobs: undefined,
        top_logprobs: undefined,
      },
      ...{ reasoning_effort: 'high', user: undefined, store: undefined },
    },
    dropped: [
      ...['messages[].name', 'logit_bias', 'logprobs', 'top_logprobs'],
      ...['user', 'store', 'reasoning_effort=high'],
    ],
    assistant: {
      role: 'assistant',
      content: [{ type: 'thinking', thinking: [{ type: 'text', text: 'Ask the tool.' }] }],
    },
  },
  cohere: {
    model: 'command-a-03-2025',
    fields: {
      ...LIMIT,
      ...{ logit_bias: undefined, top_logprobs: undefined, reasoning_effort: 'high', n: undefined },
      ...{ store: undefined, parallel_tool_calls: undefined },
    },
    dropped: ['parallel_tool_calls', 'logit_bias', 'top_logprobs', 'store', 'reasoning_effort=high'],
    assistant: { ...REPLAYED, reasoning_content: 'Ask the tool.' },
    names: true,
  },
  groq: {
    model: 'openai/gpt-oss-20b',
    fields: { logit_bias: undefined, logprobs: undefined, top_logprobs: undefined, store: undefined },
    dropped: ['messages[].name', 'logit_bias', 'logprobs', 'top_logprobs', 'store'],
    assistant: { ...NULL_CONTENT, reasoning: 'Ask the tool.' },
  },
  deepseek: {
    model: 'deepseek-v4-flash',
    fields: {
      ...{ ...LIMIT, logit_bias: undefined, seed: undefined, store: undefined, user: undefined },
    },
    dropped: ['logit_bias', 'seed', 'store', 'user'],
    assistant: { ...REPLAYED, reasoning_content: 'Ask the tool.' },
    names: true,
  },
  xai: {
    model: 'grok-4',
    fields: { presence_penalty: undefined, frequency_penalty: undefined, reasoning_effort: undefined },
    dropped: ['presence_penalty', 'frequency_penalty', 'reasoning_effort'],
    assistant: { ...REPLAYED, reasoning_content: 'Ask the tool.' },
    developer: true,
    names: true,
  },
  together: {
    model: 'deepseek-ai/DeepSeek-R1',
    fields: LIMIT,
    assistant: { ...REPLAYED, reasoning_content: 'Ask the tool.' },
    names: true,
  },
  perplexity: {
    model: 'sonar-reasoning-pro',
    fields: LIMIT,
    assistant: { ...REPLAYED, reasoning_content: 'Ask the tool.' },
    names: true,
    lacksTools: true,
  },
  cerebras: {
    model: 'gpt-oss-120b',
    fields: { logit_bias: undefined, presence_penalty: undefined, frequency_penalty: undefined },
    dropped: ['presence_penalty', 'frequency_penalty', 'logit_bias'],
    assistant: { ...REPLAYED, reasoning: 'Ask the tool.' },
    developer: true,
    names: true,
  },
  nvidia: {
    model: 'nvidia/llama-3.1-nemotron-70b-instruct',
    fields: LIMIT,
    assistant: { ...REPLAYED, reasoning_content: 'Ask the tool.' },
    names: true,
  },
  huggingface: {
    model: 'Qwen/Qwen3-32B:together',
    fields: LIMIT,
    assistant: { ...REPLAYED, reasoning_content: 'Ask the tool.' },
    names: true,
  },
  moonshot: {
    model: 'kimi-k2.6',
    fields: {
      ...{ temperature: undefined, presence_penalty: undefined, frequency_penalty: undefined },
      ...{ reasoning_effort: undefined, thinking: { type: 'enabled' } },
    },
    dropped: ['temperature', 'presence_penalty', 'frequency_penalty', 'reasoning_effort=enabled'],
    assistant: { ...REPLAYED, reasoning_content: 'Ask the tool.' },
    names: true,
  },
  zai: {
    model: 'glm-5.2',
    fields: { ...LIMIT, thinking: { type: 'enabled' } },
    assistant: { ...REPLAYED, reasoning_content: 'Ask the tool.' },
    names: true,
  },
  alibaba: {
    model: 'qwen3-max',
    fields: { ...LIMIT, reasoning_effort: undefined, enable_thinking: true },
    dropped: ['reasoning_effort=enabled'],
    assistant: { ...REPLAYED, reasoning_content: 'Ask the tool.' },
    names: true,
  },
  ollama: {
    model: 'qwen3:0.6b',
    fields: { ...LIMIT, n: undefined, logit_bias: undefined, user: undefined },
    dropped: ['logit_bias', 'user'],
    assistant: { ...REPLAYED, reasoning: 'Ask the tool.' },
    names: true,
  },
  vllm: {
    model: 'meta-llama/Llama-3.3-70B-Instruct',
    fields: {},
    assistant: { ...REPLAYED, reasoning: 'Ask the tool.' },
    names: true,
  },
  fireworks: {
    model: 'accounts/fireworks/models/glm-4p7',
    fields: {},
    assistant: { ...REPLAYED, reasoning_content: 'Ask the tool.' },
    developer: true,
    names: true,
  },
  openrouter: {
    model: 'deepseek/deepseek-r1',
    fields: {},
    assistant: { ...REPLAYED, reasoning_content: 'Ask the tool.' },
    developer: true,
    names: true,
  },
  lmstudio: {
    model: 'qwen3-8b',
    fields: LIMIT,
    assistant: { ...REPLAYED, reasoning_content: 'Ask the tool.' },
    names: true,
  },
};

for (const [provider, expected] of Object.entries(SENT)) {
  const { model, fields, dropped = [], assistant, developer = false, names = false } = expected;
  const { tools, ...withoutTools } = EVERYTHING;
  const asked: JsonObject = expected.lacksTools ? withoutTools : { ...withoutTools, tools };

  test(`${provider} is sent a conversation that uses everything as it takes it, the rest byte for byte`, () => {
    const { body, dropped: left } = rewriteRequest(
      quirkedChat(provider),
      Buffer.from(JSON.stringify(asked)),
      model,
    );
    const sent = JSON.parse(body.toString()) as Record<string, unknown>;
    const { messages, ...rest } = sent;
    const { messages: _, ...before } = asked;
    const all: Record<string, unknown> = { ...before, ...fields };
    assert.deepEqual(
      rest,
      Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)),
    );
    assert.deepEqual(left.sort(), [...dropped].sort());
    const [instructions, user, called, result] = messages as [JsonObject, JsonObject, JsonObject, JsonObject];
    assert.equal(instructions['role'], developer ? 'developer' : 'system');
    assert.equal(user['name'], names ? 'ann' : undefined);
    const { tool_calls: calls, ...said } = called;
    assert.deepEqual(said, assistant);
    const id = (calls as { id: string }[])[0]?.id;
    assert.equal(id, result['tool_call_id']);
    if (provider === 'mistral') assert.match(String(id), /^[a-zA-Z0-9]{9}$/);
    else assert.equal(id, 'call_0123456789abcdef');
    assert.match(body.toString(), /"future":\[1,\{"two":2\}\]/);
  });

  test(`${provider} is sent the same by way of the neutral model, as far as that has words for it`, () => {
    const { dialect } = quirkedChat(provider);
    const { body } = dialect.encodeRequest(dialect.decodeRequest(asked, {}), model);
    for (const [field, value] of Object.entries(fields)) assert.deepEqual(body[field], value, field);
    const roles = (body['messages'] as JsonObject[]).map(({ role }) => role);
    assert.deepEqual(roles, ['system', 'user', 'assistant', 'tool']);
  });
}

/** What is OpenAI's own has no rule that holds for every model: `VALUES` has them. */
const OPENAI_ITSELF = ['openai', 'azure-openai'];

test('every provider with rules for requests is in the table', () => {
  const ruled = [...DECLARATIONS.values()].filter(
    ({ name, quirks }) =>
      quirks && !OPENAI_ITSELF.includes(name) && Object.keys(quirks).some((key) => key !== 'thinkTags'),
  );
  assert.deepEqual(ruled.map(({ name }) => name).sort(), Object.keys(SENT).sort());
});

/** Each: a provider, a field, its value and what is sent for it, or the word of what happens. */
type Value = [provider: string, model: string, field: string, value: unknown, sent: JsonObject | 'refused'];

const VALUES: Value[] = [
  ['mistral', 'mistral-large', 'tool_choice', 'required', { tool_choice: 'any' }],
  ['mistral', 'mistral-large', 'tool_choice', 'none', { tool_choice: 'none' }],
  ['mistral', 'mistral-large', 'stream_options', { include_usage: true }, {}],
  ['mistral', 'mistral-large', 'modalities', ['text'], {}],
  ['mistral', 'mistral-large', 'modalities', ['text', 'audio'], 'refused'],
  ['mistral', 'mistral-small-latest', 'reasoning_effort', 'none', { reasoning_effort: 'none' }],
  ['cohere', 'command-a', 'n', 2, 'refused'],
  ['cohere', 'command-a', 'stream_options', { include_usage: true }, {}],
  ['groq', 'llama-3.3-70b-versatile', 'n', 2, 'refused'],
  ['groq', 'qwen/qwen3-32b', 'reasoning_effort', 'high', { reasoning_effort: 'default' }],
  ['groq', 'openai/gpt-oss-20b', 'reasoning_effort', 'minimal', { reasoning_effort: 'low' }],
  ['groq', 'llama-3.3-70b-versatile', 'reasoning_effort', 'high', {}],
  ['deepseek', 'deepseek-chat', 'reasoning_effort', 'none', { thinking: { type: 'disabled' } }],
  [
    'deepseek',
    'deepseek-chat',
    'response_format',
    { type: 'json_object' },
    { response_format: { type: 'json_object' } },
  ],
  ['deepseek', 'deepseek-chat', 'response_format', { type: 'json_schema', json_schema: {} }, 'refused'],
  ['deepseek', 'deepseek-chat', 'n', 2, 'refused'],
  ['deepseek', 'deepseek-chat', 'verbosity', 'low', {}],
  ['deepseek', 'deepseek-chat', 'prompt_cache_key', 'k', {}],
  ['deepseek', 'deepseek-chat', 'user_id', 'ann', { user_id: 'ann' }],
  ['xai', 'grok-4', 'stop', [], {}],
  ['xai', 'grok-4-fast-non-reasoning', 'stop', ['x'], { stop: ['x'] }],
  ['xai', 'grok-3', 'presence_penalty', 1, { presence_penalty: 1 }],
  ['xai', 'grok-3-mini', 'presence_penalty', 1, {}],
  ['xai', 'grok-3-mini', 'reasoning_effort', 'low', { reasoning_effort: 'low' }],
  ['xai', 'grok-4.5', 'reasoning_effort', 'low', { reasoning_effort: 'low' }],
  ['xai', 'grok-4.20-reasoning', 'reasoning_effort', 'low', {}],
  ['moonshot', 'moonshot-v1-8k', 'temperature', 0.3, { temperature: 0.3 }],
  ['moonshot', 'kimi-k3', 'temperature', 0.3, {}],
  ['moonshot', 'kimi-k3', 'n', 2, 'refused'],
  ['moonshot', 'kimi-k3', 'reasoning_effort', 'medium', { reasoning_effort: 'high' }],
  ['moonshot', 'kimi-k3', 'reasoning_effort', 'none', {}],
  ['moonshot', 'kimi-k2.6', 'reasoning_effort', 'none', { thinking: { type: 'disabled' } }],
  ['moonshot', 'kimi-k2.7-code', 'reasoning_effort', 'none', {}],
  ['perplexity', 'sonar', 'tools', [{ type: 'function', function: { name: 'clock' } }], 'refused'],
  ['perplexity', 'sonar', 'tools', [], {}],
  ['zai', 'glm-4.7', 'tool_choice', 'required', 'refused'],
  ['zai', 'glm-4.7', 'reasoning_effort', 'none', { thinking: { type: 'disabled' } }],
  ['alibaba', 'qwen-plus', 'reasoning_effort', 'none', { enable_thinking: false }],
  ['ollama', 'qwen3', 'n', 3, 'refused'],
  ['ollama', 'qwen3', 'reasoning_effort', 'minimal', { reasoning_effort: 'low' }],
  ['ollama', 'qwen3', 'reasoning_effort', 'xhigh', { reasoning_effort: 'high' }],
  ['ollama', 'qwen3', 'reasoning_effort', 'max', { reasoning_effort: 'max' }],
  ['ollama', 'qwen3', 'reasoning_effort', 'default', {}],
  ['ollama', 'qwen3', 'reasoning', { effort: 'minimal' }, { reasoning: { effort: 'low' } }],
  ['ollama', 'qwen3', 'reasoning', { effort: 'none' }, { reasoning: { effort: 'none' } }],
  ['ollama', 'qwen3', 'reasoning', { enabled: true }, { reasoning: { enabled: true } }],
  ['cerebras', 'gpt-oss-120b', 'max_tokens', 5, { max_completion_tokens: 5 }],
  ['openai', 'gpt-4.1', 'max_tokens', 5, { max_tokens: 5 }],
  ['openai', 'gpt-oss-120b', 'max_tokens', 5, { max_tokens: 5 }],
  ['openai', 'gpt-5', 'max_tokens', null, {}],
  ...['o3-mini', 'gpt-5', 'gpt-5.4-mini', 'gpt-6', 'gpt-10'].map((model): Value => {
    return ['openai', model, 'max_tokens', 5, { max_completion_tokens: 5 }];
  }),
  ['azure-openai', 'gpt-4o', 'max_tokens', 5, { max_tokens: 5 }],
  ['azure-openai', 'gpt-5-mini', 'max_tokens', 5, { max_completion_tokens: 5 }],
];

for (const [provider, model, field, value, sent] of VALUES) {
  test(`${provider}, ${model}: ${field} ${JSON.stringify(value)}`, () => {
    const quirked = quirkedChat(provider);
    const body = Buffer.from(JSON.stringify({ a: 1, [field]: value, b: 2 }));
    if (sent === 'refused') {
      assert.throws(
        () => rewriteRequest(quirked, body, model),
        (error) => error instanceof GatewayError && error.kind === 'invalid_request' && error.param === field,
      );
      return;
    }
    const rewritten = rewriteRequest(quirked, body, model);
    assert.deepEqual(JSON.parse(rewritten.body.toString()), { a: 1, ...sent, b: 2 });
  });
}

const TWO = ['clock', 'date'].map((name) => ({ type: 'function', function: { name } }));
const CLOCK = { type: 'function', function: { name: 'clock' } };
const OFF = { thinking: { type: 'disabled' } };
const REFUSED = {};

/** What becomes of a tool that must be called, beside thinking that is asked for or not. */
const FORCED: [provider: string, model: string, said: JsonObject, sent: object, told: string[]][] = [
  ['deepseek', 'deepseek-v4-flash', { tool_choice: 'required' }, { tool_choice: 'required', ...OFF }, []],
  ['deepseek', 'deepseek-v4-flash', { tool_choice: CLOCK }, { tool_choice: CLOCK, ...OFF }, []],
  ['deepseek', 'deepseek-v4-flash', { tool_choice: 'auto' }, { tool_choice: 'auto' }, []],
  [
    'deepseek',
    'deepseek-v4-flash',
    { tool_choice: CLOCK, reasoning_effort: 'high' },
    { tool_choice: CLOCK, ...OFF },
    ['reasoning_effort'],
  ],
  [
    'deepseek',
    'deepseek-v4-flash',
    { reasoning_effort: 'none', tool_choice: CLOCK },
    { tool_choice: CLOCK, ...OFF },
    [],
  ],
  ['moonshot', 'kimi-k2.6', { tool_choice: 'required' }, { tool_choice: 'required', ...OFF }, []],
  [
    'moonshot',
    'kimi-k2.6',
    { tool_choice: CLOCK, reasoning_effort: 'high' },
    { tool_choice: CLOCK, ...OFF },
    ['reasoning_effort'],
  ],
  ['moonshot', 'kimi-k2.7-code', { tool_choice: 'required' }, REFUSED, []],
  ['moonshot', 'kimi-k3', { tool_choice: 'required' }, { tool_choice: 'required' }, []],
  [
    'moonshot',
    'kimi-k3',
    { tools: TWO, tool_choice: CLOCK },
    { tools: [CLOCK], tool_choice: 'required' },
    [],
  ],
  ['moonshot', 'moonshot-v1-8k', { tool_choice: CLOCK }, { tool_choice: CLOCK }, []],
  [
    'alibaba',
    'qwen3-max',
    { tool_choice: 'required' },
    { tool_choice: 'required', enable_thinking: false },
    [],
  ],
  [
    'alibaba',
    'qwen3-8b',
    { tool_choice: CLOCK, reasoning_effort: 'high' },
    { tool_choice: CLOCK, enable_thinking: false },
    ['reasoning_effort'],
  ],
  ['alibaba', 'qwen3-30b-a3b-thinking-2507', { tool_choice: 'required' }, REFUSED, []],
  ['alibaba', 'qwen3-coder-plus', { tool_choice: CLOCK }, { tool_choice: CLOCK }, []],
  // What switches thinking on in the provider's own word is asked for, too.
  [
    'moonshot',
    'kimi-k2.6',
    { thinking: { type: 'enabled' }, tool_choice: 'required' },
    { ...OFF, tool_choice: 'required' },
    ['thinking=disabled'],
  ],
  ['moonshot', 'kimi-k2.6', { tool_choice: CLOCK, ...OFF }, { tool_choice: CLOCK, ...OFF }, []],
  [
    'moonshot',
    'kimi-k3',
    { tool_choice: 'required', thinking: { type: 'enabled' } },
    { tool_choice: 'required', thinking: { type: 'enabled' } },
    [],
  ],
  [
    'deepseek',
    'deepseek-v4-flash',
    { tool_choice: 'auto', thinking: { type: 'enabled' } },
    { tool_choice: 'auto', thinking: { type: 'enabled' } },
    [],
  ],
  [
    'alibaba',
    'qwen3-max',
    { tool_choice: CLOCK, enable_thinking: true },
    { tool_choice: CLOCK, enable_thinking: false },
    ['enable_thinking=false'],
  ],
  [
    'alibaba',
    'qwen3-8b',
    { reasoning_effort: 'high', enable_thinking: true, tool_choice: 'required' },
    { enable_thinking: false, tool_choice: 'required' },
    ['reasoning_effort', 'enable_thinking=false'],
  ],
  // Ollama reads no choice.
  ['ollama', 'qwen3', { tool_choice: 'auto' }, { tool_choice: 'auto' }, []],
  ['ollama', 'qwen3', { tool_choice: 'none' }, { tools: undefined, tool_choice: 'none' }, []],
  ['ollama', 'qwen3', { tool_choice: 'required' }, {}, ['tool_choice']],
  ['ollama', 'qwen3', { tool_choice: CLOCK }, { tools: [CLOCK] }, ['tool_choice']],
  ['ollama', 'qwen3', { parallel_tool_calls: false }, {}, ['parallel_tool_calls']],
];

for (const [provider, model, said, sent, told] of FORCED) {
  test(`${provider}, ${model}: ${JSON.stringify(said)} beside thinking`, () => {
    const quirked = quirkedChat(provider);
    const body = { messages: [{ role: 'user', content: 'x' }], tools: TWO, ...said };
    const { dialect } = quirked;
    const asBytes = () => rewriteRequest(quirked, Buffer.from(JSON.stringify(body)), model);
    const encoded = () => dialect.encodeRequest(dialect.decodeRequest({ model, ...body }, {}), model);
    if (sent === REFUSED) {
      for (const write of [asBytes, encoded]) assert.throws(write, { param: 'tool_choice' });
      return;
    }
    const expected = JSON.parse(JSON.stringify({ tools: TWO, ...sent }));
    const passed = asBytes();
    const { messages: _, ...fields } = JSON.parse(passed.body.toString()) as JsonObject;
    assert.deepEqual([fields, passed.dropped], [expected, told]);
    const { body: written, dropped } = encoded();
    const { messages: __, model: ___, ...others } = written;
    assert.deepEqual([others, dropped], [expected, told]);
  });
}

test('tools are not read where no choice calls for it', () => {
  // Its brackets fit, which is all that is looked at in what passes through.
  const odd = '"tools":[{} {}]';
  for (const [provider, model] of [
    ['ollama', 'qwen3'],
    ['moonshot', 'kimi-k3'],
  ] as const) {
    for (const choice of ['', ',"tool_choice":"auto"']) {
      const body = Buffer.from(`{${odd}${choice}}`);
      assert.equal(rewriteRequest(quirkedChat(provider), body, model).body, body);
    }
    const chosen = Buffer.from(`{${odd},"tool_choice":${JSON.stringify(CLOCK)}}`);
    assert.throws(() => rewriteRequest(quirkedChat(provider), chosen, model), { param: 'tools' });
  }
});

/** What a caller is told of its effort: nothing where the provider has the same, else what was made of it. */
const EFFORTS: [provider: string, model: string, told: Record<string, string | undefined>][] = [
  [
    'cohere',
    'command-a',
    { none: undefined, minimal: 'none', low: 'high', medium: 'high', high: undefined, max: 'high' },
  ],
  [
    'mistral',
    'magistral-medium',
    { none: undefined, minimal: 'none', low: 'high', high: undefined, xhigh: 'high' },
  ],
  [
    'mistral',
    'mistral-large-4-0',
    { none: undefined, minimal: 'low', low: undefined, medium: undefined, high: undefined, max: 'high' },
  ],
  ['alibaba', 'qwen3-max', { none: undefined, low: 'enabled', high: undefined, max: 'enabled' }],
  // Thinks in streams alone.
  ['alibaba', 'qwen-plus', { none: undefined, low: 'none', high: 'none' }],
  ['moonshot', 'kimi-k2.6', { none: undefined, low: 'enabled', high: undefined }],
  ['moonshot', 'kimi-k3', { minimal: 'low', low: undefined, medium: 'high', high: undefined, xhigh: 'max' }],
  ['groq', 'qwen/qwen3-32b', { none: undefined, low: 'default', high: undefined, default: undefined }],
  [
    'groq',
    'openai/gpt-oss-20b',
    { none: 'low', minimal: 'low', low: undefined, high: undefined, xhigh: 'high', max: 'high' },
  ],
  ['zai', 'glm-4.7', { none: undefined, low: undefined }],
  [
    'ollama',
    'qwen3',
    { none: undefined, minimal: 'low', low: undefined, high: undefined, xhigh: 'high', max: undefined },
  ],
  ['ollama', 'gpt-oss:20b', { minimal: 'low', xhigh: 'high', default: undefined }],
];

for (const [provider, model, told] of EFFORTS) {
  for (const [effort, fitted] of Object.entries(told)) {
    test(`${provider}, ${model}: of the effort ${effort} is told ${fitted ?? 'nothing'}`, () => {
      const quirked = quirkedChat(provider);
      const expected = fitted === undefined ? [] : [`reasoning_effort=${fitted}`];
      const body: JsonObject = {
        model: 'm',
        messages: [{ role: 'user', content: 'x' }],
        reasoning_effort: effort,
      };
      assert.deepEqual(rewriteRequest(quirked, Buffer.from(JSON.stringify(body)), model).dropped, expected);
      const { dialect } = quirked;
      assert.deepEqual(dialect.encodeRequest(dialect.decodeRequest(body, {}), model).dropped, expected);
    });
  }
}

test('of an effort that another dialect’s caller asked for is told in its words', () => {
  const { dialect } = quirkedChat('mistral');
  const asked: [Conversation['dialect'], Conversation['reasoning'], string][] = [
    ['responses', { effort: 'low' }, 'reasoning.effort=high'],
    ['messages', { effort: 'medium' }, 'output_config.effort=high'],
    ['messages', { budgetTokens: 2048 }, 'thinking.budget_tokens=high'],
    ['gemini', { effort: 'low' }, 'generationConfig.thinkingConfig.thinkingLevel=high'],
  ];
  for (const [name, reasoning, expected] of asked) {
    const conversation: Conversation = {
      ...{ dialect: name, model: 'm', stream: false, tools: [], parameters: {} },
      messages: [{ role: 'user', parts: [{ type: 'text', text: 'x' }] }],
      ...(reasoning ? { reasoning } : {}),
    };
    assert.deepEqual(dialect.encodeRequest(conversation, 'magistral-medium').dropped, [expected]);
  }
});

test('what is left out of another dialect’s call is named in that dialect’s words', () => {
  const conversation: Conversation = {
    dialect: 'gemini',
    model: 'smart',
    stream: true,
    messages: [{ role: 'user', parts: [{ type: 'text', text: 'Hi' }] }],
    tools: [],
    parameters: { topK: 5, logprobs: true, seed: 3, maxOutputTokens: 10 },
    reasoning: { budgetTokens: 500 },
  };
  const { body, dropped } = quirkedChat('groq').dialect.encodeRequest(
    conversation,
    'llama-3.3-70b-versatile',
  );
  assert.deepEqual(dropped.sort(), [
    'generationConfig.responseLogprobs',
    'generationConfig.thinkingConfig',
    'generationConfig.topK',
  ]);
  assert.equal(body['seed'], 3);
  const mistral = quirkedChat('mistral').dialect.encodeRequest(conversation, 'mistral-large');
  assert.equal(mistral.body['random_seed'], 3);
  assert.equal(mistral.body['max_tokens'], 10);
  assert.equal('stream_options' in mistral.body, false);
});

test('what is refused of another dialect’s call is named in that dialect’s words', () => {
  const messages: Conversation['messages'] = [{ role: 'user', parts: [{ type: 'text', text: 'Hi' }] }];
  const conversation: Conversation = {
    dialect: 'gemini',
    model: 'm',
    stream: false,
    messages,
    tools: [],
    parameters: {},
  };
  const format: Conversation['responseFormat'] = {
    type: 'json_schema',
    name: 'a',
    schema: { type: 'object' },
  };
  for (const [provider, change, param] of [
    ['deepseek', { responseFormat: format }, 'generationConfig.responseJsonSchema'],
    ['perplexity', { tools: [{ type: 'function', name: 'clock' }] }, 'tools'],
  ] as [string, Partial<Conversation>, string][]) {
    const { dialect } = quirkedChat(provider);
    assert.throws(
      () => dialect.encodeRequest({ ...conversation, ...change }, 'grok-4'),
      (error) =>
        error instanceof GatewayError && error.param === param && error.message.includes(`'${param}'`),
    );
  }
});

test('only a caller who asked for the usage of a stream is told that Cohere cannot be asked', () => {
  const asking = Buffer.from('{"stream":true,"stream_options":{"include_usage":true},"messages":[]}');
  assert.deepEqual(rewriteRequest(quirkedChat('cohere'), asking, 'command-a').dropped, ['stream_options']);
  assert.deepEqual(rewriteRequest(quirkedChat('mistral'), asking, 'm').dropped, [], 'it says it anyway');
  const messages: Conversation['messages'] = [{ role: 'user', parts: [{ type: 'text', text: 'Hi' }] }];
  const conversation = { model: 'm', stream: true, messages, tools: [], parameters: {} };
  const { dialect } = quirkedChat('cohere');
  const encoded = dialect.encodeRequest({ ...conversation, dialect: 'messages' }, 'command-a');
  assert.deepEqual([encoded.dropped, 'stream_options' in encoded.body], [[], false]);
});

test('DeepSeek gets its reasoning back from a client that speaks Messages; a server that wants none gets none', () => {
  const conversation = messagesDialect.decodeRequest(
    {
      model: 'smart',
      max_tokens: 100,
      messages: [
        { role: 'user', content: 'Weather?' },
        {
          role: 'assistant',
          content: [
            { type: 'thinking', thinking: 'Ask the tool.', signature: '' },
            { type: 'tool_use', id: 'call_1', name: 'weather', input: {} },
          ],
        },
        { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'call_1', content: 'Rain.' }] },
      ],
      tools: [{ name: 'weather', input_schema: { type: 'object' } }],
    },
    {},
  );
  const deepseek = quirkedChat('deepseek').dialect.encodeRequest(conversation, 'deepseek-v4-flash');
  const [, assistant] = deepseek.body['messages'] as JsonObject[];
  assert.equal(assistant?.['reasoning_content'], 'Ask the tool.');
  assert.deepEqual(deepseek.dropped, []);
  const { dialect: mistral } = quirkedChat('mistral');
  const plain = mistral.encodeRequest(conversation, 'mistral-large-2411');
  assert.equal(JSON.stringify(plain.body).includes('Ask the tool.'), false);
  assert.equal(plain.dropped.length, 1);
  const thinking = mistral.encodeRequest(conversation, 'mistral-medium-3-5');
  const [, thought] = thinking.body['messages'] as JsonObject[];
  assert.deepEqual(thought?.['content'], [
    { type: 'thinking', thinking: [{ type: 'text', text: 'Ask the tool.' }] },
  ]);
  assert.deepEqual(thinking.dropped, []);
  for (const [provider, field] of [
    ['ollama', 'reasoning'],
    ['vllm', 'reasoning'],
    ['fireworks', 'reasoning_content'],
    ['openrouter', 'reasoning'],
  ] as const) {
    const { body, dropped } = quirkedChat(provider).dialect.encodeRequest(conversation, 'm');
    const [, written] = body['messages'] as JsonObject[];
    assert.deepEqual([written?.[field], dropped], ['Ask the tool.', []]);
  }
});

/** What models of OpenRouter said of what they thought, in details. */
const DETAILS: JsonObject[] = [
  { type: 'reasoning.text', text: 'Hm.', signature: 'c2ln', format: 'anthropic-claude-v1', index: 0 },
  { type: 'reasoning.encrypted', data: 'c2VjcmV0', id: 'call_1', format: 'google-gemini-v1', index: 1 },
];

test('what a model of OpenRouter thought goes back as it came, at every door, and to nobody else', () => {
  const openrouter = quirkedChat('openrouter').dialect;
  const calls = [{ id: 'call_1', type: 'function', function: { name: 'clock', arguments: '{}' } }];
  const message = {
    role: 'assistant',
    content: null,
    reasoning: 'Hm.',
    reasoning_details: DETAILS,
    tool_calls: calls,
  };
  const choices = [{ index: 0, message, finish_reason: 'tool_calls' }];
  const whole = openrouter.decodeResponse({ id: 'r', model: 'm', choices });
  const decoder = openrouter.streamDecoder();
  const delta = { ...message, tool_calls: calls.map((call) => ({ index: 0, ...call })) };
  const data = JSON.stringify({
    id: 'r',
    model: 'm',
    choices: [{ index: 0, delta, finish_reason: 'tool_calls' }],
  });
  const streamed = collectEvents([...decoder.push({ data }), ...decoder.push({ data: '[DONE]' })]).completion;
  for (const completion of [whole, streamed]) {
    for (const name of ['messages', 'responses', 'gemini', 'chat'] as const) {
      const conversation = replayedBy(name, completion);
      const { body, dropped } = openrouter.encodeRequest(
        structuredClone(conversation),
        'google/gemini-3-pro',
      );
      const [, sent] = body['messages'] as JsonObject[];
      assert.deepEqual(sent?.['reasoning_details'], DETAILS, name);
      assert.equal(sent?.['reasoning'], 'Hm.', name);
      assert.deepEqual(dropped, [], name);
      const elsewhere = quirkedChat('fireworks').dialect.encodeRequest(conversation, 'm').body;
      assert.doesNotMatch(JSON.stringify(elsewhere), /c2ln|c2VjcmV0/, name);
    }
  }
});

/** The history of a client that sends an answer back, with what its tool gave. */
function replayedBy(
  name: 'messages' | 'responses' | 'gemini' | 'chat',
  completion: Completion,
): Conversation {
  const dialect = DIALECTS[name];
  switch (name) {
    case 'messages': {
      const asked = { thinking: { type: 'enabled', budget_tokens: 1024 } };
      const { content } = dialect.encodeResponse(completion, asked) as { content: JsonObject[] };
      const result = { type: 'tool_result', tool_use_id: content.at(-1)?.['id'] ?? '', content: '1' };
      const turns = [
        { role: 'user', content: 'Hi' },
        { role: 'assistant', content },
        { role: 'user', content: [result] },
      ];
      return dialect.decodeRequest({ model: 'm', max_tokens: 9, messages: turns }, {});
    }
    case 'responses': {
      const { output } = dialect.encodeResponse(completion) as { output: JsonObject[] };
      const result = { type: 'function_call_output', call_id: output.at(-1)?.['call_id'] ?? '', output: '1' };
      const input = [{ role: 'user', content: 'Hi' }, ...output, result];
      return dialect.decodeRequest({ model: 'm', input }, {});
    }
    case 'gemini': {
      const { candidates } = dialect.encodeResponse(completion) as { candidates: { content: JsonObject }[] };
      const content = candidates[0]?.content ?? {};
      const result = { functionResponse: { name: 'clock', id: 'call_1', response: {} } };
      const contents = [
        { role: 'user', parts: [{ text: 'Hi' }] },
        content,
        { role: 'user', parts: [result] },
      ];
      return dialect.decodeRequest({ contents }, { model: 'm' });
    }
    case 'chat': {
      const { choices } = dialect.encodeResponse(completion) as { choices: { message: JsonObject }[] };
      const message = choices[0]?.message ?? {};
      const [call] = message['tool_calls'] as { id: string }[];
      const result = { role: 'tool', tool_call_id: call?.id ?? '', content: '1' };
      return dialect.decodeRequest(
        { model: 'm', messages: [{ role: 'user', content: 'Hi' }, message, result] },
        {},
      );
    }
    default:
      return name satisfies never;
  }
}

test('sealed details of a client’s own make hold words alone', () => {
  const forged = [
    { type: 'reasoning.text', text: 'Hm.', file: { file_id: 'of-another' }, index: [1] },
    'x',
    7,
  ];
  const conversation: Conversation = {
    ...{ dialect: 'messages', model: 'm', stream: false, tools: [], parameters: {} },
    messages: [
      { role: 'user', parts: [{ type: 'text', text: 'x' }] },
      {
        role: 'assistant',
        parts: [
          { type: 'reasoning', text: 'Hm.', encrypted: { dialect: 'chat', value: JSON.stringify(forged) } },
          { type: 'text', text: 'y' },
        ],
      },
    ],
  };
  const [, sent] = quirkedChat('openrouter').dialect.encodeRequest(conversation, 'm').body[
    'messages'
  ] as JsonObject[];
  assert.deepEqual(sent?.['reasoning_details'], [{ type: 'reasoning.text', text: 'Hm.' }]);
});

test('Alibaba is told that the open models of Qwen 3 do not think in an answer that is asked whole', () => {
  const quirked = quirkedChat('alibaba');
  const OFF_THERE = { enable_thinking: false };
  for (const [model, said, written] of [
    ['qwen3-8b', {}, OFF_THERE],
    ['qwen3-8b', { stream: false }, OFF_THERE],
    ['qwen3-8b', { stream: true }, {}],
    ['qwen3-8b', { enable_thinking: true }, {}],
    ['qwen3-8b', { tool_choice: 'auto' }, OFF_THERE],
    ['qwen3-30b-a3b-instruct-2507', {}, {}],
    ['qwen3-235b-a22b-thinking-2507', {}, {}],
    ['qwen3-max', {}, {}],
  ] as [string, JsonObject, JsonObject][]) {
    const body = { model: 'm', messages: [{ role: 'user', content: 'x' }], ...said };
    const { body: sent, dropped } = rewriteRequest(quirked, Buffer.from(JSON.stringify(body)), model);
    assert.deepEqual([JSON.parse(sent.toString()), dropped], [{ ...body, ...written }, []]);
  }
  const streamed = { model: 'm', messages: [], stream: true, reasoning_effort: 'high' };
  const { body: sent } = rewriteRequest(quirked, Buffer.from(JSON.stringify(streamed)), 'qwen3-8b');
  assert.equal(JSON.parse(sent.toString()).enable_thinking, true);
  const asked = messagesDialect.decodeRequest(
    { model: 'm', max_tokens: 9, messages: [{ role: 'user', content: 'x' }] },
    {},
  );
  const encoded = quirked.dialect.encodeRequest(asked, 'qwen3-8b');
  assert.deepEqual([encoded.body['enable_thinking'], encoded.dropped], [false, []]);
});

test('Ollama reads texts as one, and images that are there', () => {
  const quirked = quirkedChat('ollama');
  const text = (...said: string[]) => said.map((each) => ({ type: 'text', text: each }));
  const image = (url: string) => ({
    role: 'user',
    content: [...text('x'), { type: 'image_url', image_url: { url } }],
  });
  const seen = image('data:image/png;base64,AA==');
  const body = (...messages: JsonObject[]) => Buffer.from(JSON.stringify({ messages }));
  const rewritten = rewriteRequest(
    quirked,
    body(
      seen,
      { role: 'tool', tool_call_id: 'a', content: text('One', 'Two') },
      { role: 'user', content: text('x') },
    ),
    'qwen3',
  );
  assert.deepEqual(JSON.parse(rewritten.body.toString()).messages, [
    seen,
    { role: 'tool', tool_call_id: 'a', content: 'One\n\nTwo' },
    { role: 'user', content: 'x' },
  ]);
  for (const url of ['https://example.com/a.png', 'data:image/gif;base64,AA==']) {
    assert.throws(() => rewriteRequest(quirked, body(image(url)), 'qwen3'), {
      kind: 'invalid_request',
      param: 'messages[0].content[1]',
    });
  }
  const asked = messagesDialect.decodeRequest(
    {
      model: 'm',
      max_tokens: 9,
      messages: [
        { role: 'user', content: [{ type: 'image', source: { type: 'url', url: 'https://example.com/a' } }] },
      ],
    },
    {},
  );
  assert.throws(() => quirked.dialect.encodeRequest(asked, 'qwen3'), { param: 'messages[0].content[0]' });
});

test('embeddings: Mistral has its own word for the dimensions, Cohere has none', () => {
  const body = Buffer.from('{"model":"m","input":"x","dimensions":256,"user":"ann"}');
  const mistral = quirkedChat('mistral').rewriteEmbeddings(body, 'mistral-embed');
  assert.equal(mistral.body.toString(), '{"model":"m","input":"x","output_dimension":256}');
  assert.deepEqual(mistral.dropped, ['user']);
  assert.throws(() => quirkedChat('cohere').rewriteEmbeddings(body, 'embed-v4.0'), /'dimensions'/);
});

test('Perplexity: what an answer rests on becomes citations, thinking in tags becomes reasoning, in both forms', () => {
  const { dialect } = quirkedChat('perplexity');
  const search_results = [{ title: 'A', url: 'https://example.com/a', date: null }];
  const content = '<think>\nLook it up.\n</think>\n\nRain [1].';
  const whole = dialect.decodeResponse({
    id: 'p',
    model: 'sonar-reasoning-pro',
    citations: ['https://example.com/a'],
    search_results,
    choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }],
  });
  const decoder = dialect.streamDecoder();
  const events = ['<thi', 'nk>\nLook it up.\n</th', 'ink>\n\nRain', ' [1].'].flatMap((piece, index) =>
    decoder.push({
      data: JSON.stringify({
        id: 'p',
        model: 'sonar-reasoning-pro',
        search_results,
        usage: { prompt_tokens: 5, completion_tokens: index, total_tokens: 5 + index },
        choices: [{ index: 0, delta: { content: piece }, finish_reason: index === 3 ? 'stop' : null }],
      }),
    }),
  );
  const streamed = collectEvents([...events, ...decoder.push({ data: '[DONE]' })]).completion;
  for (const completion of [whole, streamed]) {
    assert.deepEqual(partsOf(completion), [
      { type: 'reasoning', text: 'Look it up.\n' },
      { type: 'text', text: 'Rain [1].', citations: [{ url: 'https://example.com/a', title: 'A' }] },
    ]);
  }
  assert.equal(streamed.usage?.output, 3);
});

function partsOf({ choices }: Completion): unknown {
  return choices[0]?.parts;
}

/** Each: a provider, its model and what tells it not to think. */
const THOUGHTLESS: [provider: string, model: string, sent: JsonObject][] = [
  ['deepseek', 'deepseek-chat', { thinking: { type: 'disabled' } }],
  ['zai', 'glm-4.7', { thinking: { type: 'disabled' } }],
  ['moonshot', 'kimi-k2.6', { thinking: { type: 'disabled' } }],
  ['alibaba', 'qwen-plus', { enable_thinking: false }],
  ['mistral', 'magistral-medium', { reasoning_effort: 'none' }],
  ['groq', 'qwen/qwen3-32b', { reasoning_effort: 'none' }],
];

/** How callers say that nothing is to be thought, each in its dialect. */
const NO_THINKING: [Exclude<Conversation['dialect'], 'chat' | 'converse'>, JsonObject][] = [
  ['messages', { max_tokens: 9, messages: [{ role: 'user', content: 'x' }], thinking: { type: 'disabled' } }],
  ['responses', { input: 'x', reasoning: { effort: 'none' } }],
  [
    'gemini',
    {
      contents: [{ role: 'user', parts: [{ text: 'x' }] }],
      generationConfig: { thinkingConfig: { thinkingBudget: 0 } },
    },
  ],
];

for (const [provider, model, sent] of THOUGHTLESS) {
  for (const [name, body] of NO_THINKING) {
    test(`${provider} is told not to think by a caller of ${name} as by one of chat`, () => {
      const conversation = DIALECTS[name].decodeRequest({ model, ...body }, { model });
      const encoded = quirkedChat(provider).dialect.encodeRequest(conversation, model);
      for (const [field, value] of Object.entries(sent)) assert.deepEqual(encoded.body[field], value);
      assert.deepEqual(encoded.dropped, []);
    });
  }
}
