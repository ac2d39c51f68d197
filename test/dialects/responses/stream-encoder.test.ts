import assert from 'node:assert/strict';
import { test } from 'node:test';
import { APIError } from 'openai';
import { completionEvents } from '../../../src/conversation/collect.ts';
import type { Completion, CompletionEvent } from '../../../src/conversation/completion.ts';
import type { Part } from '../../../src/conversation/conversation.ts';
import { GatewayError } from '../../../src/conversation/gateway-error.ts';
import { isObject, type JsonObject, tryParseJson } from '../../../src/conversation/json.ts';
import { NO_USAGE } from '../../../src/conversation/usage.ts';
import { responses } from '../../../src/dialects/responses/index.ts';
import { objectsOf } from '../../support/values.ts';
import { readEvents } from './recordings.ts';
import { accumulate, iterate } from './sdk-oracle.ts';

const PARTS: Part[] = [
  { type: 'reasoning', text: 'Let me see.', signature: { dialect: 'messages', value: 'sig' } },
  { type: 'text', text: 'Hello', citations: [{ url: 'https://a.example', title: 'A', start: 0, end: 5 }] },
  { type: 'text', text: ' there' },
  { type: 'tool_call', id: 'call_1', kind: 'function', name: 'f', arguments: '{"a":1}' },
  { type: 'tool_call', id: 'call_2', kind: 'function', name: 'none', arguments: '' },
  { type: 'tool_call', id: 'call_3', kind: 'custom', name: 'sh', arguments: 'ls' },
  { type: 'refusal', text: 'No.' },
  { type: 'image', source: { kind: 'data', mediaType: 'image/png', base64: 'AAAA' } },
  { type: 'text', text: 'Signed', signature: { dialect: 'gemini', value: 'thought' } },
];

const COMPLETION: Completion = {
  id: 'msg_01',
  model: 'claude',
  created: 9,
  choices: [{ index: 0, parts: PARTS, finish: 'tool_calls' }],
  usage: { ...NO_USAGE, input: 5, output: 3, reasoning: 2 },
};

function encode(events: Iterable<CompletionEvent>, request?: JsonObject): string {
  const encoder = responses.streamEncoder({ includeUsage: false, request });
  let text = '';
  for (const event of events) text += encoder.push(event);
  return text;
}

function eventsOf(text: string): JsonObject[] {
  return readEvents(text).map(({ event, data }) => {
    const value = tryParseJson(data);
    assert.ok(isObject(value));
    assert.equal(event, value['type']);
    return value;
  });
}

test("OpenAI's SDK adds the stream up to the response that a client gets which does not stream", async () => {
  const request = { model: 'smart', input: 'x', instructions: 'Be brief.' };
  const accumulated = await accumulate(encode(completionEvents(COMPLETION), request));
  const whole = responses.encodeResponse(COMPLETION, request);
  const { output_text: text, output_parsed: _, output, ...rest } = JSON.parse(JSON.stringify(accumulated));
  assert.equal(text, 'Hello thereSigned');
  const { output: expected, ...expectedRest } = whole;
  // The SDK adds what it parsed of arguments and texts.
  const plain = objectsOf(output).map(({ parsed_arguments: _a, ...item }) => ({
    ...item,
    ...(Array.isArray(item['content'])
      ? { content: objectsOf(item['content']).map(({ parsed: _p, ...part }) => part) }
      : {}),
  }));
  assert.deepEqual(plain, expected);
  assert.deepEqual(rest, expectedRest);
});

test('the types of the events, in order', () => {
  const types = eventsOf(
    encode(
      completionEvents({ ...COMPLETION, choices: [{ index: 0, parts: PARTS.slice(0, 4), finish: 'stop' }] }),
    ),
  ).map(({ type }) => type);
  assert.deepEqual(types, [
    'response.created',
    'response.in_progress',
    'response.output_item.added',
    'response.reasoning_summary_part.added',
    'response.reasoning_summary_text.delta',
    'response.reasoning_summary_text.done',
    'response.reasoning_summary_part.done',
    'response.output_item.done',
    'response.output_item.added',
    'response.content_part.added',
    'response.output_text.delta',
    'response.output_text.annotation.added',
    'response.output_text.done',
    'response.content_part.done',
    'response.content_part.added',
    'response.output_text.delta',
    'response.output_text.done',
    'response.content_part.done',
    'response.output_item.done',
    'response.output_item.added',
    'response.function_call_arguments.delta',
    'response.function_call_arguments.done',
    'response.output_item.done',
    'response.completed',
  ]);
});

test('events are numbered from 0, and name the item that they are of', () => {
  const events = eventsOf(encode(completionEvents(COMPLETION)));
  assert.deepEqual(
    events.map((event) => event['sequence_number']),
    events.map((_, index) => index),
  );
  const ids = new Map<unknown, unknown>();
  for (const { type, item, item_id: itemId, output_index: index } of events) {
    if (type === 'response.output_item.added' && isObject(item)) {
      assert.equal(index, ids.size);
      ids.set(index, item['id']);
    } else if (itemId !== undefined) assert.equal(itemId, ids.get(index));
  }
  assert.equal(new Set(ids.values()).size, ids.size);
});

test('parts that overlap each keep to their own item', () => {
  const call = (id: string): Part => ({ type: 'tool_call', id, kind: 'function', name: 'f', arguments: '' });
  const at = { choice: 0 };
  const text = encode([
    { type: 'start', id: 'c', model: 'm' },
    { type: 'part_start', ...at, part: 0, value: { type: 'text', text: '' } },
    { type: 'part_delta', ...at, part: 0, delta: 'be' },
    { type: 'part_start', ...at, part: 1, value: call('a') },
    { type: 'part_start', ...at, part: 2, value: call('b') },
    { type: 'part_delta', ...at, part: 2, delta: '{"b":1}' },
    { type: 'part_delta', ...at, part: 0, delta: 'fore' },
    { type: 'part_delta', ...at, part: 1, delta: '{"a":1}' },
    { type: 'part_end', ...at, part: 0 },
    { type: 'part_end', ...at, part: 1 },
    { type: 'part_end', ...at, part: 2 },
    { type: 'finish', choice: 0, reason: 'stop' },
    { type: 'end' },
  ]);
  const response = eventsOf(text).at(-1)?.['response'];
  const output = isObject(response) ? objectsOf(response['output']) : [];
  assert.deepEqual(
    output.map(({ call_id: id, arguments: args, content }) =>
      id ? [id, args] : objectsOf(content)[0]?.['text'],
    ),
    ['before', ['a', '{"a":1}'], ['b', '{"b":1}']],
  );
});

test('raw reasoning of a provider of this dialect is streamed as that', () => {
  const at = { choice: 0, part: 0 };
  const extra = (fields: JsonObject) => ({ dialect: 'responses', fields }) as const;
  const text = encode([
    { type: 'start', id: 'r', model: 'm', extra: extra({ service_tier: 'x' }) },
    {
      type: 'part_start',
      ...at,
      value: { type: 'reasoning', text: '', extra: extra({ item: { id: 'u' }, content: [] }) },
    },
    { type: 'part_delta', ...at, delta: 'Hm' },
    {
      type: 'part_end',
      ...at,
      extra: extra({ item: { id: 'u' }, summary: [], content: [{ type: 'reasoning_text', text: 'Hm' }] }),
    },
    { type: 'finish', choice: 0, reason: 'stop' },
    { type: 'end' },
  ]);
  const events = eventsOf(text);
  assert.deepEqual(
    events.map(({ type }) => String(type)).filter((type) => type.startsWith('response.reasoning')),
    ['response.reasoning_text.delta', 'response.reasoning_text.done'],
  );
  assert.deepEqual(events.at(-2)?.['item'], {
    type: 'reasoning',
    id: 'u',
    summary: [],
    content: [{ type: 'reasoning_text', text: 'Hm' }],
  });
});

test('a stream that fails before its provider began it has a failed response, too', () => {
  const error = new GatewayError('upstream_unavailable', 'It broke.');
  const head = { id: 'resp_1', model: 'm', created: 7 };
  const [event, failed] = eventsOf(encode([{ type: 'error', error, head }]));
  assert.deepEqual([event?.['type'], failed?.['type']], ['error', 'response.failed']);
  assert.deepEqual([event?.['sequence_number'], failed?.['sequence_number']], [0, 1]);
  const response = failed?.['response'];
  assert.ok(isObject(response));
  const { id, model, created_at, status } = response;
  assert.deepEqual(
    { id, model, created_at, status },
    { id: 'resp_1', model: 'm', created_at: 7, status: 'failed' },
  );
});

test('a stream that breaks off ends with an error that the SDK throws, and with the failed response', async () => {
  const error = new GatewayError('upstream_unavailable', 'It broke.', { code: 'broken' });
  const text = encode([
    { type: 'start', id: 'c', model: 'm' },
    { type: 'part_start', choice: 0, part: 0, value: { type: 'text', text: '' } },
    { type: 'part_delta', choice: 0, part: 0, delta: 'be' },
    { type: 'error', error },
    { type: 'end' },
  ]);
  const [event, failed] = eventsOf(text).slice(-2);
  assert.equal(event?.['type'], 'error');
  assert.deepEqual([event?.['code'], event?.['message'], event?.['param']], ['broken', 'It broke.', null]);
  assert.equal(failed?.['type'], 'response.failed');
  const response = failed?.['response'];
  assert.ok(isObject(response));
  assert.deepEqual(
    [response['status'], response['error']],
    ['failed', { code: 'server_error', message: 'It broke.' }],
  );
  const thrown = (await iterate(text)).error;
  assert.ok(thrown instanceof APIError);
  assert.match(thrown.message, /It broke/);
  await assert.rejects(accumulate(text), /It broke/);
});

test('an error before anything else is an event of its own', () => {
  const text = encode([{ type: 'error', error: new GatewayError('overloaded', 'Later.') }]);
  assert.deepEqual(
    eventsOf(text).map(({ type, sequence_number: number }) => [type, number]),
    [['error', 0]],
  );
});
