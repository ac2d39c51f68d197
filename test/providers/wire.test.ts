import assert from 'node:assert/strict';
import { test } from 'node:test';
import { collectEvents } from '../../src/conversation/collect.ts';
import { isObject, type JsonObject, tryParseJson } from '../../src/conversation/json.ts';
import { QuirkedChat } from '../../src/dialects/chat/quirked-chat.ts';
import type { StreamMessage } from '../../src/dialects/dialect.ts';
import { EventReader } from '../../src/upstream/event-reader.ts';
import { loadDeclarations } from '../../src/upstream/load-declarations.ts';
import { rewriteRequest } from '../support/rewrite-request.ts';
import { objectsOf } from '../support/values.ts';
import { type Exchange, readExchanges, readRecordings, skipWithoutWire } from '../support/wire.ts';

const DECLARATIONS = new Map(
  (await loadDeclarations()).map((declaration) => [declaration.name, declaration]),
);

/** Our providers, and the files of recorded traffic that are theirs. */
const EXCHANGES = [
  'mistral',
  'cohere',
  'groq',
  'deepseek',
  'openrouter',
  'cerebras',
  'huggingface',
  'ollama',
  'zai',
];
const STREAMS: Record<string, string> = {
  alibaba: 'alibaba',
  cohere: 'cohere',
  deepseek: 'deepseek',
  groq: 'groq',
  mistral: 'mistral',
  moonshotai: 'moonshot',
  'openai-compatible': 'xai',
  xai: 'xai',
};

/** Recordings that are not of this dialect, each with the reason. One that covers nothing fails the test. */
const OTHER_APIS: { of: RegExp; reason: string }[] = [
  { of: /api\.cohere\.com\/v[12]\//, reason: "Cohere's own API; we speak its Compatibility API." },
  { of: /^streams\/cohere\//, reason: 'The same.' },
  { of: /\/responses$/, reason: "The Responses API of DeepSeek and OpenRouter, another dialect's matter." },
  { of: /^streams\/xai\/.*\/responses$/, reason: 'The same of xAI.' },
  { of: /transcription/, reason: 'Speech to text is no conversation.' },
];

function isOther(name: string, used: Set<RegExp>): boolean {
  const found = OTHER_APIS.filter(({ of }) => of.test(name));
  for (const { of } of found) used.add(of);
  return found.length > 0;
}

function chatOf(provider: string): QuirkedChat {
  const declaration = DECLARATIONS.get(provider);
  assert.ok(declaration, provider);
  return new QuirkedChat(declaration.quirks ?? {});
}

const used = new Set<RegExp>();
const exchanges = EXCHANGES.flatMap((provider) =>
  readExchanges(provider).map((exchange) => ({ provider, exchange })),
).filter(({ exchange }) => !isOther(exchange.url.replace(/#.*/, ''), used));
const recordings = Object.entries(STREAMS)
  .flatMap(([file, provider]) => readRecordings(file).map((recording) => ({ file, provider, recording })))
  .filter(({ file, recording: { id, api } }) => !isOther(`streams/${file}/${id}/${api}`, used));

test('what is recorded of these providers is chat, or listed as another API', {
  skip: skipWithoutWire,
}, () => {
  for (const { exchange } of exchanges) assert.match(exchange.url, /\/chat\/completions(#stream)?$/);
  assert.ok(exchanges.length > 120);
  assert.ok(recordings.length > 22);
  assert.deepEqual(
    OTHER_APIS.filter(({ of }) => !used.has(of)),
    [],
  );
});

test('a recorded request that the provider took reaches it byte for byte', { skip: skipWithoutWire }, () => {
  for (const { provider, exchange } of exchanges) {
    if (exchange.response.status !== 200) continue;
    const text = JSON.stringify(exchange.request.body);
    const { body, dropped } = rewriteRequest(chatOf(provider), Buffer.from(text), modelOf(exchange));
    assert.equal(body.toString(), text, exchange.id);
    assert.deepEqual(dropped, [], exchange.id);
  }
});

test('and says the same by way of the neutral model', { skip: skipWithoutWire }, () => {
  for (const { provider, exchange } of exchanges) {
    const { dialect } = chatOf(provider);
    const request = exchange.request.body as JsonObject;
    const encoded = dialect.encodeRequest(dialect.decodeRequest(request, {}), modelOf(exchange));
    assert.deepEqual(encoded.dropped, [], exchange.id);
    const again = dialect.encodeRequest(dialect.decodeRequest(encoded.body, {}), modelOf(exchange));
    assert.deepEqual(again.body, encoded.body, exchange.id);
    for (const field of Object.keys(request)) {
      if (EMPTY_OR_DEFAULT.has(field)) continue;
      assert.ok(field in encoded.body, `${exchange.id}: ${field}`);
    }
  }
});

/** `stream: false` and an empty list are what absence says; the streams of Mistral are not asked for their usage. */
const EMPTY_OR_DEFAULT = new Set(['stream', 'tools', 'stream_options']);

function modelOf({ request }: Exchange): string {
  return String((request.body as JsonObject)['model']);
}

interface Streamed {
  id: string;
  provider: string;
  messages: StreamMessage[];
}

function streams(): Streamed[] {
  const whole = exchanges.flatMap(({ provider, exchange: { id, response } }): Streamed[] => {
    if (response.status !== 200 || typeof response.body !== 'string') return [];
    const reader = new EventReader();
    return [{ id, provider, messages: [...reader.push(Buffer.from(response.body)), ...reader.end()] }];
  });
  const chunked = recordings.flatMap(({ provider, recording: { id, chunks } }): Streamed[] =>
    chunks ? [{ id, provider, messages: chunks.map((data) => ({ data })) }] : [],
  );
  return [...whole, ...chunked];
}

test('recorded streams decode by the provider’s own codec, to text or calls and with their usage', {
  skip: skipWithoutWire,
}, () => {
  let count = 0;
  for (const { id, provider, messages } of streams()) {
    count++;
    const decoder = chatOf(provider).dialect.streamDecoder();
    const events = [...messages.flatMap((message) => decoder.push(message)), ...decoder.end()];
    const { completion, error, ended } = collectEvents(events);
    const saysUsage = messages.some(({ data }) => /"usage":\s*\{/.test(data));
    if (error) {
      assert.ok(
        messages.some(({ data }) => data.includes('"error"')),
        id,
      );
      continue;
    }
    assert.ok(ended, id);
    assert.ok(
      completion.choices.some(({ parts }) => parts.length > 0),
      id,
    );
    assert.equal(completion.usage !== undefined, saysUsage, id);
  }
  assert.ok(count > 15, `${count} streams`);
});

test('recorded whole answers decode by the provider’s own codec, and a stream as the answer beside it', {
  skip: skipWithoutWire,
}, () => {
  let pairs = 0;
  const bodies = [
    ...exchanges.map(({ provider, exchange: { id, response } }) => ({ id, provider, body: response.body })),
    ...recordings.map(({ provider, recording: { id, body } }) => ({ id, provider, body: body ?? null })),
  ];
  for (const { id, provider, body } of bodies) {
    if (!isObject(body) || !Array.isArray(body['choices'])) continue;
    const { dialect } = chatOf(provider);
    const whole = dialect.decodeResponse(body);
    assert.ok(
      whole.choices.every(({ parts }) => parts.length > 0),
      id,
    );
    const beside = recordings.find(({ recording }) => recording.id === id.replace('.json', '.chunks.txt'));
    if (!beside) continue;
    pairs++;
    const decoder = dialect.streamDecoder();
    const chunks = beside.recording.chunks ?? [];
    const { completion } = collectEvents([
      ...chunks.flatMap((data) => decoder.push({ data })),
      ...decoder.end(),
    ]);
    const kinds = (choices: typeof whole.choices) =>
      choices.map(({ parts }) => parts.map(({ type }) => type));
    assert.deepEqual(kinds(completion.choices), kinds(whole.choices), id);
    assert.ok(
      chunks.every((data) => data === '[DONE]' || objectsOf([tryParseJson(data) ?? null]).length === 1),
    );
  }
  assert.ok(pairs >= 10, `${pairs} pairs`);
});
