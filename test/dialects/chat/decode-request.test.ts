import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Conversation } from '../../../src/conversation/conversation.ts';
import { GatewayError } from '../../../src/conversation/gateway-error.ts';
import type { JsonObject, JsonValue } from '../../../src/conversation/json.ts';
import { chat } from '../../../src/dialects/chat/index.ts';
import { MAX_JSON_DEPTH } from '../../../src/dialects/request-fields.ts';
import { scale } from '../../support/scale.ts';

const USER = { role: 'user', content: 'Hi' };

function decode(fields: JsonObject): Conversation {
  return chat.decodeRequest({ model: 'm', messages: [USER], ...fields }, {});
}

function decodeMessage(message: JsonObject): Conversation['messages'][number] | undefined {
  return decode({ messages: [message] }).messages[0];
}

function failure(decodeIt: () => unknown): GatewayError {
  try {
    decodeIt();
  } catch (error) {
    assert.ok(error instanceof GatewayError, String(error));
    return error;
  }
  assert.fail('nothing was refused');
}

const WRONG: [path: string, fields: JsonObject][] = [
  ['model', { model: 7 }],
  ['model', { model: null }],
  ['messages', { messages: 'Hi' }],
  ['messages', { messages: [] }],
  ['messages[0]', { messages: ['Hi'] }],
  ['messages[0].role', { messages: [{ content: 'Hi' }] }],
  ['messages[1].role', { messages: [USER, { role: 'bot', content: 'Hi' }] }],
  ['messages[0].content', { messages: [{ role: 'user' }] }],
  ['messages[0].content', { messages: [{ role: 'system', content: 3 }] }],
  ['messages[0].content[1]', { messages: [{ role: 'user', content: [{ type: 'text', text: '' }, null] }] }],
  ['messages[0].content[0].type', { messages: [{ role: 'user', content: [{ text: 'Hi' }] }] }],
  ['messages[0].content[0].text', { messages: [{ role: 'user', content: [{ type: 'text', text: {} }] }] }],
  ['messages[0].content[0].image_url', { messages: [{ role: 'user', content: [{ type: 'image_url' }] }] }],
  [
    'messages[0].content[0].image_url.url',
    { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'data:image/png' } }] }] },
  ],
  [
    'messages[0].content[0].input_audio.format',
    { messages: [{ role: 'user', content: [{ type: 'input_audio', input_audio: { data: 'aGk=' } }] }] },
  ],
  [
    'messages[0].content[0].file.file_data',
    { messages: [{ role: 'user', content: [{ type: 'file', file: {} }] }] },
  ],
  ['messages[0].tool_call_id', { messages: [{ role: 'tool', content: 'x' }] }],
  ['messages[0].tool_calls', { messages: [{ role: 'assistant', tool_calls: {} }] }],
  ['messages[0].tool_calls[0].id', { messages: [{ role: 'assistant', tool_calls: [{ function: {} }] }] }],
  [
    'messages[0].tool_calls[0].function.name',
    { messages: [{ role: 'assistant', tool_calls: [{ id: 'a', function: {} }] }] },
  ],
  [
    'messages[0].tool_calls[0].function.arguments',
    { messages: [{ role: 'assistant', tool_calls: [{ id: 'a', function: { name: 'f', arguments: {} } }] }] },
  ],
  [
    'messages[0].tool_calls[0].type',
    { messages: [{ role: 'assistant', tool_calls: [{ id: 'a', type: 'x' }] }] },
  ],
  ['messages[0].reasoning_content', { messages: [{ role: 'assistant', reasoning_content: 1 }] }],
  ['messages[0].reasoning', { messages: [{ role: 'assistant', reasoning: true }] }],
  ['messages[0].reasoning_details', { messages: [{ role: 'assistant', reasoning_details: {} }] }],
  ['messages[0].name', { messages: [{ role: 'function', content: 'x' }] }],
  ['tools', { tools: 'all' }],
  ['tools[0].function', { tools: [{ type: 'function' }] }],
  ['tools[0].function.name', { tools: [{ type: 'function', function: {} }] }],
  ['tools[0].function.parameters', { tools: [{ type: 'function', function: { name: 'f', parameters: 1 } }] }],
  ['tools[0].custom.name', { tools: [{ type: 'custom', custom: {} }] }],
  ['functions[0].name', { functions: [{}] }],
  ['tool_choice', { tool_choice: 'always' }],
  ['tool_choice', { tool_choice: 1 }],
  ['tool_choice.type', { tool_choice: { type: 'tool' } }],
  ['tool_choice.function.name', { tool_choice: { type: 'function', function: {} } }],
  [
    'tool_choice.allowed_tools.mode',
    { tool_choice: { type: 'allowed_tools', allowed_tools: { mode: 'x' } } },
  ],
  [
    'tool_choice.allowed_tools.tools[0].function',
    { tool_choice: { type: 'allowed_tools', allowed_tools: { mode: 'auto', tools: [{}] } } },
  ],
  ['function_call', { function_call: 'f' }],
  ['parallel_tool_calls', { parallel_tool_calls: 'yes' }],
  ['response_format', { response_format: 'json' }],
  ['response_format.type', { response_format: { type: 'grammar' } }],
  [
    'response_format.json_schema.schema',
    { response_format: { type: 'json_schema', json_schema: { name: 'a' } } },
  ],
  ['response_format.json_schema.name', { response_format: { type: 'json_schema', json_schema: {} } }],
  ['reasoning_effort', { reasoning_effort: 3 }],
  ['reasoning.max_tokens', { reasoning: { max_tokens: 'many' } }],
  ['thinking.budget_tokens', { thinking: { type: 'enabled', budget_tokens: '1024' } }],
  ['temperature', { temperature: 'hot' }],
  ['max_tokens', { max_tokens: '12' }],
  ['stop', { stop: 1 }],
  ['stop[1]', { stop: ['a', 1] }],
  ['logit_bias', { logit_bias: [] }],
  ['stream', { stream: 'yes' }],
  ['stream_options', { stream_options: true }],
];

for (const [path, fields] of WRONG) {
  test(`${JSON.stringify(fields).slice(0, 90)} is refused at '${path}'`, () => {
    const error = failure(() => decode(fields));
    assert.equal(error.kind, 'invalid_request');
    assert.equal(error.param, path);
    assert.ok(error.message.startsWith(`'${path}' `), error.message);
  });
}

test('property: hostile JSON is read or refused, and never anything else', () => {
  const keys = fc.constantFrom(
    ...[
      'role',
      'content',
      'type',
      'text',
      'image_url',
      'url',
      'file',
      'tool_calls',
      'function',
      'custom',
      'id',
    ],
    ...['name', 'arguments', 'reasoning_details', 'reasoning', 'audio', 'images', 'format', 'signature'],
    ...['__proto__', 'constructor', 'cache_control', 'tool_call_id', 'index', 'data'],
  );
  const words = fc.constantFrom(
    'user',
    'assistant',
    'tool',
    'function',
    'text',
    'image_url',
    'custom',
    'a__fl1__b',
  );
  const { value } = fc.letrec<{ value: JsonValue }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 5, withCrossShrink: true },
      words,
      fc.constant(null),
      fc.integer(),
      fc.boolean(),
      fc.array(tie('value'), { maxLength: 3 }),
      fc.array(fc.tuple(keys, tie('value')), { maxLength: 5 }).map((entries) => Object.fromEntries(entries)),
    ),
  }));
  const message = fc.array(fc.tuple(keys, value), { maxLength: 5 });
  const roles = fc.constantFrom('user', 'assistant', 'tool', 'function', 'system');
  const body = fc.record(
    {
      model: fc.constant('m'),
      messages: fc.array(
        fc.tuple(roles, message).map(([role, entries]) => ({ ...Object.fromEntries(entries), role })),
        { minLength: 1, maxLength: 4 },
      ),
      tools: value,
      tool_choice: value,
      response_format: value,
      reasoning: value,
      thinking: value,
      stop: value,
      stream_options: value,
    },
    { requiredKeys: ['model', 'messages'] },
  );
  fc.assert(
    fc.property(body, (request) => {
      try {
        chat.encodeRequest(chat.decodeRequest(request, {}), 'm');
      } catch (error) {
        assert.ok(error instanceof GatewayError, String((error as Error).stack));
        assert.equal(error.kind, 'invalid_request');
      }
    }),
    { numRuns: scale({ sample: 120, heavy: 500 }) },
  );
});

test('keys such as __proto__ stay data', () => {
  const body = JSON.parse(
    '{"model":"m","messages":[{"role":"user","content":"Hi"}],"__proto__":{"stream":true}}',
  );
  const conversation = chat.decodeRequest(body, {});
  assert.equal(conversation.stream, false);
  const { body: encoded } = chat.encodeRequest(conversation, 'm');
  assert.deepEqual(Object.getOwnPropertyDescriptor(encoded, '__proto__')?.value, { stream: true });
  assert.equal(Object.getPrototypeOf(encoded), Object.prototype);
});

test('a body as deep as the gateway lets in is read', () => {
  let schema: JsonObject = {};
  for (let depth = 0; depth < MAX_JSON_DEPTH; depth++) schema = { items: schema };
  const tools = [{ type: 'function', function: { name: 'f', parameters: schema } }];
  assert.equal(decode({ tools }).tools.length, 1);
});

test('every kind of user content is read', () => {
  const content = [
    { type: 'text', text: 'Look', cache_control: { type: 'ephemeral', ttl: '1h' } },
    { type: 'image_url', image_url: { url: 'data:image/png;base64,aGk=', detail: 'low' } },
    { type: 'image_url', image_url: 'https://example.com/a.png' },
    { type: 'input_audio', input_audio: { data: 'aGk=', format: 'mp3' } },
    { type: 'input_audio', input_audio: { data: 'aGk=', format: 'wav' } },
    { type: 'file', file: { file_data: 'data:application/pdf;base64,aGk=', filename: 'a.pdf' } },
    { type: 'file', file: { file_id: 'file-1' } },
    { type: 'text', text: 'x', prompt_cache_breakpoint: { mode: 'explicit' } },
    { type: 'video_url', video_url: { url: 'https://example.com/a.mp4' } },
    { type: 'document_url', document_url: 'https://example.com/a.pdf', document_name: 'a' },
  ];
  const chatExtra = (fields: JsonObject) => ({ dialect: 'chat' as const, fields });
  assert.deepEqual(decodeMessage({ role: 'user', name: 'ann', content }), {
    role: 'user',
    name: 'ann',
    parts: [
      { type: 'text', text: 'Look', cacheHint: { ttl: '1h' } },
      { type: 'image', source: { kind: 'data', mediaType: 'image/png', base64: 'aGk=' }, detail: 'low' },
      { type: 'image', source: { kind: 'url', url: 'https://example.com/a.png' } },
      { type: 'audio', source: { kind: 'data', mediaType: 'audio/mpeg', base64: 'aGk=' } },
      { type: 'audio', source: { kind: 'data', mediaType: 'audio/wav', base64: 'aGk=' } },
      {
        type: 'file',
        source: { kind: 'data', mediaType: 'application/pdf', base64: 'aGk=' },
        filename: 'a.pdf',
      },
      { type: 'file', source: { kind: 'fileId', fileId: 'file-1', dialect: 'chat' } },
      {
        type: 'text',
        text: 'x',
        cacheHint: {},
        extra: chatExtra({ prompt_cache_breakpoint: { mode: 'explicit' } }),
      },
      {
        type: 'file',
        source: { kind: 'url', url: 'https://example.com/a.mp4' },
        extra: chatExtra({ type: 'video_url' }),
      },
      {
        type: 'file',
        source: { kind: 'url', url: 'https://example.com/a.pdf' },
        extra: chatExtra({ document_name: 'a', type: 'document_url' }),
      },
    ],
  });
});

test('cache hints are read from parts, whole messages, tools and tool calls', () => {
  const cache_control = { type: 'ephemeral' };
  const { messages, tools } = decode({
    messages: [
      { role: 'system', content: 'Long', cache_control: { type: 'ephemeral', ttl: '1h' } },
      {
        role: 'assistant',
        content: null,
        tool_calls: [{ id: 'a', type: 'function', function: { name: 'f', arguments: '{}' }, cache_control }],
      },
      { role: 'tool', tool_call_id: 'a', content: 'ok', cache_control },
    ],
    tools: [{ type: 'function', function: { name: 'f' }, cache_control }],
  });
  assert.deepEqual(messages[0]?.parts, [{ type: 'text', text: 'Long', cacheHint: { ttl: '1h' } }]);
  for (const part of messages.slice(1).flatMap(({ parts }) => parts)) {
    assert.deepEqual('cacheHint' in part && part.cacheHint, {});
  }
  assert.deepEqual(tools, [{ type: 'function', name: 'f', cacheHint: {} }]);
});

test('file data may stand bare or as an http URL', () => {
  const sources = ['aGk=', 'https://example.com/a.pdf'].map((file_data) => {
    const content = [{ type: 'file', file: { file_data } }];
    const part = decodeMessage({ role: 'user', content })?.parts[0];
    return part?.type === 'file' && part.source;
  });
  assert.deepEqual(sources, [
    { kind: 'data', mediaType: 'application/pdf', base64: 'aGk=' },
    { kind: 'url', url: 'https://example.com/a.pdf' },
  ]);
});

test('tool calls and results are read, and a result knows the name of its tool', () => {
  const { messages } = decode({
    messages: [
      {
        role: 'assistant',
        content: null,
        refusal: null,
        tool_calls: [
          { id: 'a', type: 'function', function: { name: 'f', arguments: '{"x":' } },
          { id: 'b', type: 'custom', custom: { name: 'shell', input: 'ls' } },
        ],
      },
      { role: 'tool', tool_call_id: 'b', content: [{ type: 'text', text: 'ok' }] },
      {
        role: 'tool',
        tool_call_id: 'a',
        content: [{ type: 'image_url', image_url: { url: 'https://example.com/a.png' } }],
      },
    ],
  });
  assert.deepEqual(messages, [
    {
      role: 'assistant',
      parts: [
        { type: 'tool_call', id: 'a', name: 'f', kind: 'function', arguments: '{"x":' },
        { type: 'tool_call', id: 'b', name: 'shell', kind: 'custom', arguments: 'ls' },
      ],
    },
    {
      role: 'tool',
      parts: [{ type: 'tool_result', callId: 'b', name: 'shell', parts: [{ type: 'text', text: 'ok' }] }],
    },
    {
      role: 'tool',
      parts: [
        {
          type: 'tool_result',
          callId: 'a',
          name: 'f',
          parts: [{ type: 'image', source: { kind: 'url', url: 'https://example.com/a.png' } }],
        },
      ],
    },
  ]);
});

test('the deprecated functions become tools, their calls tool calls with ids that match the results', () => {
  const conversation = decode({
    functions: [{ name: 'f', parameters: { type: 'object' } }],
    function_call: { name: 'f' },
    messages: [
      { role: 'assistant', content: null, function_call: { name: 'f', arguments: '{}' } },
      { role: 'function', name: 'f', content: '1' },
      { role: 'assistant', content: null, function_call: { name: 'f', arguments: '{"x":2}' } },
      { role: 'function', name: 'f', content: '2' },
    ],
  });
  assert.deepEqual(conversation.tools, [{ type: 'function', name: 'f', schema: { type: 'object' } }]);
  assert.deepEqual(conversation.toolChoice, { type: 'tool', name: 'f' });
  const ids = conversation.messages.flatMap(({ parts }) =>
    parts.map((part) =>
      part.type === 'tool_call' ? part.id : part.type === 'tool_result' ? part.callId : '',
    ),
  );
  assert.equal(ids[0], ids[1]);
  assert.equal(ids[2], ids[3]);
  assert.notEqual(ids[0], ids[2]);
});

const TOOL_CHOICES: [wire: JsonValue, neutral: Conversation['toolChoice']][] = [
  ['auto', { type: 'auto' }],
  ['none', { type: 'none' }],
  ['required', { type: 'required' }],
  [
    { type: 'function', function: { name: 'f' } },
    { type: 'tool', name: 'f' },
  ],
  [
    { type: 'custom', custom: { name: 'c' } },
    { type: 'tool', name: 'c' },
  ],
  [
    {
      type: 'allowed_tools',
      allowed_tools: {
        mode: 'required',
        tools: [
          { type: 'function', function: { name: 'f' } },
          { type: 'custom', custom: { name: 'c' } },
        ],
      },
    },
    { type: 'allowed', mode: 'required', names: ['f', 'c'] },
  ],
];

for (const [wire, neutral] of TOOL_CHOICES) {
  test(`tool_choice ${JSON.stringify(wire).slice(0, 60)} is read and written again`, () => {
    const conversation = decode({
      tools: [
        { type: 'function', function: { name: 'f' } },
        { type: 'custom', custom: { name: 'c', format: { type: 'text' } } },
      ],
      tool_choice: wire,
    });
    assert.deepEqual(conversation.toolChoice, neutral);
    assert.deepEqual(chat.encodeRequest(conversation, 'm').body['tool_choice'], wire);
  });
}

test('all parameters get their neutral names, and null is absence', () => {
  const conversation = decode({
    max_completion_tokens: 9,
    temperature: 0.5,
    top_p: 0.9,
    top_k: 40,
    frequency_penalty: 1,
    presence_penalty: -1,
    seed: 7,
    stop: 'END',
    n: 2,
    logprobs: true,
    top_logprobs: 3,
    logit_bias: { '50256': -100 },
    user: 'u',
    service_tier: 'flex',
    verbosity: 'low',
    prompt_cache_key: 'k',
    max_tokens: null,
    response_format: { type: 'json_object' },
    reasoning_effort: 'high',
    parallel_tool_calls: false,
  });
  assert.deepEqual(conversation.parameters, {
    maxOutputTokens: 9,
    temperature: 0.5,
    topP: 0.9,
    topK: 40,
    frequencyPenalty: 1,
    presencePenalty: -1,
    seed: 7,
    stop: ['END'],
    n: 2,
    logprobs: true,
    topLogprobs: 3,
    logitBias: { '50256': -100 },
    endUser: 'u',
    serviceTier: 'flex',
    verbosity: 'low',
    promptCacheKey: 'k',
  });
  assert.deepEqual(conversation.responseFormat, { type: 'json_object' });
  assert.deepEqual(conversation.reasoning, { effort: 'high' });
  assert.equal(conversation.parallelToolCalls, false);
  assert.equal(conversation.extra, undefined);
  assert.equal(conversation.spelling, undefined);
});

test('a parameter with several words remembers which one the caller used', () => {
  const conversation = decode({ max_tokens: 5, safety_identifier: 'u' });
  assert.deepEqual(conversation.parameters, { maxOutputTokens: 5, endUser: 'u' });
  assert.deepEqual(conversation.spelling, { maxOutputTokens: 'max_tokens', endUser: 'safety_identifier' });
});

test('what only this dialect knows is kept in its order; whether usage is streamed is not part of it', () => {
  const { extra } = decode({
    store: true,
    metadata: { a: 'b' },
    modalities: ['text', 'audio'],
    audio: { voice: 'alloy', format: 'wav' },
    prediction: { type: 'content', content: 'x' },
    web_search_options: {},
    stream_options: { include_usage: true, include_obfuscation: false },
  });
  assert.equal(extra?.dialect, 'chat');
  assert.deepEqual(Object.entries(extra?.fields ?? {}), [
    ['store', true],
    ['metadata', { a: 'b' }],
    ['modalities', ['text', 'audio']],
    ['audio', { voice: 'alloy', format: 'wav' }],
    ['prediction', { type: 'content', content: 'x' }],
    ['web_search_options', {}],
    ['stream_options', { include_obfuscation: false }],
  ]);
  assert.equal(decode({ stream_options: { include_usage: true } }).extra, undefined);
});

const REASONING: [wire: JsonObject, neutral: Conversation['reasoning']][] = [
  [{ reasoning: { effort: 'low', exclude: true } }, { effort: 'low', includeText: false }],
  [{ reasoning: { max_tokens: 2000 } }, { budgetTokens: 2000 }],
  [{ reasoning: { enabled: true } }, { effort: 'medium' }],
  [{ thinking: { type: 'enabled', budget_tokens: 4096 } }, { budgetTokens: 4096 }],
  [{ thinking: { type: 'disabled' } }, { effort: 'none' }],
];

for (const [wire, neutral] of REASONING) {
  test(`${JSON.stringify(wire)} is understood, and written back in its own words`, () => {
    const conversation = decode(wire);
    assert.deepEqual(conversation.reasoning, { ...neutral, extra: { dialect: 'chat', fields: wire } });
    const { body } = chat.encodeRequest(conversation, 'm');
    assert.deepEqual(body, { model: 'm', messages: [USER], ...wire });
  });
}

const UNSIGNED_REASONING: [field: string, value: JsonValue][] = [
  ['reasoning_content', 'Hm'],
  ['reasoning', 'Hm'],
  ['reasoning', { content: 'Hm' }],
  ['reasoning_details', [{ type: 'reasoning.text', text: 'Hm', format: null, index: 0 }]],
];

for (const [field, value] of UNSIGNED_REASONING) {
  test(`replayed ${field} ${JSON.stringify(value)} is reasoning, and keeps its name`, () => {
    const message = { role: 'assistant', content: 'Yes', [field]: value };
    assert.deepEqual(decodeMessage(message)?.parts, [
      { type: 'reasoning', text: 'Hm' },
      { type: 'text', text: 'Yes' },
    ]);
    const { body } = chat.encodeRequest(decode({ messages: [message] }), 'm');
    const written = (body['messages'] as JsonObject[])[0];
    assert.deepEqual(written?.[field], value);
    const names = ['reasoning_content', 'reasoning'].filter((name) => written && name in written);
    assert.ok(names.length <= 1);
  });
}

test('a model that the address names needs none in the body', () => {
  const conversation = chat.decodeRequest({ messages: [USER] }, { model: 'x', stream: true });
  assert.equal(conversation.model, 'x');
  assert.equal(conversation.stream, true);
});
