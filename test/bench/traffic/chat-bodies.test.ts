import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildAnswerBody, buildRequestBody, buildStreamEvents } from '../../../bench/traffic/chat-bodies.ts';
import type { JsonObject } from '../../../src/conversation/json.ts';

function parse(bytes: Buffer): JsonObject {
  return JSON.parse(bytes.toString());
}

test('bodies have the size asked for to the byte', () => {
  for (const sizeBytes of [1_024, 20_480, 1_048_576]) {
    assert.equal(buildRequestBody('call-1kb', false, sizeBytes).length, sizeBytes);
    assert.equal(buildAnswerBody('call-1kb', sizeBytes).length, sizeBytes);
  }
});

test('a size that does not hold even an empty message is refused', () => {
  assert.throws(() => buildAnswerBody('call-1kb', 100), /100 bytes do not hold/);
});

test('only a stream is asked for as one, with its usage', () => {
  assert.equal(parse(buildRequestBody('m', false, 1_024))['stream'], undefined);
  const stream = parse(buildRequestBody('m', true, 1_024));
  assert.equal(stream['stream'], true);
  assert.deepEqual(stream['stream_options'], { include_usage: true });
});

test('a whole answer is a chat completion whose usage adds up', () => {
  const answer = parse(buildAnswerBody('call-1kb', 1_024));
  const usage = answer['usage'] as Record<string, number>;
  assert.equal(answer['object'], 'chat.completion');
  assert.equal(usage['total_tokens'], (usage['prompt_tokens'] ?? 0) + (usage['completion_tokens'] ?? 0));
});

test('a stream has as many chunks as asked for and ends with finish reason, usage and [DONE]', () => {
  const events = buildStreamEvents('m', 50).map((event) => event.toString());
  assert.equal(events.length, 50);
  for (const event of events) assert.match(event, /^data: [^\n]+\n\n$/);
  const [finish = '', usage = '', done] = events.slice(-3);
  assert.match(finish, /"finish_reason":"stop"/);
  assert.match(usage, /"choices":\[\],"usage":\{"prompt_tokens":200/);
  assert.equal(done, 'data: [DONE]\n\n');
});
