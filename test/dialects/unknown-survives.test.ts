import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isObject, type JsonObject, type JsonValue } from '../../src/conversation/json.ts';
import { chat } from '../../src/dialects/chat/index.ts';
import { converse } from '../../src/dialects/converse/index.ts';
import { gemini } from '../../src/dialects/gemini/index.ts';
import { messages } from '../../src/dialects/messages/index.ts';
import { responses } from '../../src/dialects/responses/index.ts';

/*
 * A request that must be encoded again in its own dialect (one signature of another provider in its history is enough)
 * says all that it said: every object of these has a field that nobody knows, and every list one thing.
 */

const HI = { role: 'user', content: 'Hi' };
const FUTURE = { at: 0.5, of: [null, { is: true }] };
const SCHEMA = { type: 'object', properties: { at: { type: 'string' } } };

/** With a field that nobody knows in every object. */
function withFuture(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(withFuture);
  if (!isObject(value)) return value;
  const fields = Object.entries(value).map(([key, inner]) => [key, withFuture(inner as JsonValue)]);
  // An entry of Gemini's tools is a set, of which each is one.
  const isSet = 'functionDeclarations' in value;
  return { ...Object.fromEntries(fields), ...(isSet ? {} : { future: FUTURE }) };
}

const BODIES = {
  messages: {
    model: 'claude-opus-4-8',
    max_tokens: 3000,
    stream: false,
    thinking: { type: 'adaptive', display: 'omitted' },
    output_config: { effort: 'high', format: { type: 'json_schema', schema: SCHEMA } },
    metadata: { user_id: 'u' },
    service_tier: 'auto',
    system: [
      { type: 'text', text: 'Be brief.', cache_control: { type: 'ephemeral', ttl: '1h', scope: 'global' } },
    ],
    tools: [
      { name: 'look', input_schema: SCHEMA, cache_control: { type: 'ephemeral' } },
      { type: 'future_2027', name: 'f' },
    ],
    tool_choice: { type: 'auto', disable_parallel_tool_use: false },
    messages: [
      {
        role: 'user',
        content: [
          { type: 'text', text: 'What is this?', cache_control: { type: 'ephemeral', ttl: '7d' } },
          { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'AA==' } },
          { type: 'document', source: { type: 'url', url: 'https://a.example/b.pdf' }, title: 'B' },
          { type: 'future_block' },
        ],
      },
      {
        role: 'assistant',
        content: [
          { type: 'thinking', thinking: 'Hm', signature: 'c2ln' },
          { type: 'redacted_thinking', data: 'ZGF0YQ==' },
          { type: 'tool_use', id: 'toolu_1', name: 'look', input: { at: 'it' } },
        ],
      },
      {
        role: 'user',
        content: [
          {
            type: 'tool_result',
            tool_use_id: 'toolu_1',
            content: [{ type: 'text', text: 'A dot.' }, { type: 'future_block' }],
            is_error: false,
          },
        ],
      },
    ],
  },
  chat: {
    model: 'gpt-5',
    max_completion_tokens: 300,
    response_format: { type: 'json_schema', json_schema: { name: 'a', schema: SCHEMA } },
    tools: [
      { type: 'function', function: { name: 'look', parameters: SCHEMA } },
      { type: 'custom', custom: { name: 'write' } },
      { type: 'future_tool' },
    ],
    tool_choice: { type: 'function', function: { name: 'look' } },
    messages: [
      { role: 'developer', content: [{ type: 'text', text: 'Be brief.' }, { type: 'future_part' }] },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'What?', cache_control: { type: 'ephemeral', scope: 'global' } },
          { type: 'image_url', image_url: { url: 'https://a.example/b.png', detail: 'low' } },
          { type: 'input_audio', input_audio: { data: 'AA==', format: 'wav' } },
          { type: 'file', file: { file_data: 'data:application/pdf;base64,AA==', filename: 'b.pdf' } },
          { type: 'future_part' },
        ],
      },
      {
        role: 'assistant',
        content: [{ type: 'text', text: 'Let me see.' }, { type: 'future_part' }],
        tool_calls: [{ id: 'call_1', type: 'function', function: { name: 'look', arguments: '{}' } }],
      },
      {
        role: 'tool',
        tool_call_id: 'call_1',
        content: [{ type: 'text', text: 'A dot.' }, { type: 'future_part' }],
      },
    ],
  },
  responses: {
    model: 'gpt-5',
    store: false,
    max_output_tokens: 300,
    reasoning: { effort: 'low', summary: 'auto' },
    text: { verbosity: 'low', format: { type: 'json_schema', name: 'a', schema: SCHEMA } },
    tools: [
      { type: 'function', name: 'look', parameters: SCHEMA },
      { type: 'custom', name: 'write' },
      { type: 'future_tool' },
    ],
    tool_choice: { type: 'function', name: 'look' },
    input: [
      {
        role: 'user',
        content: [
          { type: 'input_text', text: 'What?' },
          { type: 'input_image', image_url: 'https://a.example/b.png', detail: 'low' },
          { type: 'input_file', file_data: 'data:application/pdf;base64,AA==', filename: 'b.pdf' },
          { type: 'future_part' },
        ],
      },
      { type: 'reasoning', summary: [{ type: 'summary_text', text: 'Hm' }], encrypted_content: 'ZQ==' },
      {
        type: 'message',
        role: 'assistant',
        content: [{ type: 'output_text', text: 'Let me see.', annotations: [] }, { type: 'future_part' }],
      },
      { type: 'function_call', call_id: 'call_1', name: 'look', arguments: '{}' },
      {
        type: 'function_call_output',
        call_id: 'call_1',
        output: [{ type: 'input_text', text: 'A dot.' }, { type: 'future_part' }],
      },
      { type: 'future_item' },
    ],
  },
  gemini: {
    systemInstruction: { parts: [{ text: 'Be brief.' }, { futurePart: {} }] },
    contents: [
      {
        role: 'user',
        parts: [
          { text: 'What?' },
          { inlineData: { mimeType: 'image/png', data: 'AA==' } },
          { fileData: { fileUri: 'https://a.example/b' }, videoMetadata: { fps: 5 } },
          { futurePart: {} },
        ],
      },
      {
        role: 'model',
        parts: [
          { text: 'Hm', thought: true },
          { functionCall: { name: 'look', args: { at: 'it' } }, thoughtSignature: 'c2ln' },
        ],
      },
      {
        role: 'user',
        parts: [{ functionResponse: { name: 'look', response: { output: 'A dot.' } } }],
      },
    ],
    tools: [{ functionDeclarations: [{ name: 'look', parametersJsonSchema: SCHEMA }] }, { futureTool: {} }],
    toolConfig: { functionCallingConfig: { mode: 'AUTO' } },
    generationConfig: { maxOutputTokens: 300, thinkingConfig: { thinkingBudget: 100 } },
    safetySettings: [{ category: 'HARM_CATEGORY_HARASSMENT', threshold: 'BLOCK_NONE' }],
  },
} satisfies Record<string, JsonObject>;

for (const [dialect, model] of [
  [messages, 'claude-opus-4-8'],
  [chat, 'gpt-5'],
  [responses, 'gpt-5'],
  [gemini, 'gemini-2.5-flash'],
] as const) {
  test(`what nobody knows survives that a request of \`${dialect.name}\` is encoded again`, () => {
    const body = withFuture(BODIES[dialect.name]) as JsonObject;
    const conversation = dialect.decodeRequest(structuredClone(body), { model, stream: false });
    assert.deepEqual(dialect.encodeRequest(conversation, model), { body, dropped: [] });
  });
}

for (const [dialect, at, body] of [
  [chat, 'messages[0]', { messages: [{ role: 'user', content: [{ type: 'constructor' }] }] }],
  [chat, 'messages[0]', { messages: [{ role: 'system', content: [{ type: 'image_url' }] }] }],
  [chat, 'messages[1]', { messages: [HI, { role: 'assistant', content: [{ type: 'output_text' }] }] }],
  [responses, 'input[0]', { input: [{ role: 'user', content: [{ type: 'constructor' }] }] }],
  [responses, 'input[1]', { input: [HI, { role: 'assistant', content: [{ type: 'text' }] }] }],
] as const) {
  test(`a part of a type that nobody knows is refused by its path elsewhere: ${JSON.stringify(body)}`, () => {
    const conversation = dialect.decodeRequest({ model: 'm', ...body } as unknown as JsonObject, {});
    for (const other of [messages, chat, responses, gemini, converse]) {
      if (other.name === dialect.name) continue;
      assert.throws(() => other.encodeRequest(conversation, 'any'), {
        kind: 'invalid_request',
        code: 'invalid_value',
        param: `${at}.content[0].type`,
      });
    }
  });
}
