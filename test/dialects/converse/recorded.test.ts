import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isObject, type JsonObject, tryParseJson } from '../../../src/conversation/json.ts';
import { converse } from '../../../src/dialects/converse/index.ts';
import type { StreamMessage } from '../../../src/dialects/dialect.ts';
import { type Exchange, readExchanges, readRecordings, skipWithoutWire } from '../../support/wire.ts';
import { WireDiff } from '../../support/wire-diff.ts';
import { decodeRequest } from './decode-request.ts';
import { collectMessages, messageOf, readFrames } from './frames.ts';
import { REQUEST_EXCLUSIONS } from './wire-exclusions.ts';

const options = { skip: skipWithoutWire };

interface Recorded extends Exchange {
  model: string;
  sent: JsonObject;
}

function exchanges(): Recorded[] {
  return readExchanges('bedrock').flatMap((exchange) => {
    const model = decodeURIComponent(/\/model\/([^/]+)\/converse/.exec(exchange.url)?.[1] ?? '');
    return model === '' ? [] : [{ ...exchange, model, sent: parsed(exchange.request.body) }];
  });
}

function parsed(body: unknown): JsonObject {
  const value = typeof body === 'string' ? tryParseJson(body) : body;
  return isObject(value) ? value : {};
}

/**
 * A request with the schema that it holds as text read: the text's white space and order of keys say nothing. Blocks of
 * white space only are left out: the service takes them no more.
 */
function canonical(body: JsonObject): JsonObject {
  return JSON.parse(JSON.stringify(body), (key, value: unknown) => {
    if (key === 'schema' && typeof value === 'string') return JSON.parse(value);
    return key === 'content' && Array.isArray(value) ? value.filter((block) => !isBlank(block)) : value;
  }) as JsonObject;
}

function isBlank(block: unknown): boolean {
  return isObject(block) && typeof block['text'] === 'string' && block['text'].trim() === '';
}

test('recorded requests come through decode and encode whole, with nothing dropped', options, () => {
  const diff = new WireDiff(REQUEST_EXCLUSIONS);
  let count = 0;
  for (const { id, model, sent } of exchanges()) {
    const { body, dropped } = converse.encodeRequest(decodeRequest(sent, model), model);
    assert.deepEqual(diff.compare(canonical(sent), canonical(body)), [], id);
    assert.deepEqual(dropped, [], id);
    count++;
  }
  assert.ok(count > 110, `only ${count} requests`);
  assert.deepEqual(diff.unused(), []);
});

test('every recorded answer is decoded, with its blocks, its usage and why it ended', options, () => {
  const recorded = readRecordings('amazon-bedrock').flatMap(({ id, body }) => (body ? [{ id, body }] : []));
  const exchanged = exchanges()
    .filter(({ response, url }) => response.status === 200 && !url.endsWith('-stream'))
    .map(({ id, response }) => ({ id, body: parsed(response.body) }));
  let count = 0;
  for (const { id, body } of [...exchanged, ...recorded]) {
    const { choices, usage } = converse.decodeResponse(body);
    const wire = body as unknown as {
      output: { message: { content: JsonObject[] } };
      usage: Record<string, number>;
    };
    const [choice] = choices;
    assert.equal(choice?.parts.length, wire.output.message.content.length, id);
    assert.notEqual(choice?.finish, 'other', id);
    assert.equal(usage?.input, wire.usage['inputTokens'], id);
    assert.equal(usage?.output, wire.usage['outputTokens'], id);
    assert.equal(usage?.cacheRead, wire.usage['cacheReadInputTokens'] ?? 0, id);
    assert.equal(usage?.cacheWrite, wire.usage['cacheWriteInputTokens'] ?? 0, id);
    for (const [index, part] of choice?.parts.entries() ?? []) {
      // What is kept verbatim is what Bedrock ran itself, and nothing else.
      const block = wire.output.message.content[index] ?? {};
      const isServerTool = JSON.stringify(block).includes('"server_tool_use"') || 'toolResult' in block;
      assert.equal(part.type === 'opaque', isServerTool, `${id}: ${JSON.stringify(block).slice(0, 200)}`);
    }
    count++;
  }
  assert.ok(count > 100, `only ${count} answers`);
});

function recordedStreams(): { id: string; messages: StreamMessage[] }[] {
  const binary = exchanges().flatMap(({ id, response: { body } }) => {
    if (!isObject(body) || typeof body['base64'] !== 'string') return [];
    return [{ id, messages: readFrames(Buffer.from(body['base64'], 'base64'), 7) }];
  });
  const chunked = readRecordings('amazon-bedrock').flatMap(({ id, chunks }) =>
    chunks ? [{ id, messages: chunks.map((chunk) => messageOf(parsed(chunk))) }] : [],
  );
  return [...binary, ...chunked];
}

/** The answer that a stream is pieces of, put together by hand from the events' own fields. */
function wholeOf(messages: readonly StreamMessage[]): JsonObject {
  const content: JsonObject[] = [];
  const whole: JsonObject = {};
  for (const { event, data } of messages) {
    const { contentBlockIndex, start, delta, ...fields } = parsed(data);
    const index = Number(contentBlockIndex ?? -1);
    if (event === 'messageStop' || event === 'metadata') Object.assign(whole, fields);
    if (event === 'contentBlockStart') content[index] = start as JsonObject;
    if (event === 'contentBlockDelta') content[index] = addDelta(content[index] ?? {}, parsed(delta));
  }
  for (const block of content) {
    const { toolUse } = block;
    if (isObject(toolUse)) toolUse['input'] = tryParseJson(String(toolUse['input'] ?? '{}')) ?? {};
  }
  const { p: _, ...rest } = whole;
  return { ...rest, output: { message: { role: 'assistant', content } } };
}

function addDelta(block: JsonObject, delta: JsonObject): JsonObject {
  const { reasoningContent } = delta;
  if (!isObject(reasoningContent)) return appendAll(block, delta);
  const before = isObject(block['reasoningContent']) ? block['reasoningContent'] : {};
  if ('redactedContent' in reasoningContent) return { reasoningContent: appendAll(before, reasoningContent) };
  const text = isObject(before['reasoningText']) ? before['reasoningText'] : {};
  return { reasoningContent: { reasoningText: appendAll(text, reasoningContent) } };
}

function appendAll(before: JsonObject, delta: JsonObject): JsonObject {
  const entries = Object.entries(delta).map(([key, value]) => {
    const old = before[key];
    if (isObject(value)) return [key, appendAll(isObject(old) ? old : {}, value)];
    return [key, typeof old === 'string' ? old + String(value) : value];
  });
  return { ...before, ...Object.fromEntries(entries) };
}

test('each recorded stream equals the answer that it is pieces of', options, () => {
  let count = 0;
  for (const { id, messages } of recordedStreams()) {
    const collected = collectMessages(messages);
    assert.equal(collected.error, undefined, id);
    assert.equal(collected.ended, true, id);
    const { completion } = collected;
    for (const part of completion.choices.flatMap(({ parts }) => parts)) {
      // The model's own white space is seen only in the stream.
      if (part.type === 'tool_call') part.arguments = JSON.stringify(JSON.parse(part.arguments));
    }
    assert.deepEqual(completion, converse.decodeResponse(wholeOf(messages)), id);
    count++;
  }
  assert.ok(count >= 17, `only ${count} streams`);
});

test('recorded errors keep the words of the service', options, () => {
  const failed = exchanges().filter(({ response }) => response.status !== 200);
  assert.ok(failed.length > 5);
  for (const { id, response } of failed) {
    const { message } = response.body as { message: string };
    assert.equal(converse.decodeError(response.status, response.body).message, message, id);
  }
});
