import assert from 'node:assert/strict';
import { test } from 'node:test';
import { collectEvents } from '../../../src/conversation/collect.ts';
import { isObject, type JsonObject } from '../../../src/conversation/json.ts';
import { messages } from '../../../src/dialects/messages/index.ts';
import { type Exchange, readExchanges, readRecordings, skipWithoutWire } from '../../support/wire.ts';
import { WireDiff } from '../../support/wire-diff.ts';
import { canonicalCompletion, canonicalRequest } from './canonical.ts';
import { accumulate, readEvents } from './sdk-oracle.ts';
import { decodeStream, restream } from './streams.ts';
import { REQUEST_EXCLUSIONS, RESPONSE_EXCLUSIONS, STREAM_EXCLUSIONS } from './wire-exclusions.ts';

const options = { skip: skipWithoutWire };

function messagesExchanges(): Exchange[] {
  const bedrock = readExchanges('bedrock').filter(
    ({ url, request }) => /anthropic.*\/invoke$/.test(url) && isObject(request.body),
  );
  return [...readExchanges('anthropic-messages'), ...bedrock];
}

test('recorded requests come through decode and encode whole, with nothing dropped', options, () => {
  const diff = new WireDiff(REQUEST_EXCLUSIONS);
  let count = 0;
  for (const { id, url, request } of messagesExchanges()) {
    // In Bedrock the model stands in the URL alone.
    const model = /\/model\/([^/]+)\//.exec(url)?.[1];
    const body = { ...(request.body as JsonObject), ...(model ? { model } : {}) };
    const conversation = messages.decodeRequest(body, {});
    const encoded = messages.encodeRequest(conversation, conversation.model);
    assert.deepEqual(diff.compare(canonicalRequest(body), canonicalRequest(encoded.body)), [], id);
    assert.deepEqual(encoded.dropped, [], id);
    count++;
  }
  assert.ok(count > 170, `only ${count} requests`);
  assert.deepEqual(diff.unused(), []);
});

test('recorded answers come through decode and encode whole', options, () => {
  const diff = new WireDiff(RESPONSE_EXCLUSIONS);
  let count = 0;
  const exchanged = messagesExchanges().map(({ id, response }) => ({ id, body: response.body }));
  const recorded = readRecordings('anthropic')
    .filter(({ api, stream }) => api === 'main' && !stream)
    .map(({ id, body }) => ({ id, body }));
  for (const { id, body } of [...exchanged, ...recorded]) {
    if (!isObject(body)) continue;
    const encoded = messages.encodeResponse(messages.decodeResponse(body));
    assert.deepEqual(diff.compare(body, encoded), [], id);
    count++;
  }
  assert.ok(count > 170, `only ${count} answers`);
  assert.deepEqual(diff.unused(), []);
});

function recordedStreams(): { id: string; chunks: string[] }[] {
  const recordings = readRecordings('anthropic')
    .filter(({ api, stream }) => api === 'main' && stream)
    .map(({ id, chunks }) => ({ id, chunks: chunks ?? [] }));
  const exchanged = messagesExchanges().flatMap(({ id, response }) =>
    typeof response.body === 'string' ? [{ id, chunks: readEvents(response.body) }] : [],
  );
  // A recording of several requests, one after the other: each of them is a stream of its own.
  return [...recordings, ...exchanged].flatMap(({ id, chunks }) =>
    splitAfterStop(chunks).map((part, index) => ({ id: `${id} (${index})`, chunks: part })),
  );
}

function splitAfterStop(chunks: string[]): string[][] {
  const parts: string[][] = [[]];
  for (const [index, chunk] of chunks.entries()) {
    parts.at(-1)?.push(chunk);
    if (chunk.includes('"type":"message_stop"') && index < chunks.length - 1) parts.push([]);
  }
  return parts;
}

test(
  'a recorded stream gives the completion of the message that the official SDK makes of it',
  options,
  async () => {
    const diff = new WireDiff(STREAM_EXCLUSIONS);
    let count = 0;
    for (const { id, chunks } of recordedStreams()) {
      // The SDK gives up on a start that is said twice; we do not.
      const whole = await accumulate(chunks.filter((chunk, index) => index !== 1 || chunk !== chunks[0]));
      const collected = decodeStream(chunks);
      assert.equal(collected.error, undefined, id);
      assert.equal(collected.ended, true, id);
      assert.deepEqual(
        diff.compare(messages.decodeResponse(whole), canonicalCompletion(collected.completion)),
        [],
        id,
      );
      count++;
    }
    assert.ok(count > 40, `only ${count} streams`);
    assert.deepEqual(diff.unused(), []);
  },
);

test('a recorded stream written again for a client says the same', options, () => {
  for (const { id, chunks } of recordedStreams()) {
    const first = decodeStream(chunks);
    assert.deepEqual(collectEvents(restream(first.completion)).completion, first.completion, id);
  }
});
