import assert from 'node:assert/strict';
import { test } from 'node:test';
import OpenAI, { APIError } from 'openai';
import { completionEvents } from '../../../src/conversation/collect.ts';
import type { CompletionEvent } from '../../../src/conversation/completion.ts';
import type { Part } from '../../../src/conversation/conversation.ts';
import { GatewayError } from '../../../src/conversation/gateway-error.ts';
import { isObject, type JsonObject, tryParseJson } from '../../../src/conversation/json.ts';
import { NO_USAGE } from '../../../src/conversation/usage.ts';
import { chat } from '../../../src/dialects/chat/index.ts';
import { objectsOf } from '../../support/values.ts';

const CALL: Part = { type: 'tool_call', id: 'a', name: 'f', kind: 'function', arguments: '{"x":1}' };
const START: CompletionEvent = { type: 'start', id: 'c-1', model: 'm', created: 5 };
const END: CompletionEvent = { type: 'end' };

function eventsFor(...parts: Part[]): CompletionEvent[] {
  const choices = [{ index: 0, parts, finish: 'stop' as const }];
  const usage = { ...NO_USAGE, input: 3, output: 2 };
  return [...completionEvents({ id: 'c-1', model: 'm', created: 5, choices, usage })];
}

function encode(events: CompletionEvent[], includeUsage = false): string {
  const encoder = chat.streamEncoder({ includeUsage });
  return events.map((event) => encoder.push(event)).join('');
}

function chunksOf(stream: string): JsonObject[] {
  const data = stream.split('\n\n').map((event) => tryParseJson(event.replace(/^data: /, '')));
  return data.filter(isObject);
}

function deltasOf(stream: string): unknown[] {
  return chunksOf(stream).flatMap(({ choices }) => objectsOf(choices).map(({ delta }) => delta));
}

/** The official client, fed with a stream. */
function client(stream: string): OpenAI {
  const headers = { 'content-type': 'text/event-stream' };
  return new OpenAI({ apiKey: 'k', maxRetries: 0, fetch: async () => new Response(stream, { headers }) });
}

const REQUEST = { model: 'm', messages: [{ role: 'user' as const, content: 'Hi' }] };

test('chunks are as OpenAI writes them: the role once, the finish reason in a chunk of its own, [DONE]', () => {
  const stream = encode(eventsFor({ type: 'text', text: 'Hi' }));
  const head = { id: 'c-1', object: 'chat.completion.chunk', created: 5, model: 'm' };
  assert.deepEqual(chunksOf(stream), [
    {
      ...head,
      choices: [
        { index: 0, delta: { role: 'assistant', content: 'Hi' }, logprobs: null, finish_reason: null },
      ],
    },
    { ...head, choices: [{ index: 0, delta: {}, logprobs: null, finish_reason: 'stop' }] },
  ]);
  assert.ok(stream.endsWith('data: [DONE]\n\n'));
});

test('usage is a last chunk without choices, only for a client that asked', () => {
  const events = eventsFor({ type: 'text', text: 'Hi' });
  assert.ok(!encode(events).includes('usage'));
  const chunks = chunksOf(encode(events, true));
  assert.deepEqual(
    chunks.slice(0, -1).map(({ usage }) => usage),
    [null, null],
  );
  const last = chunks.at(-1);
  assert.deepEqual(last?.['choices'], []);
  assert.ok(isObject(last?.['usage']));
  assert.equal(last['usage']['total_tokens'], 5);
});

test('tool calls are numbered from 0 within their choice, whatever parts stand before them', () => {
  const stream = encode(
    eventsFor({ type: 'reasoning', text: 'Hm' }, { type: 'text', text: 'Hi' }, CALL, { ...CALL, id: 'b' }),
  );
  assert.deepEqual(deltasOf(stream), [
    { role: 'assistant', reasoning_content: 'Hm' },
    { content: 'Hi' },
    { tool_calls: [{ index: 0, id: 'a', type: 'function', function: { name: 'f', arguments: '' } }] },
    { tool_calls: [{ index: 0, function: { arguments: '{"x":1}' } }] },
    { tool_calls: [{ index: 1, id: 'b', type: 'function', function: { name: 'f', arguments: '' } }] },
    { tool_calls: [{ index: 1, function: { arguments: '{"x":1}' } }] },
    {},
  ]);
  assert.ok(stream.includes('"finish_reason":"tool_calls"'));
});

test('a call without arguments streams an empty object', () => {
  const stream = encode(eventsFor({ ...CALL, arguments: '' }));
  assert.deepEqual(deltasOf(stream)[1], { tool_calls: [{ index: 0, function: { arguments: '{}' } }] });
});

test('citations known at the end of a text count from the start of the message', () => {
  const part = (index: number, text: string): CompletionEvent[] => [
    { type: 'part_start', choice: 0, part: index, value: { type: 'text', text: '' } },
    { type: 'part_delta', choice: 0, part: index, delta: text },
    { type: 'part_end', choice: 0, part: index, citations: [{ url: 'https://a.example' }] },
  ];
  const stream = encode([START, ...part(0, 'One. '), ...part(1, 'Two.'), END]);
  const annotations = deltasOf(stream).flatMap((delta) =>
    isObject(delta) ? objectsOf(delta['annotations']) : [],
  );
  assert.deepEqual(
    annotations.map(
      ({ url_citation: cited }) => isObject(cited) && [cited['start_index'], cited['end_index']],
    ),
    [
      [0, 5],
      [5, 9],
    ],
  );
});

test('after an error nothing follows', () => {
  const error = new GatewayError('upstream_unavailable', 'Boom');
  const stream = encode([START, { type: 'error', error }, ...eventsFor({ type: 'text', text: 'Hi' })]);
  assert.deepEqual(chunksOf(stream), [
    { error: { message: 'Boom', type: 'server_error', param: null, code: 'upstream_unavailable' } },
  ]);
  assert.ok(!stream.includes('[DONE]'));
});

test("OpenAI's SDK adds the stream up to the completion", async () => {
  const stream = encode(
    eventsFor({ type: 'reasoning', text: 'Hm' }, { type: 'text', text: 'Hi — 🌦' }, CALL, {
      ...CALL,
      id: 'b',
    }),
    true,
  );
  const runner = client(stream).chat.completions.stream({
    ...REQUEST,
    stream_options: { include_usage: true },
  });
  const { choices, usage } = await runner.finalChatCompletion();
  assert.equal(choices[0]?.message.content, 'Hi — 🌦');
  assert.equal(choices[0]?.finish_reason, 'tool_calls');
  assert.deepEqual(
    choices[0]?.message.tool_calls?.map(
      (wire) => wire.type === 'function' && [wire.id, wire.function.arguments],
    ),
    [
      ['a', '{"x":1}'],
      ['b', '{"x":1}'],
    ],
  );
  assert.equal(usage?.prompt_tokens, 3);
});

test("OpenAI's SDK raises an error in the stream as its own, with code and type", async () => {
  const error = new GatewayError('upstream_rate_limited', 'Slow down');
  const events = eventsFor({ type: 'text', text: 'Hi' }).filter(
    ({ type }) => type !== 'finish' && type !== 'end',
  );
  const stream = await client(encode([...events, { type: 'error', error }])).chat.completions.create({
    ...REQUEST,
    stream: true,
  });
  let said = '';
  await assert.rejects(
    async () => {
      for await (const { choices } of stream) said += choices[0]?.delta.content ?? '';
    },
    (raised) =>
      raised instanceof APIError && raised.code === 'rate_limit_exceeded' && raised.message === 'Slow down',
  );
  assert.equal(said, 'Hi');
});
