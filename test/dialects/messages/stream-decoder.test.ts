import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CompletionEvent } from '../../../src/conversation/completion.ts';
import type { ErrorKind } from '../../../src/conversation/gateway-error.ts';
import type { JsonObject } from '../../../src/conversation/json.ts';
import { messages } from '../../../src/dialects/messages/index.ts';
import { decodeEvents, decodeStream } from './streams.ts';

function start(fields: JsonObject = {}): JsonObject {
  const message = {
    id: 'msg_1',
    type: 'message',
    role: 'assistant',
    model: 'claude-sonnet-4-5',
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage: { input_tokens: 10, cache_read_input_tokens: 4, output_tokens: 1 },
    ...fields,
  };
  return { type: 'message_start', message };
}

function open(index: number, content_block: JsonObject): JsonObject {
  return { type: 'content_block_start', index, content_block };
}

function delta(index: number, fields: JsonObject): JsonObject {
  return { type: 'content_block_delta', index, delta: fields };
}

function piece(index: number, partial_json: string): JsonObject {
  return delta(index, { type: 'input_json_delta', partial_json });
}

function stop(index: number): JsonObject {
  return { type: 'content_block_stop', index };
}

function words(index: number, text: string): JsonObject[] {
  return [open(index, { type: 'text', text: '' }), delta(index, { type: 'text_delta', text }), stop(index)];
}

function end(reason: string, usage: JsonObject = { output_tokens: 7 }): JsonObject[] {
  return [
    { type: 'message_delta', delta: { stop_reason: reason, stop_sequence: null }, usage },
    { type: 'message_stop' },
  ];
}

const TOOL = { type: 'tool_use', id: 't', name: 'look', input: {} };

function onlyPart(...blocks: JsonObject[]): unknown {
  const { completion, error } = decodeStream([start(), ...blocks, ...end('end_turn')]);
  assert.equal(error, undefined);
  return completion.choices[0]?.parts[0];
}

test('text comes in order, and the events are well-formed', () => {
  const events = decodeEvents([start(), ...words(0, 'Hi'), ...end('end_turn')]);
  assert.deepEqual(
    events.map(({ type }) => type),
    ['start', 'usage', 'part_start', 'part_delta', 'part_end', 'usage', 'finish', 'end'],
  );
});

test('thinking takes its signature from the delta before its stop', () => {
  const part = onlyPart(
    open(0, { type: 'thinking', thinking: '', signature: '' }),
    delta(0, { type: 'thinking_delta', thinking: 'h' }),
    delta(0, { type: 'thinking_delta', thinking: 'm' }),
    delta(0, { type: 'signature_delta', signature: 'SIG' }),
    stop(0),
  );
  assert.deepEqual(part, { type: 'reasoning', text: 'hm', signature: { dialect: 'messages', value: 'SIG' } });
});

const INPUTS: [name: string, block: JsonObject, pieces: string[], args: string][] = [
  ['in pieces, the first empty', TOOL, ['', '{"a"', ':1}'], '{"a":1}'],
  ['without arguments', TOOL, [''], '{}'],
  ['without any delta', TOOL, [], '{}'],
  ['whole at the start', { ...TOOL, input: { a: 1 } }, [], '{"a":1}'],
  ['of invalid JSON', TOOL, ['{"a":'], '{"a":'],
];
for (const [name, block, pieces, args] of INPUTS) {
  test(`tool input ${name}`, () => {
    const part = onlyPart(open(0, block), ...pieces.map((text) => piece(0, text)), stop(0));
    assert.deepEqual(part, { type: 'tool_call', id: 't', name: 'look', kind: 'function', arguments: args });
  });
}

test('the free text of a custom tool is read out of its JSON', () => {
  const block = { ...TOOL, name: 'fairlead_custom_patch' };
  const part = onlyPart(open(0, block), piece(0, '{"input":"a\\'), piece(0, 'nb"}'), stop(0));
  assert.deepEqual(part, { type: 'tool_call', id: 't', name: 'patch', kind: 'custom', arguments: 'a\nb' });
});

test('citations are known at the end of their text', () => {
  const citation = {
    type: 'web_search_result_location',
    url: 'https://x.test',
    cited_text: 'q',
    encrypted_index: 'E',
  };
  const part = onlyPart(
    open(0, { type: 'text', text: '', citations: [] }),
    delta(0, { type: 'citations_delta', citation }),
    delta(0, { type: 'text_delta', text: 'Hi' }),
    stop(0),
  );
  assert.deepEqual(part, {
    type: 'text',
    text: 'Hi',
    citations: [{ url: 'https://x.test', quote: 'q', start: 0, end: 2 }],
    extra: { dialect: 'messages', fields: { citations: [citation] } },
  });
});

test('a server’s tool is put together and keeps its place', () => {
  const { completion } = decodeStream([
    start(),
    ...words(0, 'a'),
    open(1, { type: 'server_tool_use', id: 's', name: 'web_search', input: {} }),
    piece(1, '{"query":'),
    piece(1, '"x"}'),
    stop(1),
    ...words(2, 'b'),
    ...end('end_turn'),
  ]);
  assert.deepEqual(completion.choices[0]?.parts, [
    { type: 'text', text: 'a' },
    {
      type: 'opaque',
      dialect: 'messages',
      value: { type: 'server_tool_use', id: 's', name: 'web_search', input: { query: 'x' } },
    },
    { type: 'text', text: 'b' },
  ]);
});

test('deltas of unknown types are folded into their unknown block', () => {
  const part = onlyPart(
    open(0, { type: 'compaction', content: null }),
    delta(0, { type: 'compaction_delta', content: 'so ' }),
    delta(0, { type: 'compaction_delta', content: 'far' }),
    stop(0),
  );
  assert.deepEqual(part, {
    type: 'opaque',
    dialect: 'messages',
    value: { type: 'compaction', content: 'so far' },
  });
});

test('a `__proto__` in a delta stays data', () => {
  const decoder = messages.streamDecoder();
  for (const event of [start(), open(0, { type: 'odd' })]) decoder.push({ data: JSON.stringify(event) });
  decoder.push({
    data: '{"type":"content_block_delta","index":0,"delta":{"type":"odd_delta","__proto__":{"polluted":1}}}',
  });
  const [begun] = decoder.push({ data: JSON.stringify(stop(0)) });
  assert.match(JSON.stringify(begun), /"__proto__":\{"polluted":1\}/);
  assert.equal(({} as Record<string, unknown>)['polluted'], undefined);
});

test('parallel calls on any indices are numbered from 0', () => {
  const other = { ...TOOL, id: 'u' };
  const { completion } = decodeStream([
    start(),
    open(3, TOOL),
    open(7, other),
    piece(7, '{"b":2}'),
    piece(3, '{"a":1}'),
    stop(7),
    stop(3),
    ...end('tool_use'),
  ]);
  assert.deepEqual(
    completion.choices[0]?.parts.map((part) => part.type === 'tool_call' && [part.id, part.arguments]),
    [
      ['t', '{"a":1}'],
      ['u', '{"b":2}'],
    ],
  );
  assert.equal(completion.choices[0]?.finish, 'tool_calls');
});

test('usage is the newest of what the stream says, never a sum, and nulls and zeros say nothing', () => {
  const { completion } = decodeStream([
    start(),
    ...words(0, 'Hi'),
    ...end('end_turn', {
      input_tokens: 12,
      cache_read_input_tokens: 0,
      output_tokens: 7,
      cache_creation: null,
    }),
  ]);
  assert.deepEqual(
    [completion.usage?.input, completion.usage?.cacheRead, completion.usage?.output],
    [12, 4, 7],
  );
});

test('a stream that ends without output says so, whatever its start said', () => {
  const { completion } = decodeStream([start(), ...end('refusal', { input_tokens: 0, output_tokens: 0 })]);
  assert.deepEqual([completion.usage?.input, completion.usage?.output], [10, 0]);
});

test('a stream that was left early has told its input', () => {
  const events = decodeEvents([start()]);
  const usage = events.find((event) => event.type === 'usage');
  assert.equal(usage?.usage.input, 10);
});

const UNKNOWN: [name: string, chunks: (string | JsonObject)[]][] = [
  ['ping', [{ type: 'ping' }]],
  ['an event of a type to come', [{ type: 'weather', sun: true }]],
  ['an event with the name of an object’s own property', [{ type: 'constructor' }]],
  ['a start that is said twice', [start()]],
  ['[DONE]', ['[DONE]']],
  ['a delta for no block', [piece(9, '{}')]],
  ['a stop for no block', [stop(9)]],
];
for (const [name, chunks] of UNKNOWN) {
  test(`${name} changes nothing`, () => {
    const plain = decodeStream([start(), ...words(0, 'Hi'), ...end('end_turn')]).completion;
    const disturbed = decodeStream([start(), ...chunks, ...words(0, 'Hi'), ...chunks, ...end('end_turn')]);
    assert.equal(disturbed.error, undefined);
    assert.deepEqual(disturbed.completion, plain);
  });
}

function failure(events: CompletionEvent[]): { kind: ErrorKind; message: string } | undefined {
  const last = events.at(-1);
  return last?.type === 'error' ? { kind: last.error.kind, message: last.error.message } : undefined;
}

const ERRORS: [type: string, kind: ErrorKind][] = [
  ['overloaded_error', 'upstream_unavailable'],
  ['rate_limit_error', 'upstream_rate_limited'],
  ['api_error', 'upstream_unavailable'],
  ['timeout_error', 'upstream_timeout'],
  ['invalid_request_error', 'upstream_rejected'],
  ['an_error_to_come', 'upstream_unavailable'],
];
for (const [type, kind] of ERRORS) {
  test(`an ${type} inside the stream is '${kind}', and nothing comes after it`, () => {
    const error = { type: 'error', error: { type, message: 'Sorry' } };
    const events = decodeEvents([start(), ...words(0, 'Hi'), error, ...words(1, 'more'), ...end('end_turn')]);
    assert.deepEqual(failure(events), { kind, message: 'Sorry' });
  });
}

test("what an authentication_error inside the stream says is for the operator alone: it may quote the gateway's key", () => {
  const error = { type: 'error', error: { type: 'authentication_error', message: 'invalid x-api-key' } };
  const message = "The provider did not accept the gateway's own credentials.";
  assert.deepEqual(failure(decodeEvents([start(), error])), { kind: 'upstream_unavailable', message });
});

const BROKEN_OFF: [name: string, chunks: (string | JsonObject)[], words: RegExp][] = [
  ['nothing at all', [], /broke off/],
  ['no stop reason', [start(), ...words(0, 'Hi')], /broke off/],
  ['a block left open', [start(), open(0, { type: 'text', text: '' })], /broke off/],
  ['a stop without a reason', [start(), ...words(0, 'Hi'), { type: 'message_stop' }], /broke off/],
  ['another answer in the middle', [start(), ...words(0, 'Hi'), start({ id: 'msg_2' })], /another answer/],
  ['an event that is no JSON', [start(), '{"type":'], /not JSON/],
];
for (const [name, chunks, expected] of BROKEN_OFF) {
  test(`a stream with ${name} ends with an error`, () => {
    const failed = failure(decodeEvents(chunks));
    assert.equal(failed?.kind, 'upstream_unavailable');
    assert.match(failed?.message ?? '', expected);
  });
}

test('an answer with its stop reason is whole without the farewell', () => {
  const collected = decodeStream([start(), ...words(0, 'Hi'), ...end('end_turn').slice(0, 1)]);
  assert.equal(collected.ended, true);
  assert.equal(collected.completion.choices[0]?.finish, 'stop');
});

test('the event’s name stands in where the data has no type', () => {
  const decoder = messages.streamDecoder();
  const { type: _, ...rest } = start();
  const [first] = decoder.push({ event: 'message_start', data: JSON.stringify(rest) });
  assert.equal(first?.type, 'start');
});

test('servers that open no blocks are understood', () => {
  const { completion, error } = decodeStream([
    start(),
    delta(0, { type: 'text_delta', text: 'Hi' }),
    ...end('end_turn'),
  ]);
  assert.equal(error, undefined);
  assert.deepEqual(completion.choices[0]?.parts, [{ type: 'text', text: 'Hi' }]);
});

test('why a model refused is its refusal, and once more the field where this dialect is written', () => {
  const stop_details = { type: 'refusal', category: 'cyber', explanation: 'Not this.' };
  const last = { type: 'message_delta', delta: { stop_reason: 'refusal', stop_details }, usage: {} };
  const events = decodeEvents([start(), ...words(0, 'Hi'), last, { type: 'message_stop' }]);
  assert.deepEqual(
    events.flatMap((event) => (event.type === 'part_delta' ? [event.delta] : [])),
    ['Hi', 'Not this.'],
  );
  const encoder = messages.streamEncoder({ includeUsage: false });
  const written = events.map((event) => encoder.push(event)).join('');
  assert.equal(written.match(/Not this/g)?.length, 1);
  assert.match(written, /"stop_details":\{[^}]*"explanation":"Not this\."/);
});

test('what only this dialect says of an answer is kept, from the start and the end', () => {
  const { completion } = decodeStream([
    start({ container: { id: 'c' } }),
    ...words(0, 'Hi'),
    {
      type: 'message_delta',
      delta: { stop_reason: 'refusal', stop_details: { category: 'cyber' } },
      usage: { output_tokens: 7, server_tool_use: { web_search_requests: 1 } },
      context_management: { applied_edits: [] },
    },
    { type: 'message_stop' },
  ]);
  assert.deepEqual(completion.extra?.fields, {
    container: { id: 'c' },
    stop_details: { category: 'cyber' },
    context_management: { applied_edits: [] },
    usage: { server_tool_use: { web_search_requests: 1 } },
  });
});
