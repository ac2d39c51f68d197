import assert from 'node:assert/strict';
import { test } from 'node:test';
import { collectEvents, completionEvents } from '../../../src/conversation/collect.ts';
import type { Completion, CompletionEvent } from '../../../src/conversation/completion.ts';
import { isObject, type JsonObject, type JsonValue, tryParseJson } from '../../../src/conversation/json.ts';
import { geminiEmbeddings } from '../../../src/dialects/gemini/embeddings.ts';
import { gemini } from '../../../src/dialects/gemini/index.ts';
import { type Exchange, readExchanges, readRecordings, skipWithoutWire } from '../../support/wire.ts';
import { WireDiff } from '../../support/wire-diff.ts';
import { aggregate } from './aggregate.ts';
import { canonicalRequest } from './canonical.ts';
import { type Scope, WIRE_EXCLUSIONS } from './wire-exclusions.ts';

interface RecordedCall extends Exchange {
  model: string;
  method: string;
}

/** Recorded calls of the Gemini API and of Gemini models on Vertex AI whose method is one of these. */
function recordedCalls(...methods: string[]): RecordedCall[] {
  return [...readExchanges('gemini'), ...readExchanges('vertex')].flatMap((exchange) => {
    const [, model, method] = /\/models\/([^/:?]+):(\w+)/.exec(exchange.url) ?? [];
    return model !== undefined && method !== undefined && methods.includes(method)
      ? [{ ...exchange, model, method }]
      : [];
  });
}

const generations = recordedCalls('generateContent', 'streamGenerateContent');

/** Some recordings hold JSON bodies as text. */
function objectBody(body: JsonValue): JsonObject {
  const value = typeof body === 'string' ? tryParseJson(body) : body;
  assert.ok(isObject(value), 'a JSON object was recorded');
  return value;
}

function exclusionsFor(...scopes: Scope[]): WireDiff {
  return new WireDiff(WIRE_EXCLUSIONS.filter(({ scope }) => scopes.includes(scope)));
}

test('recorded requests say the same after decoding and encoding', { skip: skipWithoutWire }, async (t) => {
  const newModels = exclusionsFor('request to any model');
  const oldModels = exclusionsFor('request to any model', 'request to a model before Gemini 3');
  assert.ok(generations.length > 250);
  for (const { id, model, method, request } of generations) {
    await t.test(`${id} to ${model}`, () => {
      const body = objectBody(request.body);
      const stream = method === 'streamGenerateContent';
      const encoded = gemini.encodeRequest(gemini.decodeRequest(body, { model, stream }), model);
      const diff = /^gemini-[12]/.test(model) ? oldModels : newModels;
      assert.deepEqual(diff.compare(canonicalRequest(body), canonicalRequest(encoded.body)), []);
      assert.deepEqual(encoded.dropped, []);
    });
  }
  assert.deepEqual(newModels.unused(), []);
  assert.deepEqual(oldModels.unused(), []);
});

test('recorded answers say the same after decoding and encoding', { skip: skipWithoutWire }, async (t) => {
  const diff = exclusionsFor('answer');
  const bodies = [
    ...generations
      .filter(({ method, response }) => method === 'generateContent' && response.status === 200)
      .map(({ id, response }) => ({ id, body: objectBody(response.body) })),
    ...readRecordings('google').flatMap(({ id, api, body }) =>
      api === 'main' && body ? [{ id, body }] : [],
    ),
  ];
  assert.ok(bodies.length > 250);
  for (const { id, body } of bodies) {
    await t.test(id, () => {
      assert.deepEqual(diff.compare(body, gemini.encodeResponse(gemini.decodeResponse(body))), []);
    });
  }
  assert.deepEqual(diff.unused(), []);
});

/** Recorded streams as the payloads of their events. */
function recordedStreams(): { id: string; chunks: string[] }[] {
  const exchanges = generations
    .filter(({ method }) => method === 'streamGenerateContent')
    .map(({ id, response }) => ({ id, chunks: ssePayloads(String(response.body)) }));
  const recordings = [...readRecordings('google'), ...readRecordings('google-vertex')].flatMap(
    ({ id, api, chunks }) => (api === 'main' && chunks ? [{ id, chunks }] : []),
  );
  return [...exchanges, ...recordings];
}

function ssePayloads(text: string): string[] {
  return text
    .split(/\r?\n\r?\n/)
    .filter((event) => event.startsWith('data:'))
    .map((event) => event.slice('data:'.length));
}

function decodeStream(chunks: readonly string[]): CompletionEvent[] {
  const decoder = gemini.streamDecoder();
  return [...chunks.flatMap((data) => decoder.push({ data })), ...decoder.end()];
}

function collect(chunks: readonly string[]): Completion {
  const { completion, error, ended } = collectEvents(decodeStream(chunks));
  assert.equal(error, undefined);
  assert.ok(ended);
  return completion;
}

test('recorded streams give what their chunks add up to', { skip: skipWithoutWire }, async (t) => {
  const streams = recordedStreams();
  assert.ok(streams.length > 12);
  for (const { id, chunks } of streams) {
    await t.test(id, () => {
      const whole = aggregate(chunks.map((chunk) => objectBody(chunk)));
      assert.deepEqual(collect(chunks), gemini.decodeResponse(whole));
    });
  }
});

test('recorded streams survive being written and read again', { skip: skipWithoutWire }, async (t) => {
  for (const { id, chunks } of recordedStreams()) {
    await t.test(id, () => {
      const completion = collect(chunks);
      const encoder = gemini.streamEncoder({ includeUsage: true });
      const written = [...completionEvents(completion)].map((event) => encoder.push(event)).join('');
      assert.deepEqual(collect(ssePayloads(written)), completion);
    });
  }
});

test('recorded errors keep their words', { skip: skipWithoutWire }, () => {
  const failed = recordedCalls('generateContent', 'batchEmbedContents', 'countTokens').filter(
    ({ response }) => response.status !== 200,
  );
  assert.ok(failed.length >= 4);
  for (const { response } of failed) {
    const { error } = objectBody(response.body) as { error: { message: string; status: string } };
    const failure = gemini.decodeError(response.status, response.body);
    assert.deepEqual(failure, { message: error.message, code: error.status });
  }
});

test('recorded embeddings say the same after decoding and encoding', { skip: skipWithoutWire }, async (t) => {
  const calls = recordedCalls('batchEmbedContents');
  assert.ok(calls.length >= 8);
  for (const { id, model, request, response } of calls) {
    await t.test(id, () => {
      const body = objectBody(request.body);
      const { request: decoded } = geminiEmbeddings.decodeRequest(body);
      assert.deepEqual(geminiEmbeddings.encodeRequest(decoded, model), { body, dropped: [] });
      if (response.status !== 200) return;
      const answer = objectBody(response.body);
      const embeddings = geminiEmbeddings.decodeResponse(answer, decoded);
      const usage = answer['usageMetadata'] as JsonObject | undefined;
      assert.equal(embeddings.usage?.input, usage?.['promptTokenCount']);
      const vectors = (answer['embeddings'] as JsonObject[]).map(({ values }) => values);
      assert.deepEqual(embeddings.vectors, vectors);
    });
  }
});
