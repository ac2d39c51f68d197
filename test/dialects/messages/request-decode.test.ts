import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Conversation } from '../../../src/conversation/conversation.ts';
import { GatewayError } from '../../../src/conversation/gateway-error.ts';
import type { JsonObject } from '../../../src/conversation/json.ts';
import { chat } from '../../../src/dialects/chat/index.ts';
import { messages } from '../../../src/dialects/messages/index.ts';

function decode(fields: JsonObject): Conversation {
  const body = {
    model: 'claude-opus-4-7',
    max_tokens: 100,
    messages: [{ role: 'user', content: 'Hi' }],
    ...fields,
  };
  return messages.decodeRequest(body, {});
}

test('the least request', () => {
  assert.deepEqual(decode({}), {
    dialect: 'messages',
    model: 'claude-opus-4-7',
    stream: false,
    messages: [{ role: 'user', parts: [{ type: 'text', text: 'Hi' }] }],
    tools: [],
    parameters: { maxOutputTokens: 100 },
  });
});

test('tool results leave the user’s message for one of their own', () => {
  const { messages: decoded } = decode({
    messages: [
      {
        role: 'user',
        content: [
          { type: 'tool_result', tool_use_id: 'a', content: 'seen' },
          { type: 'tool_result', tool_use_id: 'b', is_error: true },
          { type: 'text', text: 'and?' },
        ],
      },
    ],
  });
  assert.deepEqual(decoded, [
    {
      role: 'tool',
      parts: [
        { type: 'tool_result', callId: 'a', parts: [{ type: 'text', text: 'seen' }] },
        { type: 'tool_result', callId: 'b', parts: [], isError: true },
      ],
    },
    { role: 'user', parts: [{ type: 'text', text: 'and?' }] },
  ]);
});

const READ: [name: string, fields: JsonObject, read: Partial<Conversation>][] = [
  ['stream', { stream: true }, { stream: true }],
  [
    'a forced tool',
    { tool_choice: { type: 'tool', name: 'a' } },
    { toolChoice: { type: 'tool', name: 'a' } },
  ],
  [
    'any tool, one at a time',
    { tool_choice: { type: 'any', disable_parallel_tool_use: true } },
    { toolChoice: { type: 'required' }, parallelToolCalls: false },
  ],
  ['a budget', { thinking: { type: 'enabled', budget_tokens: 2000 } }, { reasoning: { budgetTokens: 2000 } }],
  [
    'adaptive thinking, shown',
    { thinking: { type: 'adaptive', display: 'summarized' }, output_config: { effort: 'low' } },
    { reasoning: { effort: 'low', budgetTokens: -1, includeText: true } },
  ],
  ['no thinking', { thinking: { type: 'disabled' } }, { reasoning: { effort: 'none' } }],
  ['effort alone', { output_config: { effort: 'low' } }, { reasoning: { effort: 'low' } }],
  [
    'a format',
    { output_config: { format: { type: 'json_schema', schema: { type: 'object' } } } },
    { responseFormat: { type: 'json_schema', name: 'response', schema: { type: 'object' } } },
  ],
  [
    'a format by the word that it had at first',
    { output_format: { type: 'json_schema', schema: { type: 'object' } } },
    { responseFormat: { type: 'json_schema', name: 'response', schema: { type: 'object' } } },
  ],
  [
    'what only this dialect knows',
    { container: 'c', metadata: { user_id: 'u', team: 'x' } },
    {
      parameters: { maxOutputTokens: 100, endUser: 'u' },
      extra: { dialect: 'messages', fields: { container: 'c', metadata: { team: 'x' } } },
    },
  ],
];
for (const [name, fields, read] of READ) {
  test(`${name} is read`, () => {
    const decoded = decode(fields);
    for (const [key, value] of Object.entries(read))
      assert.deepEqual(decoded[key as keyof Conversation], value);
  });
}

const WRONG: [fields: JsonObject, param: string][] = [
  [{ model: 7 }, 'model'],
  [{ max_tokens: null }, 'max_tokens'],
  [{ max_tokens: '10' }, 'max_tokens'],
  [{ messages: [] }, 'messages'],
  [{ messages: 'Hi' }, 'messages'],
  [{ messages: ['Hi'] }, 'messages[0]'],
  [{ messages: [{ role: 'tool', content: 'Hi' }] }, 'messages[0].role'],
  [{ messages: [{ role: 'user' }] }, 'messages[0].content'],
  [{ messages: [{ role: 'user', content: [{ type: 'text' }] }] }, 'messages[0].content[0].text'],
  [{ messages: [{ role: 'user', content: [{ text: 'Hi' }] }] }, 'messages[0].content[0].type'],
  [{ messages: [{ role: 'user', content: [{ type: 'image' }] }] }, 'messages[0].content[0].source'],
  [
    { messages: [{ role: 'assistant', content: [{ type: 'tool_result', tool_use_id: 'a' }] }] },
    'messages[0].content[0]',
  ],
  [{ tools: [{ name: 'a' }] }, 'tools[0].input_schema'],
  [{ tool_choice: 'auto' }, 'tool_choice'],
  [{ tool_choice: { type: 'tool' } }, 'tool_choice.name'],
  [{ temperature: 'hot' }, 'temperature'],
  [{ stop_sequences: [1] }, 'stop_sequences[0]'],
  [{ thinking: { type: 'enabled' } }, 'thinking.budget_tokens'],
  [{ thinking: { type: 'deep' } }, 'thinking.type'],
  [{ output_config: { format: { type: 'xml' } } }, 'output_config.format.type'],
  [{ output_format: { type: 'xml' } }, 'output_format.type'],
  [{ output_format: 'json' }, 'output_format'],
  [
    {
      output_format: { type: 'json_schema', schema: {} },
      output_config: { format: { type: 'json_schema', schema: {} } },
    },
    'output_format',
  ],
];
for (const [fields, param] of WRONG) {
  test(`${JSON.stringify(fields)} is refused at '${param}'`, () => {
    assert.throws(
      () => decode(fields),
      (error) => error instanceof GatewayError && error.kind === 'invalid_request' && error.param === param,
    );
  });
}

test('a format is told to others, and named, whichever word it had', () => {
  const format = { type: 'json_schema', schema: { type: 'object', properties: {} }, x: 1 };
  for (const [fields, name] of [
    [{ output_format: format }, 'output_format'],
    [{ output_config: { format } }, 'output_config.format'],
  ] as const) {
    const { body, dropped } = chat.encodeRequest(decode(fields), 'gpt-4.1');
    assert.deepEqual(body['response_format'], {
      type: 'json_schema',
      json_schema: { name: 'response', schema: format.schema },
    });
    assert.deepEqual(dropped, [`${name}.x`]);
    assert.deepEqual(messages.encodeRequest(decode(fields), 'claude-sonnet-4-5').body['output_config'], {
      format,
    });
  }
  assert.deepEqual(chat.encodeRequest(decode({ output_format: null }), 'gpt-4.1').dropped, []);
});
