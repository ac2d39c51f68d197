import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FinishReason } from '../../../src/conversation/completion.ts';
import type { Part } from '../../../src/conversation/conversation.ts';
import { GatewayError } from '../../../src/conversation/gateway-error.ts';
import type { JsonObject } from '../../../src/conversation/json.ts';
import { NO_USAGE, type Usage } from '../../../src/conversation/usage.ts';
import { chat } from '../../../src/dialects/chat/index.ts';
import { messages } from '../../../src/dialects/messages/index.ts';

function answer(fields: JsonObject = {}): JsonObject {
  return {
    id: 'msg_1',
    type: 'message',
    role: 'assistant',
    model: 'claude-sonnet-4-5-20250929',
    content: [{ type: 'text', text: 'Hi' }],
    stop_reason: 'end_turn',
    stop_sequence: null,
    usage: { input_tokens: 3, output_tokens: 5 },
    ...fields,
  };
}

function decodedParts(...content: JsonObject[]): Part[] | undefined {
  return messages.decodeResponse(answer({ content })).choices[0]?.parts;
}

const CITATION = {
  type: 'web_search_result_location',
  url: 'https://x.test',
  title: 'X',
  cited_text: 'said',
  encrypted_index: 'E',
};
const PAGE = { type: 'page_location', cited_text: 'p', document_index: 0, start_page_number: 1 };

const BLOCKS: [name: string, block: JsonObject, part: Part][] = [
  ['text', { type: 'text', text: 'Hi' }, { type: 'text', text: 'Hi' }],
  [
    'text with citations',
    { type: 'text', text: 'Hi', citations: [CITATION, PAGE] },
    {
      type: 'text',
      text: 'Hi',
      citations: [{ url: 'https://x.test', title: 'X', quote: 'said', start: 0, end: 2 }],
      extra: { dialect: 'messages', fields: { citations: [CITATION, PAGE] } },
    },
  ],
  [
    'thinking',
    { type: 'thinking', thinking: 'hm', signature: 'S' },
    { type: 'reasoning', text: 'hm', signature: { dialect: 'messages', value: 'S' } },
  ],
  [
    'redacted thinking',
    { type: 'redacted_thinking', data: 'D' },
    { type: 'reasoning', text: '', encrypted: { dialect: 'messages', value: 'D' } },
  ],
  [
    'a tool call',
    { type: 'tool_use', id: 't', name: 'look', input: { a: 1 }, caller: { type: 'direct' } },
    {
      type: 'tool_call',
      id: 't',
      name: 'look',
      kind: 'function',
      arguments: '{"a":1}',
      extra: { dialect: 'messages', fields: { caller: { type: 'direct' } } },
    },
  ],
  [
    'the call of a tool of free text',
    { type: 'tool_use', id: 't', name: 'fairlead_custom_patch', input: { input: '*** a' } },
    { type: 'tool_call', id: 't', name: 'patch', kind: 'custom', arguments: '*** a' },
  ],
  [
    'a server’s tool',
    { type: 'server_tool_use', id: 's', name: 'web_search', input: { query: 'x' } },
    {
      type: 'opaque',
      dialect: 'messages',
      value: { type: 'server_tool_use', id: 's', name: 'web_search', input: { query: 'x' } },
    },
  ],
  [
    'a result, which is given to a model and not by one',
    { type: 'tool_result', tool_use_id: 't', content: 'Sunny' },
    {
      type: 'opaque',
      dialect: 'messages',
      value: { type: 'tool_result', tool_use_id: 't', content: 'Sunny' },
    },
  ],
  [
    'a block of a type to come',
    { type: 'hologram', beam: 1 },
    { type: 'opaque', dialect: 'messages', value: { type: 'hologram', beam: 1 } },
  ],
  [
    'a block with the name of an object’s own property',
    { type: 'constructor' },
    { type: 'opaque', dialect: 'messages', value: { type: 'constructor' } },
  ],
];
for (const [name, block, part] of BLOCKS) {
  test(`${name} is decoded`, () => assert.deepEqual(decodedParts(block), [part]));
}

test('a call without input has no arguments', () => {
  const [part] = decodedParts({ type: 'tool_use', id: 't', name: 'look', input: null }) ?? [];
  assert.equal(part?.type === 'tool_call' && part.arguments, '{}');
});

const TOOL = { type: 'tool_use', id: 't', name: 'look', input: {} };
const BY_CODE = { ...TOOL, caller: { type: 'code_execution_20260120', tool_id: 's' } };
const FINISHES: [stop: string | null, content: JsonObject[], finish: FinishReason][] = [
  ['end_turn', [], 'stop'],
  ['max_tokens', [], 'length'],
  ['stop_sequence', [], 'stop_sequence'],
  ['tool_use', [TOOL], 'tool_calls'],
  ['end_turn', [TOOL], 'tool_calls'],
  [null, [TOOL], 'tool_calls'],
  ['end_turn', [{ type: 'text', text: 'a' }, TOOL], 'tool_calls'],
  ['max_tokens', [TOOL], 'length'],
  ['tool_use', [BY_CODE], 'tool_calls'],
  ['end_turn', [BY_CODE], 'stop'],
  ['pause_turn', [], 'pause'],
  ['refusal', [], 'refusal'],
  ['model_context_window_exceeded', [], 'context_length'],
  ['something_new', [], 'other'],
];
for (const [stop, content, finish] of FINISHES) {
  const blocks = content.map(({ type, caller }) => (caller ? `${type} by code` : type)).join(' and ');
  test(`stop reason ${stop} after ${blocks || 'nothing'} is '${finish}'`, () => {
    const [choice] = messages.decodeResponse(answer({ stop_reason: stop, content })).choices;
    assert.equal(choice?.finish, finish);
  });
}

test('why a model refused is its refusal for other dialects, and stays where it was for this one', () => {
  const stop_details = { type: 'refusal', category: 'cyber', explanation: 'Not this.' };
  const wire = answer({ stop_reason: 'refusal', stop_details, content: [{ type: 'text', text: 'a' }] });
  const completion = messages.decodeResponse(wire);
  const [choice] = chat.encodeResponse(completion)['choices'] as JsonObject[];
  assert.deepEqual(choice?.['message'], { role: 'assistant', content: 'a', refusal: 'Not this.' });
  const again = messages.encodeResponse(completion);
  assert.deepEqual([again['content'], again['stop_details']], [[{ type: 'text', text: 'a' }], stop_details]);
  const silent = { ...stop_details, explanation: null };
  const [unexplained] = messages.decodeResponse(
    answer({ stop_reason: 'refusal', stop_details: silent }),
  ).choices;
  assert.equal(
    unexplained?.parts.some(({ type }) => type === 'refusal'),
    false,
  );
});

test('the stop sequence that was met is told', () => {
  const [choice] = messages.decodeResponse(
    answer({ stop_reason: 'stop_sequence', stop_sequence: 'END' }),
  ).choices;
  assert.equal(choice?.stopSequence, 'END');
});

const USAGES: [name: string, wire: JsonObject, usage: Partial<Usage>][] = [
  ['plain', { input_tokens: 3, output_tokens: 5 }, { input: 3, output: 5 }],
  [
    'input excludes what the cache did',
    {
      input_tokens: 3,
      cache_read_input_tokens: 10,
      cache_creation_input_tokens: 7,
      cache_creation: { ephemeral_5m_input_tokens: 5, ephemeral_1h_input_tokens: 2 },
      output_tokens: 5,
    },
    { input: 3, cacheRead: 10, cacheWrite: 5, cacheWrite1h: 2, output: 5 },
  ],
  [
    'output includes thinking',
    { input_tokens: 3, output_tokens: 50, output_tokens_details: { thinking_tokens: 40 } },
    { input: 3, output: 10, reasoning: 40 },
  ],
  [
    'a compaction is billed on top, an advisor at its own price',
    {
      input_tokens: 3,
      output_tokens: 5,
      iterations: [
        { type: 'compaction', input_tokens: 100, output_tokens: 20 },
        { type: 'message', input_tokens: 3, output_tokens: 5 },
        { type: 'advisor_message', input_tokens: 900, output_tokens: 90 },
      ],
    },
    { input: 103, output: 25 },
  ],
  [
    'nulls',
    { input_tokens: 3, output_tokens: 5, cache_creation: null, cache_read_input_tokens: null },
    { input: 3, output: 5 },
  ],
];
for (const [name, wire, usage] of USAGES) {
  test(`usage: ${name}`, () => {
    const completion = messages.decodeResponse(answer({ usage: wire }));
    assert.deepEqual(completion.usage, { ...NO_USAGE, ...usage });
    const written = messages.encodeResponse(completion)['usage'] as JsonObject;
    for (const key of ['input_tokens', 'output_tokens']) assert.equal(written[key], wire[key]);
  });
}

const BROKEN: [name: string, body: JsonObject | string | null][] = [
  ['a text', 'hello'],
  ['null', null],
  ['another API’s answer', { choices: [] }],
  ['a block without its text', answer({ content: [{ type: 'text' }] })],
  ['a block that is none', answer({ content: ['x'] })],
];
for (const [name, body] of BROKEN) {
  test(`${name} in the place of an answer is the provider’s failure`, () => {
    assert.throws(
      () => messages.decodeResponse(body),
      (error) => error instanceof GatewayError && error.kind === 'upstream_unavailable',
    );
  });
}

test('an error in the place of an answer keeps its meaning', () => {
  assert.throws(
    () =>
      messages.decodeResponse({ type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } }),
    (error) =>
      error instanceof GatewayError &&
      error.kind === 'upstream_unavailable' &&
      error.message === 'Overloaded',
  );
});

const SIGNED: [name: string, part: Part][] = [
  [
    'a signature of Gemini’s',
    { type: 'reasoning', text: 'hm', signature: { dialect: 'gemini', value: 'G:1' } },
  ],
  [
    'OpenAI’s encrypted reasoning',
    { type: 'reasoning', text: '', encrypted: { dialect: 'responses', value: 'E' } },
  ],
  [
    'both its text and it',
    { type: 'reasoning', text: 'hm', encrypted: { dialect: 'responses', value: 'E' } },
  ],
];
for (const [name, part] of SIGNED) {
  test(`${name} survives the way to a client of this dialect and back`, () => {
    const completion = {
      id: 'x',
      model: 'm',
      choices: [{ index: 0, parts: [part], finish: 'stop' as const }],
    };
    const { content } = messages.encodeResponse(completion);
    const request = messages.decodeRequest(
      { model: 'm', max_tokens: 1, messages: [{ role: 'assistant', content: content ?? null }] },
      {},
    );
    assert.deepEqual(request.messages[0]?.parts, [part]);
  });
}

test('invalid arguments reach a client of this dialect wrapped, and parts without a block not at all', () => {
  const encoded = messages.encodeResponse({
    id: 'x',
    model: 'm',
    choices: [
      {
        index: 0,
        finish: 'tool_calls',
        parts: [
          { type: 'tool_call', id: 't', name: 'look', kind: 'function', arguments: '{"a":' },
          { type: 'image', source: { kind: 'url', url: 'https://x.test' } },
          { type: 'refusal', text: 'No.' },
        ],
      },
    ],
  });
  assert.deepEqual(encoded['content'], [
    { type: 'tool_use', id: 't', name: 'look', input: { INVALID_JSON: '{"a":' } },
    { type: 'text', text: 'No.' },
  ]);
});
