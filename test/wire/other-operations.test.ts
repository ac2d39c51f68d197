import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Conversation } from '../../src/conversation/conversation.ts';
import { isObject, type JsonObject, type JsonValue, tryParseJson } from '../../src/conversation/json.ts';
import { chatEmbeddings } from '../../src/dialects/chat/embeddings.ts';
import { chat } from '../../src/dialects/chat/index.ts';
import { completions } from '../../src/dialects/completions/index.ts';
import type { CountDialect } from '../../src/dialects/count-tokens.ts';
import type { EmbeddingDialect } from '../../src/dialects/embeddings.ts';
import { geminiCounts } from '../../src/dialects/gemini/count-tokens.ts';
import { geminiEmbedding, geminiEmbeddings } from '../../src/dialects/gemini/embeddings.ts';
import { messagesCounts } from '../../src/dialects/messages/count-tokens.ts';
import { objectsOf } from '../support/values.ts';
import { type Exchange, readExchanges, readRecordings, skipWithoutWire, wireNames } from '../support/wire.ts';
import { CROSSING_MODELS } from './crossing.ts';
import { CrossingList } from './crossing-list.ts';
import { conversationDifferences } from './meaning.ts';

const options = { skip: skipWithoutWire };

function exchangesTo(url: RegExp): Exchange[] {
  const all = wireNames('exchanges').flatMap(readExchanges);
  return all.filter((exchange) => url.test(exchange.url.replace(/\?.*/, '')));
}

/** Some recordings hold JSON bodies as text. */
function objectBody(body: JsonValue): JsonObject {
  const value = typeof body === 'string' ? tryParseJson(body) : body;
  assert.ok(isObject(value));
  return value;
}

const EMBEDDINGS: readonly [url: RegExp, own: EmbeddingDialect, other: EmbeddingDialect][] = [
  [/\/v1\/embeddings$/, chatEmbeddings, geminiEmbeddings],
  [/:batchEmbedContents$/, geminiEmbeddings, chatEmbeddings],
  [/:embedContent$/, geminiEmbedding, chatEmbeddings],
];

/** One text is asked of providers as a batch of one. */
function asBatch(body: JsonObject): JsonObject {
  const { embedding, ...rest } = body;
  return isObject(embedding) ? { ...rest, embeddings: [embedding] } : body;
}

test('recorded embeddings cross to the other dialect and back, vectors and all', options, () => {
  let count = 0;
  for (const [url, own, other] of EMBEDDINGS) {
    const exchanges = exchangesTo(url);
    assert.ok(exchanges.length > 0, String(url));
    for (const { id, request, response } of exchanges) {
      const { request: asked } = own.decodeRequest(objectBody(request.body));
      const { request: back } = other.decodeRequest(other.encodeRequest(asked, 'some-model').body);
      assert.deepEqual([back.inputs, back.dimensions], [asked.inputs, asked.dimensions], id);
      if (response.status !== 200) continue;
      const { vectors } = own.decodeResponse(asBatch(objectBody(response.body)), asked);
      assert.ok(
        vectors.every(({ length }) => length > 0),
        id,
      );
      const said = other.encodeResponse({ model: 'some-model', vectors }, 'float');
      assert.deepEqual(other.decodeResponse(said, back).vectors, vectors, id);
      assert.equal(vectors.length, asked.inputs.length, id);
      count++;
    }
  }
  assert.ok(count >= 11, `${count} answers`);
});

test('a recorded embedding without its request is read', options, () => {
  const bodies = readRecordings('openai').flatMap(({ api, body }) =>
    api === 'embedding' && body ? [body] : [],
  );
  assert.equal(bodies.length, 1);
  for (const body of bodies) {
    const inputs = objectsOf(body['data']).map(() => 'asked');
    const { vectors, usage } = chatEmbeddings.decodeResponse(body, { model: 'some-model', inputs });
    assert.deepEqual(
      vectors,
      objectsOf(body['data']).map(({ embedding }) => embedding),
    );
    assert.ok(usage);
  }
});

const COUNTS: readonly [url: RegExp, own: CountDialect, other: CountDialect, model: string][] = [
  [/\/messages\/count_tokens$/, messagesCounts, geminiCounts, CROSSING_MODELS.gemini],
  [/:countTokens$/, geminiCounts, messagesCounts, CROSSING_MODELS.messages],
];

test('recorded counts ask the same in the other dialect, and their answers are read', options, () => {
  const list = new CrossingList();
  let count = 0;
  for (const [url, own, other, model] of COUNTS) {
    for (const { id, request, response } of exchangesTo(url)) {
      const asked = own.decodeRequest(objectBody(request.body), { model: 'some-model' });
      const { body, dropped } = other.encodeRequest(asked, model);
      const back = other.decodeRequest(body, { model });
      const told = (said: Conversation): Conversation =>
        own.decodeRequest(own.encodeRequest(said, 'some-model').body, { model: 'some-model' });
      const said = conversationDifferences(told(asked), told(back)).filter(({ path }) =>
        path.startsWith('said.'),
      );
      assert.deepEqual(
        list.unexplained('request', asked.dialect, back.dialect, said, { asked, back, dropped }),
        [],
        id,
      );
      if (response.status !== 200) continue;
      const tokens = own.decodeResponse(objectBody(response.body));
      assert.ok(tokens > 0, id);
      assert.equal(other.decodeResponse(other.encodeResponse(tokens)), tokens, id);
      count++;
    }
  }
  assert.ok(count >= 7, `${count} counts`);
});

/** What a recorded text completion says, in the form of the chat completion that it is one of. */
function asChat(body: JsonObject, form: 'message' | 'delta'): JsonObject {
  const choices = objectsOf(body['choices']).map(({ text, logprobs: _, ...choice }) => ({
    ...choice,
    [form]: { role: 'assistant', content: text },
  }));
  return { ...body, object: form === 'message' ? 'chat.completion' : 'chat.completion.chunk', choices };
}

test('recorded text completions have the form that the gateway answers in', options, () => {
  const recordings = readRecordings('openai').filter(({ api }) => api === 'completion');
  assert.equal(recordings.length, 2);
  for (const { id, body, chunks } of recordings) {
    if (body) {
      const { service_tier: _, system_fingerprint: __, usage, ...recorded } = body;
      const { usage: counted, ...said } = completions.encodeResponse(
        chat.decodeResponse(asChat(body, 'message')),
      );
      assert.deepEqual(said, recorded, id);
      assert.ok(isObject(usage) && isObject(counted));
      assert.deepEqual({ ...counted, ...usage }, counted, id);
      continue;
    }
    const decoder = chat.streamDecoder();
    const encoder = completions.streamEncoder({ includeUsage: false });
    const said = (chunks ?? []).flatMap((data) => {
      const chunk = tryParseJson(data);
      return decoder.push({ data: isObject(chunk) ? JSON.stringify(asChat(chunk, 'delta')) : data });
    });
    const written = [...said, ...decoder.end()].map((event) => encoder.push(event)).join('');
    assert.equal(
      textsIn(written.split('\n\n').map((event) => event.replace(/^data: /, ''))),
      textsIn(chunks ?? []),
      id,
    );
    assert.ok(written.endsWith('data: [DONE]\n\n'));
  }
});

function textsIn(chunks: readonly string[]): string {
  const bodies = chunks.map((data) => tryParseJson(data)).filter(isObject);
  return bodies.flatMap(({ choices }) => objectsOf(choices).map(({ text }) => String(text))).join('');
}
