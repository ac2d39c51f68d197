import assert from 'node:assert/strict';
import { test } from 'node:test';
import { collectEvents } from '../../../src/conversation/collect.ts';
import type { JsonObject } from '../../../src/conversation/json.ts';
import { responses } from '../../../src/dialects/responses/index.ts';

function decode(events: (JsonObject | string)[]) {
  const decoder = responses.streamDecoder();
  const messages = events.map((event) => ({
    data: typeof event === 'string' ? event : JSON.stringify(event),
  }));
  return collectEvents([...messages.flatMap((message) => decoder.push(message)), ...decoder.end()]);
}

const CREATED = { type: 'response.created', response: { id: 'resp_1', model: 'm', created_at: 3 } };
const COMPLETED = {
  type: 'response.completed',
  response: { id: 'resp_1', model: 'm', status: 'completed', usage: { input_tokens: 2, output_tokens: 1 } },
};

function added(index: number, item: JsonObject): JsonObject {
  return { type: 'response.output_item.added', output_index: index, item };
}

function done(index: number, item: JsonObject): JsonObject {
  return { type: 'response.output_item.done', output_index: index, item };
}

function partsOf(events: (JsonObject | string)[]): unknown {
  const { completion, error } = decode(events);
  assert.equal(error, undefined);
  return completion.choices[0]?.parts.map((part) =>
    JSON.parse(JSON.stringify({ ...part, ...(part.type === 'opaque' ? {} : { extra: undefined }) })),
  );
}

test('items are known by their place: ids may differ with every event', () => {
  const text = (id: string, delta: string) => ({
    type: 'response.output_text.delta',
    item_id: id,
    output_index: 0,
    content_index: 0,
    delta,
  });
  assert.deepEqual(
    partsOf([
      CREATED,
      added(0, { type: 'message', id: 'a', content: [] }),
      text('b', 'Hel'),
      text('c', 'lo'),
      done(0, { type: 'message', id: 'd', content: [{ type: 'output_text', text: 'Hello' }] }),
      COMPLETED,
    ]),
    [{ type: 'text', text: 'Hello' }],
  );
});

test('arguments that the done events repeat are counted once', () => {
  const call = { type: 'function_call', id: 'fc', call_id: 'c1', name: 'f' };
  const at = { output_index: 0, item_id: 'fc' };
  assert.deepEqual(
    partsOf([
      CREATED,
      added(0, { ...call, arguments: '' }),
      { type: 'response.function_call_arguments.delta', ...at, delta: '{"a"' },
      { type: 'response.function_call_arguments.delta', ...at, delta: ':1}' },
      { type: 'response.function_call_arguments.done', ...at, arguments: '{"a":1}' },
      done(0, { ...call, arguments: '{"a":1}' }),
      COMPLETED,
    ]),
    [{ type: 'tool_call', id: 'c1', kind: 'function', name: 'f', arguments: '{"a":1}' }],
  );
});

test('a server that sends no deltas says all in its done events, or in the whole response', () => {
  const message = { type: 'message', id: 'm', content: [{ type: 'output_text', text: 'All' }] };
  const expected = [{ type: 'text', text: 'All' }];
  assert.deepEqual(partsOf([CREATED, added(0, { type: 'message' }), done(0, message), COMPLETED]), expected);
  assert.deepEqual(partsOf([CREATED, done(0, message), COMPLETED]), expected);
  const whole = { ...COMPLETED, response: { ...COMPLETED.response, output: [message] } };
  assert.deepEqual(partsOf([CREATED, whole]), expected);
  assert.deepEqual(partsOf([CREATED, added(0, { type: 'message' }), whole]), expected);
});

test('parallel calls that interleave, a custom tool, refusals, annotations', () => {
  const delta = (index: number, text: string) => ({
    type: 'response.function_call_arguments.delta',
    output_index: index,
    delta: text,
  });
  const annotation = { type: 'url_citation', url: 'u', title: 't', start_index: 0, end_index: 1 };
  const { completion } = decode([
    CREATED,
    added(0, { type: 'function_call', call_id: 'a', name: 'f', arguments: '' }),
    added(1, { type: 'function_call', call_id: 'b', name: 'g', arguments: '' }),
    delta(1, '{"b":'),
    delta(0, '{}'),
    delta(1, '2}'),
    added(2, { type: 'custom_tool_call', call_id: 'c', name: 'sh', input: '' }),
    { type: 'response.custom_tool_call_input.delta', output_index: 2, delta: 'ls' },
    added(3, { type: 'message' }),
    { type: 'response.output_text.delta', output_index: 3, content_index: 0, delta: 'x' },
    {
      type: 'response.output_text.annotation.added',
      output_index: 3,
      content_index: 0,
      annotation_index: 0,
      annotation,
    },
    { type: 'response.refusal.delta', output_index: 3, content_index: 1, delta: 'No' },
    COMPLETED,
  ]);
  const [choice] = completion.choices;
  assert.equal(choice?.finish, 'tool_calls');
  const said = choice.parts.map((part) =>
    part.type === 'tool_call' ? [part.id, part.arguments] : 'text' in part ? part.text : part.type,
  );
  assert.deepEqual(said, [['a', '{}'], ['b', '{"b":2}'], ['c', 'ls'], 'x', 'No']);
  const text = choice.parts.find((part) => part.type === 'text');
  assert.deepEqual(text?.type === 'text' && text.citations, [{ url: 'u', title: 't', start: 0, end: 1 }]);
});

test('what we do not know is no error: events without meaning to us, items that are whole', () => {
  const item = { type: 'future_call', id: 'x', what: 1 };
  assert.deepEqual(
    partsOf([
      ': nothing'.slice(0, 0),
      CREATED,
      { type: 'response.queued', response: {} },
      { type: 'keepalive', sequence_number: 3 },
      added(0, { type: 'future_call', id: 'x' }),
      { type: 'response.future_call.progress', output_index: 0 },
      done(0, item),
      COMPLETED,
      '[DONE]',
    ]),
    [{ type: 'opaque', dialect: 'responses', value: item }],
  );
});

const FAILURES: [string, (JsonObject | string)[], JsonObject][] = [
  ['a stream that just ends', [CREATED], { kind: 'upstream_unavailable' }],
  ['no stream at all', [], { kind: 'upstream_unavailable' }],
  ['an event that is no JSON', [CREATED, '{"type":'], { kind: 'upstream_unavailable' }],
  [
    'an error event',
    [CREATED, { type: 'error', code: 'rate_limit_exceeded', message: 'Slow', param: null }],
    { kind: 'upstream_rate_limited', message: 'Slow', code: 'rate_limit_exceeded' },
  ],
  [
    'a nested error event',
    [
      {
        type: 'error',
        error: { type: 'invalid_request_error', code: 'context_length_exceeded', message: 'Long' },
      },
    ],
    { kind: 'upstream_rejected', message: 'Long' },
  ],
  [
    'a failed response',
    [CREATED, { type: 'response.failed', response: { error: { code: 'server_error', message: 'Oh' } } }],
    { kind: 'upstream_unavailable', message: 'Oh' },
  ],
  ['a bare error', [{ error: { message: 'Bare' } }], { message: 'Bare' }],
];

for (const [what, events, expected] of FAILURES) {
  test(`${what} ends with an error`, () => {
    const { error, ended } = decode(events);
    assert.equal(ended, false);
    for (const [key, value] of Object.entries(expected)) {
      assert.equal(error?.[key as 'kind' | 'message' | 'code'], value);
    }
  });
}

test('usage is told of a failed response too', () => {
  const usage = { input_tokens: 4, output_tokens: 1 };
  const { completion, error } = decode([CREATED, { type: 'response.failed', response: { usage } }]);
  assert.equal(error?.kind, 'upstream_unavailable');
  assert.equal(completion.usage?.input, 4);
});
