import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Conversation, Message, Part } from '../../../src/conversation/conversation.ts';
import { GatewayError } from '../../../src/conversation/gateway-error.ts';
import type { JsonObject } from '../../../src/conversation/json.ts';
import { chat } from '../../../src/dialects/chat/index.ts';
import { assistant, conversationOf, user } from './conversations.ts';

const HI = user('Hi');
const WIRE_HI = { role: 'user', content: 'Hi' };

function encode(
  dialect: Conversation['dialect'],
  messages: Message[],
  more: Partial<Conversation> = {},
  model = 'mistral-large',
): { body: JsonObject; dropped: string[] } {
  return chat.encodeRequest(conversationOf(dialect, messages, more), model);
}

function encodedMessages(dialect: Conversation['dialect'], messages: Message[]): unknown {
  return encode(dialect, messages).body['messages'];
}

test('a stream is asked to report its usage', () => {
  const { body } = encode('messages', [HI], { stream: true });
  assert.equal(body['stream'], true);
  assert.deepEqual(body['stream_options'], { include_usage: true });
  const extra = { dialect: 'chat' as const, fields: { stream_options: { include_obfuscation: false } } };
  const own = encode('chat', [HI], { stream: true, extra });
  assert.deepEqual(own.body['stream_options'], { include_obfuscation: false, include_usage: true });
  const whole = encode('chat', [HI], { extra });
  assert.ok(!('stream_options' in whole.body));
});

/** Results of no call are refused. */
function calling(...ids: string[]): Message {
  const parts = ids.map(
    (id): Part => ({ type: 'tool_call', id, kind: 'function', name: 'f', arguments: '{}' }),
  );
  return { role: 'assistant', parts };
}

/** What is written behind a message that called these. */
function encodedBehind(ids: string[], messages: Message[]): unknown {
  const encoded = encodedMessages('messages', [calling(...ids), ...messages]);
  return Array.isArray(encoded) ? encoded.slice(1) : encoded;
}

test('tool results become one message each, in their order', () => {
  const results: Message = {
    role: 'tool',
    parts: [
      { type: 'tool_result', callId: 'b', parts: [{ type: 'text', text: 'two' }] },
      { type: 'tool_result', callId: 'a', name: 'f', parts: [] },
      {
        type: 'tool_result',
        callId: 'c',
        parts: [
          { type: 'text', text: 'x' },
          { type: 'text', text: 'y' },
        ],
      },
    ],
  };
  assert.deepEqual(encodedBehind(['a', 'b', 'c'], [results]), [
    { role: 'tool', tool_call_id: 'b', content: 'two' },
    { role: 'tool', tool_call_id: 'a', content: '' },
    {
      role: 'tool',
      tool_call_id: 'c',
      content: [
        { type: 'text', text: 'x' },
        { type: 'text', text: 'y' },
      ],
    },
  ]);
});

test('what a tool returned besides text follows in a user message behind all results', () => {
  const image: Part = { type: 'image', source: { kind: 'data', mediaType: 'image/png', base64: 'aGk=' } };
  const first: Message = { role: 'tool', parts: [{ type: 'tool_result', callId: 'a', parts: [image] }] };
  const text: Part = { type: 'text', text: 'none' };
  const second: Message = { role: 'tool', parts: [{ type: 'tool_result', callId: 'b', parts: [text] }] };
  assert.deepEqual(encodedBehind(['a', 'b'], [first, second, HI]), [
    {
      role: 'tool',
      tool_call_id: 'a',
      content: 'What this tool returned follows in the next user message.',
    },
    { role: 'tool', tool_call_id: 'b', content: 'none' },
    {
      role: 'user',
      content: [
        { type: 'text', text: 'Returned by the tool call a:' },
        { type: 'image_url', image_url: { url: 'data:image/png;base64,aGk=' } },
      ],
    },
    WIRE_HI,
  ]);
});

test('reasoning of other providers is left out, named, and leaves no empty message', () => {
  const signature = { dialect: 'messages' as const, value: 's' };
  const thought: Part = { type: 'reasoning', text: 'Hm', signature };
  const redacted: Part = { type: 'reasoning', text: '', encrypted: signature };
  for (const dialect of ['messages', 'chat'] as const) {
    const { body, dropped } = encode(dialect, [
      HI,
      assistant(thought, redacted),
      assistant(thought, { type: 'text', text: 'Yes' }),
    ]);
    assert.deepEqual(body['messages'], [WIRE_HI, { role: 'assistant', content: 'Yes' }]);
    const said = ['messages[1].reasoning_details', 'messages[2].reasoning_details'];
    assert.deepEqual(dropped, dialect === 'chat' ? said : ['messages[].content[]']);
  }
});

test('reasoning that a chat client replays without a signature goes back to a chat provider', () => {
  const message = assistant({ type: 'reasoning', text: 'Hm' }, { type: 'text', text: 'Yes' });
  assert.deepEqual(encodedMessages('chat', [message]), [
    { role: 'assistant', content: 'Yes', reasoning_content: 'Hm' },
  ]);
  assert.deepEqual(encodedMessages('gemini', [message]), [{ role: 'assistant', content: 'Yes' }]);
});

test('a message of tool calls alone has null content, and calls without arguments an empty object', () => {
  const call: Part = { type: 'tool_call', id: 'a', name: 'f', kind: 'function', arguments: '' };
  assert.deepEqual(encodedMessages('messages', [assistant(call)]), [
    {
      role: 'assistant',
      content: null,
      tool_calls: [{ id: 'a', type: 'function', function: { name: 'f', arguments: '{}' } }],
    },
  ]);
});

test('invalid arguments of a model go back as it wrote them', () => {
  const call: Part = { type: 'tool_call', id: 'a', name: 'f', kind: 'function', arguments: '{"x":' };
  const [message] = encodedMessages('messages', [assistant(call)]) as [JsonObject];
  assert.deepEqual(message['tool_calls'], [
    { id: 'a', type: 'function', function: { name: 'f', arguments: '{"x":' } },
  ]);
});

test('fields of tools that only another dialect knows are dropped and named', () => {
  const extra = { dialect: 'messages' as const, fields: { defer_loading: true } };
  const tools = [
    { type: 'function' as const, name: 'f' },
    { type: 'function' as const, name: 'g', extra },
  ];
  const { body, dropped } = encode('messages', [HI], { tools });
  assert.deepEqual(body['tools'], [
    { type: 'function', function: { name: 'f' } },
    { type: 'function', function: { name: 'g' } },
  ]);
  assert.deepEqual(dropped, ['tools[1].defer_loading']);
});

test('what only another dialect knows is dropped and named', () => {
  const { body, dropped } = encode(
    'messages',
    [
      {
        role: 'user',
        parts: [{ type: 'text', text: 'Hi', cacheHint: {} }],
      },
      {
        role: 'assistant',
        parts: [
          { type: 'text', text: 'So' },
          { type: 'opaque', dialect: 'messages', value: { type: 'server_tool_use' } },
          ...calling('a').parts,
        ],
      },
      {
        role: 'tool',
        parts: [{ type: 'tool_result', callId: 'a', parts: [{ type: 'text', text: 'No' }], isError: true }],
      },
    ],
    {
      tools: [
        { type: 'opaque', dialect: 'messages', value: { type: 'web_search_20250305', name: 'web_search' } },
        { type: 'opaque', dialect: 'gemini', value: { googleSearch: {} } },
      ],
      toolChoice: { type: 'opaque', dialect: 'messages', value: { type: 'x' } },
      extra: { dialect: 'messages', fields: { context_management: {}, mcp_servers: [] } },
    },
  );
  assert.deepEqual(body, {
    model: 'mistral-large',
    messages: [
      WIRE_HI,
      {
        role: 'assistant',
        content: 'So',
        tool_calls: [{ id: 'a', type: 'function', function: { name: 'f', arguments: '{}' } }],
      },
      { role: 'tool', tool_call_id: 'a', content: 'No' },
    ],
  });
  assert.deepEqual(dropped.sort(), [
    'cache_control',
    'context_management',
    'is_error',
    'mcp_servers',
    'messages[].content[]',
    'tools[0]',
    'tools[1]',
  ]);
});

test('cache hints go to models of Anthropic behind a chat server, and where the caller wrote them itself', () => {
  const message: Message = { role: 'user', parts: [{ type: 'text', text: 'Hi', cacheHint: { ttl: '1h' } }] };
  const content = [{ type: 'text', text: 'Hi', cache_control: { type: 'ephemeral', ttl: '1h' } }];
  const behind = encode('messages', [message], {}, 'anthropic/claude-sonnet-4.5');
  assert.deepEqual(behind.body['messages'], [{ role: 'user', content }]);
  assert.deepEqual(encodedMessages('chat', [message]), [{ role: 'user', content }]);
});

const REFUSED: Record<string, Part> = {
  'an image by the id of a file': {
    type: 'image',
    source: { kind: 'fileId', fileId: 'f', dialect: 'messages' },
  },
  "a file in another provider's store": {
    type: 'file',
    source: { kind: 'fileId', fileId: 'f', dialect: 'gemini' },
  },
  'a file by its URL': { type: 'file', source: { kind: 'url', url: 'https://example.com/a.pdf' } },
  'audio by its URL': { type: 'audio', source: { kind: 'url', url: 'https://example.com/a.mp3' } },
};

for (const [what, part] of Object.entries(REFUSED)) {
  test(`${what} is refused, because the answer would be wrong without it`, () => {
    assert.throws(
      () => encode('messages', [{ role: 'user', parts: [part] }]),
      (error) => error instanceof GatewayError && error.kind === 'invalid_request',
    );
  });
}

test('documents are written as files, text documents as text, videos as OpenRouter has them', () => {
  const parts: Part[] = [
    { type: 'file', source: { kind: 'data', mediaType: 'application/pdf', base64: 'aGk=' } },
    { type: 'file', source: { kind: 'text', mediaType: 'text/plain', text: 'Words' }, filename: 'a.txt' },
    { type: 'file', source: { kind: 'url', url: 'https://example.com/a.mp4', mediaType: 'video/mp4' } },
    { type: 'audio', source: { kind: 'data', mediaType: 'audio/mpeg', base64: 'aGk=' } },
  ];
  assert.deepEqual(encodedMessages('gemini', [{ role: 'user', parts }]), [
    {
      role: 'user',
      content: [
        { type: 'file', file: { filename: 'file.pdf', file_data: 'data:application/pdf;base64,aGk=' } },
        { type: 'text', text: 'Words' },
        { type: 'video_url', video_url: { url: 'https://example.com/a.mp4' } },
        { type: 'input_audio', input_audio: { data: 'aGk=', format: 'mp3' } },
      ],
    },
  ]);
});

const INSTRUCTIONS: [
  model: string,
  dialect: Conversation['dialect'],
  said: 'system' | 'developer',
  written: string,
][] = [
  ['gpt-4o', 'messages', 'system', 'system'],
  ['gpt-5-mini', 'messages', 'system', 'developer'],
  ['o3', 'gemini', 'system', 'developer'],
  ['gpt-9-future', 'messages', 'system', 'developer'],
  ['gpt-5-mini', 'chat', 'system', 'system'],
  ['gpt-4o', 'chat', 'developer', 'developer'],
  ['deepseek-chat', 'chat', 'developer', 'system'],
  ['openai/gpt-oss-120b', 'chat', 'developer', 'system'],
];

for (const [model, dialect, said, written] of INSTRUCTIONS) {
  test(`${said} instructions of a ${dialect} client reach ${model} as ${written}`, () => {
    const message: Message = { role: said, parts: [{ type: 'text', text: 'Be brief.' }] };
    const { body } = encode(dialect, [message], {}, model);
    assert.deepEqual(body['messages'], [{ role: written, content: 'Be brief.' }]);
  });
}

const LIMITS: [model: string, dialect: Conversation['dialect'], said: string | undefined, written: string][] =
  [
    ['gpt-4o', 'messages', undefined, 'max_completion_tokens'],
    ['gpt-5', 'messages', undefined, 'max_completion_tokens'],
    ['o4-mini-2025-04-16', 'chat', 'max_tokens', 'max_completion_tokens'],
    ['gpt-9-future', 'chat', 'max_tokens', 'max_completion_tokens'],
    ['gpt-4o', 'chat', 'max_tokens', 'max_tokens'],
    ['deepseek-chat', 'chat', 'max_tokens', 'max_tokens'],
    ['deepseek-chat', 'chat', undefined, 'max_completion_tokens'],
    ['deepseek-chat', 'gemini', undefined, 'max_tokens'],
  ];

for (const [model, dialect, said, written] of LIMITS) {
  test(`the output limit of a ${dialect} client (${said ?? 'newest word'}) reaches ${model} as ${written}`, () => {
    const spelling = said === undefined ? {} : { spelling: { maxOutputTokens: said } };
    const { body } = encode(dialect, [HI], { parameters: { maxOutputTokens: 5 }, ...spelling }, model);
    const { model: _, messages: __, ...rest } = body;
    assert.deepEqual(rest, { [written]: 5 });
  });
}

test('what a reasoning model of OpenAI would refuse is dropped and named in the words of the caller', () => {
  const parameters = { temperature: 0, topP: 0.5, topK: 3 };
  const never = encode('messages', [HI], { parameters }, 'gpt-5');
  assert.deepEqual(never.dropped, ['temperature', 'top_p', 'top_k']);
  assert.deepEqual(never.body, { model: 'gpt-5', messages: [WIRE_HI] });
  const whileThinking = encode('gemini', [HI], { parameters, reasoning: { effort: 'low' } }, 'gpt-5.2');
  assert.deepEqual(whileThinking.dropped, [
    'generationConfig.temperature',
    'generationConfig.topP',
    'generationConfig.topK',
  ]);
  const plain = encode('gemini', [HI], { parameters }, 'gpt-5.2');
  assert.deepEqual(plain.dropped, ['generationConfig.topK']);
  assert.equal(plain.body['temperature'], 0);
  assert.deepEqual(encode('messages', [HI], { parameters }, 'llama-3').dropped, []);
});

const EFFORTS: [
  model: string,
  asked: Conversation['reasoning'],
  written: string | undefined,
  dropped?: string,
][] = [
  ['gpt-5', { budgetTokens: 1024 }, 'low'],
  ['gpt-5', { budgetTokens: 5000 }, 'medium'],
  ['gpt-5', { budgetTokens: 32_000 }, 'high'],
  ['gpt-5', { budgetTokens: -1 }, undefined],
  ['gpt-5.2', { budgetTokens: -1 }, 'medium'],
  ['gpt-4o', { budgetTokens: -1 }, undefined, 'thinking'],
  ['deepseek-chat', { budgetTokens: -1 }, undefined, 'thinking'],
  ['deepseek-chat', { budgetTokens: -1, effort: 'low' }, 'low'],
  ['gpt-5', { budgetTokens: 0 }, 'minimal', 'thinking=minimal'],
  ['o3', { effort: 'none' }, 'low', 'thinking=low'],
  ['openai/gpt-oss-20b', { effort: 'none' }, 'low', 'thinking=low'],
  ['gpt-4o', { effort: 'none' }, undefined],
  ['gpt-5.2', { budgetTokens: 0 }, 'none'],
  ['deepseek-chat', { effort: 'high' }, 'high'],
  ['deepseek-chat', { effort: 'max' }, 'max'],
  ['gpt-5', { effort: 'max' }, 'high', 'output_config.effort=high'],
  ['o3', { effort: 'xhigh' }, 'high', 'output_config.effort=high'],
  ['o3', { effort: 'minimal' }, 'low', 'output_config.effort=low'],
  ['gpt-5', { effort: 'minimal' }, 'minimal'],
  ['gpt-5.1', { effort: 'minimal' }, 'low', 'output_config.effort=low'],
  ['gpt-5.2', { effort: 'max' }, 'xhigh', 'output_config.effort=xhigh'],
  ['gpt-5.6-sol', { effort: 'max' }, 'max'],
  ['gpt-5-pro', { effort: 'low' }, 'high', 'output_config.effort=high'],
  ['gpt-5-pro', { effort: 'none' }, 'high', 'thinking=high'],
  ['gpt-5.2-pro', { effort: 'low' }, 'medium', 'output_config.effort=medium'],
  ['gpt-5.1-codex', { effort: 'none' }, 'low', 'thinking=low'],
  ['gpt-5.1-codex-max', { effort: 'max' }, 'xhigh', 'output_config.effort=xhigh'],
  ['openai/gpt-oss-20b', { effort: 'max' }, 'high', 'output_config.effort=high'],
  ['gpt-oss-120b', { effort: 'minimal' }, 'low', 'output_config.effort=low'],
  ['ft:o4-mini-2025-04-16:org::abc', { effort: 'max' }, 'high', 'output_config.effort=high'],
  ['openai/ft:gpt-5.1:org:mine:abc', { effort: 'none' }, 'none'],
  ['deepseek-chat', { budgetTokens: 0 }, 'none'],
];

for (const [model, reasoning, written, named] of EFFORTS) {
  test(`reasoning ${JSON.stringify(reasoning)} reaches ${model} as effort ${written}`, () => {
    const { body, dropped } = encode('messages', [HI], reasoning ? { reasoning } : {}, model);
    assert.equal(body['reasoning_effort'], written);
    // OpenAI shows none of its thoughts in this dialect.
    const isUnseen =
      /^gpt-5/.test(model) && reasoning?.budgetTokens !== undefined && reasoning.budgetTokens !== 0;
    const words = [...(named === undefined ? [] : [named]), ...(isUnseen ? ['thinking.display'] : [])];
    assert.deepEqual(dropped, words);
  });
}

test('a model that is known not to reason is not asked to', () => {
  const { body, dropped } = encode('messages', [HI], { reasoning: { budgetTokens: 2000 } }, 'gpt-4o');
  assert.ok(!('reasoning_effort' in body));
  assert.deepEqual(dropped, ['thinking']);
});

test('tools keep their order, names, schemas and unknown fields', () => {
  const tools = [
    {
      type: 'function',
      function: { name: 'z', description: 'd', parameters: { type: 'object', required: [] }, strict: true },
    },
    { type: 'function', function: { name: 'a.b/c', future: 1 }, eager_input_streaming: true },
    { type: 'custom', custom: { name: 'c', description: 'd', format: { type: 'text' } } },
    { type: 'openrouter:web_search', parameters: { max_results: 3 } },
  ];
  const request = { model: 'm', messages: [WIRE_HI], tools };
  assert.deepEqual(chat.encodeRequest(chat.decodeRequest(request, {}), 'm').body, request);
});

test('without tools, a tool choice of another dialect is left out: OpenAI refuses it', () => {
  const more: Partial<Conversation> = { toolChoice: { type: 'auto' }, parallelToolCalls: false };
  assert.deepEqual(encode('gemini', [HI], more).body, { model: 'mistral-large', messages: [WIRE_HI] });
});
