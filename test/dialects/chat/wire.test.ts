import assert from 'node:assert/strict';
import { test } from 'node:test';
import { collectEvents } from '../../../src/conversation/collect.ts';
import type { Completion } from '../../../src/conversation/completion.ts';
import { isObject, type JsonObject, type JsonValue, tryParseJson } from '../../../src/conversation/json.ts';
import { inputTokens, outputTokens } from '../../../src/conversation/usage.ts';
import { chat } from '../../../src/dialects/chat/index.ts';
import type { StreamMessage } from '../../../src/dialects/dialect.ts';
import { EventReader } from '../../../src/upstream/event-reader.ts';
import { objectsOf } from '../../support/values.ts';
import { type Exchange, readExchanges, readRecordings, skipWithoutWire } from '../../support/wire.ts';
import { WireDiff } from '../../support/wire-diff.ts';
import { aggregateChunks } from './aggregate-chunks.ts';
import { type Scope, WIRE_EXCLUSIONS } from './wire-exclusions.ts';

const EXCHANGES = [
  'openai-chat',
  'groq',
  'deepseek',
  'cerebras',
  'openrouter',
  'mistral',
  'azure',
  'huggingface',
  'ollama',
  'zai',
  'cohere',
];
const STREAMS = [
  'openai',
  'openai-compatible',
  'deepseek',
  'groq',
  'mistral',
  'moonshotai',
  'xai',
  'azure',
  'alibaba',
];

/** Cohere's own API and Azure's other APIs stand in the same files. */
const exchanges = EXCHANGES.flatMap(readExchanges).filter(({ url }) => url.includes('/chat/completions'));
const recordings = STREAMS.flatMap(readRecordings);

function exclusionsFor(scope: Scope): WireDiff {
  return new WireDiff(WIRE_EXCLUSIONS.filter((exclusion) => exclusion.scope === scope));
}

function bodyOf({ request }: Exchange): JsonObject {
  assert.ok(isObject(request.body));
  return request.body;
}

/** Content as a list of parts, which is the one form that every content has; null and the empty list are the same. */
function plainContents(body: JsonObject): JsonValue[] {
  return objectsOf(body['messages']).map(({ content }) => {
    return typeof content === 'string' ? [{ type: 'text', text: content }] : (content ?? []);
  });
}

test('recorded requests say the same after decoding and encoding', { skip: skipWithoutWire }, () => {
  const diff = exclusionsFor('request');
  for (const exchange of exchanges) {
    const body = bodyOf(exchange);
    const { body: encoded, dropped } = chat.encodeRequest(
      chat.decodeRequest(body, {}),
      String(body['model']),
    );
    assert.deepEqual(diff.compare(body, encoded), [], exchange.id);
    assert.deepEqual(dropped, [], exchange.id);
    // The exclusion for contents of another form holds only while they say the same.
    const thinking = JSON.stringify(body).includes('"thinking"');
    if (!thinking) assert.deepEqual(plainContents(encoded), plainContents(body), exchange.id);
  }
  assert.ok(exchanges.length > 250);
  assert.deepEqual(diff.unused(), []);
});

test('recorded answers say the same after decoding and encoding', { skip: skipWithoutWire }, () => {
  const diff = exclusionsFor('answer');
  const bodies = [
    ...exchanges
      .filter(({ response }) => response.status === 200)
      .map(({ id, response }) => ({ id, body: response.body })),
    ...recordings.map(({ id, body }) => ({ id, body })),
  ];
  let count = 0;
  for (const { id, body } of bodies) {
    if (!isObject(body) || body['object'] === 'text_completion' || !Array.isArray(body['choices'])) continue;
    count++;
    const encoded = chat.encodeResponse(chat.decodeResponse(body));
    assert.deepEqual(diff.compare(body, encoded), [], id);
    assert.equal(saidReasoning(encoded), saidReasoning(body), id);
  }
  assert.ok(count > 230);
  assert.deepEqual(diff.unused(), []);
});

/** The reasoning of a whole answer, under whichever name it stands. */
function saidReasoning(body: JsonObject): string {
  const choices = objectsOf(body['choices']).map(({ message }) => ({
    index: 0,
    delta: message,
    finish_reason: null,
  }));
  return aggregateChunks([{ choices }]).choices[0]?.reasoning ?? '';
}

test('recorded errors keep their message and code', { skip: skipWithoutWire }, () => {
  const refused = exchanges.filter(({ response }) => response.status !== 200);
  for (const { id, response } of refused) {
    const failure = chat.decodeError(response.status, response.body);
    const { error } = response.body as { error: JsonObject };
    assert.equal(failure.message, error['message'], id);
    assert.equal(failure.code, error['code'] ?? error['type'], id);
    assert.equal(failure.param, error['param'] ?? undefined, id);
  }
  assert.equal(refused.length, 10);
});

interface RecordedStream {
  id: string;
  messages: StreamMessage[];
}

function recordedStreams(): RecordedStream[] {
  const whole = exchanges.flatMap(({ id, response }) => {
    if (response.status !== 200 || typeof response.body !== 'string') return [];
    const reader = new EventReader();
    return [{ id, messages: [...reader.push(Buffer.from(response.body)), ...reader.end()] }];
  });
  const chunked = recordings.flatMap(({ id, chunks = [] }) => {
    const isChat = chunks.some((chunk) => objectsOf(choicesOf(chunk)).some(({ delta }) => isObject(delta)));
    return isChat ? [{ id, messages: chunks.map((data) => ({ data })) }] : [];
  });
  return [...whole, ...chunked];
}

function choicesOf(chunk: string): JsonValue | undefined {
  const value = tryParseJson(chunk);
  return isObject(value) ? value['choices'] : undefined;
}

/** The ends of streams that the provider itself broke off with an error. */
const FAILED_STREAMS = new Map([
  [
    'test_groq/test_tool_use_failed_error_streaming#0',
    { kind: 'upstream_rejected', code: 'tool_use_failed' },
  ],
  ['test_openrouter/test_openrouter_stream_error#0', { kind: 'upstream_rejected', code: '400' }],
]);

test('recorded streams add up to what their chunks say', { skip: skipWithoutWire }, () => {
  const failed = new Set<string>();
  const streams = recordedStreams();
  for (const { id, messages } of streams) {
    const decoder = chat.streamDecoder();
    const { completion, error, ended } = collectEvents([
      ...messages.flatMap((message) => decoder.push(message)),
      ...decoder.end(),
    ]);
    const expected = [...FAILED_STREAMS].find(([name]) => id.endsWith(name));
    if (expected) {
      failed.add(expected[0]);
      assert.deepEqual({ kind: error?.kind, code: error?.code }, expected[1]);
      continue;
    }
    assert.equal(error, undefined, id);
    assert.ok(ended, id);
    const chunks = messages.map(({ data }) => tryParseJson(data)).filter(isObject);
    assert.deepEqual(summary(completion), aggregateChunks(chunks), id);
  }
  assert.ok(streams.length > 45);
  assert.deepEqual([...failed].sort(), [...FAILED_STREAMS.keys()].sort());
});

/** A completion in the form of the aggregate, by way of the wire form that a client would get. */
function summary(completion: Completion): ReturnType<typeof aggregateChunks> {
  const body = chat.encodeResponse(completion);
  const chunk = {
    ...body,
    choices: objectsOf(body['choices']).map(({ message, ...choice }) => ({ ...choice, delta: message })),
  };
  const { usage } = completion;
  return { ...aggregateChunks([chunk]), totalTokens: usage && inputTokens(usage) + outputTokens(usage) };
}

/** Parts, finish and counted buckets: what two answers to the same request have in common, whatever their words. */
function shape({ choices, usage }: Completion): unknown {
  return {
    counted: usage !== undefined,
    choices: choices.map(({ index, parts, finish }) => ({
      index,
      finish,
      parts: parts.map((part) => (part.type === 'tool_call' ? [part.type, part.kind, part.name] : part.type)),
    })),
  };
}

test('a recorded stream has the shape of the whole answer recorded beside it', {
  skip: skipWithoutWire,
}, () => {
  let pairs = 0;
  for (const { id, messages } of recordedStreams()) {
    const whole = recordings.find((recording) => recording.id === id.replace('.chunks.txt', '.json'))?.body;
    if (!whole || whole['error']) continue;
    pairs++;
    const decoder = chat.streamDecoder();
    const { completion } = collectEvents([
      ...messages.flatMap((message) => decoder.push(message)),
      ...decoder.end(),
    ]);
    assert.deepEqual(shape(completion), shape(chat.decodeResponse(whole)), id);
  }
  assert.ok(pairs > 8, `${pairs} pairs`);
});

test('recorded streams pass through encoder and decoder unchanged', { skip: skipWithoutWire }, () => {
  for (const { id, messages } of recordedStreams()) {
    const decoder = chat.streamDecoder();
    const events = [...messages.flatMap((message) => decoder.push(message)), ...decoder.end()];
    const encoder = chat.streamEncoder({ includeUsage: true });
    const reader = new EventReader();
    const again = chat.streamDecoder();
    const bytes = Buffer.from(events.map((event) => encoder.push(event)).join(''));
    const before = collectEvents(events);
    const after = collectEvents([
      ...[...reader.push(bytes), ...reader.end()].flatMap((message) => again.push(message)),
      ...again.end(),
    ]);
    assert.deepEqual(after.error?.message, before.error?.message, id);
    if (before.error) continue;
    assert.deepEqual(summary(after.completion), summary(before.completion), id);
    assert.deepEqual(after.completion.usage, before.completion.usage, id);
  }
});
