import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GatewayError } from '../../../src/conversation/gateway-error.ts';
import { arrayPassThrough } from '../../../src/dialects/gemini/json-array.ts';
import {
  countPassThrough,
  embedPassThrough,
  passThrough,
} from '../../../src/dialects/gemini/pass-through.ts';
import type { PassThrough } from '../../../src/dialects/pass-through.ts';
import { findTopLevelFields } from '../../../src/dialects/request-fields.ts';

const scanner = (kind: PassThrough = passThrough) => kind.streamScanner({ hideUsage: false });
const chunk = (json: string) => Buffer.from(`data: ${json}\r\n\r\n`);
const text = (words: string) => `{"candidates":[{"content":{"parts":[{"text":"${words}"}]}}]}`;
const END =
  '{"candidates":[{"content":{"parts":[{"text":""}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":5}}';

function prepare(kind: PassThrough, body: string, model = 'g'): string {
  const bytes = Buffer.from(body);
  const spans = findTopLevelFields(bytes, kind.fields);
  return kind.prepareRequest(bytes, spans, { model, stream: false }).toString();
}

test('a request is sent as it is; a model in its body follows the URL', () => {
  const body = '{ "contents":[], "x":1e999 }';
  assert.equal(prepare(passThrough, body), body);
  assert.equal(prepare(passThrough, '{"model":"models/a", "x":1.0}'), '{"model":"models/g", "x":1.0}');
  assert.equal(prepare(passThrough, '{"model":"a"}', 'tunedModels/t'), '{"model":"tunedModels/t"}');
});

test('requests within a request name the model, too', () => {
  assert.equal(
    prepare(embedPassThrough, '{"requests":[{"model":"models/a","x":1},{"content":{}}]}'),
    '{"requests":[{"model":"models/g","x":1},{"content":{}}]}',
  );
  for (const key of ['generateContentRequest', 'generate_content_request']) {
    assert.equal(
      prepare(countPassThrough, `{"${key}":{"model":"models/a"}}`),
      `{"${key}":{"model":"models/g"}}`,
    );
  }
});

test('of requests within a request only the model changes: numbers, order and spacing stay as they came', () => {
  assert.equal(
    prepare(
      countPassThrough,
      '{"contents":[{"parts":[{"functionCall":{"args":{"id":1234567890123456789,"b":1.0,"10":1,"2":2}}}]}] , "model": "models/a"}',
    ),
    '{"contents":[{"parts":[{"functionCall":{"args":{"id":1234567890123456789,"b":1.0,"10":1,"2":2}}}]}] , "model": "models/g"}',
  );
  assert.equal(
    prepare(
      embedPassThrough,
      '{ "requests" : [ {"x":1e999, "model" :"a" , "y":{"model":"b"}} , {"content":{"model":"b"}},{"model":"c"} ] , "z":[1.0] }',
      'tunedModels/t',
    ),
    '{ "requests" : [ {"x":1e999, "model" :"tunedModels/t" , "y":{"model":"b"}} , {"content":{"model":"b"}},{"model":"tunedModels/t"} ] , "z":[1.0] }',
  );
  // A repeated field may stand there as its one element, and a count may name both.
  assert.equal(
    prepare(
      countPassThrough,
      '{"model":"a","generateContentRequest":{"n":1.0,"model":"b"},"requests":{"model":"c"}}',
    ),
    '{"model":"models/g","generateContentRequest":{"n":1.0,"model":"models/g"},"requests":{"model":"models/g"}}',
  );
  assert.equal(prepare(embedPassThrough, '{"requests":[],"n":1.0}'), '{"requests":[],"n":1.0}');
});

test('a model that stands twice in a request within a request is refused: two readers would find two', () => {
  for (const body of [
    '{"requests":[{"model":"a","model":"b"}]}',
    '{"requests":[{"model":"a","Model":"b"}]}',
    '{"requests":[{"model":"a",}]}',
  ]) {
    assert.throws(() => prepare(embedPassThrough, body), { kind: 'invalid_request' }, body);
  }
});

test('usage and errors of whole answers', () => {
  assert.equal(passThrough.readUsage(Buffer.from(END))?.output, 5);
  assert.equal(countPassThrough.readUsage(Buffer.from(END)), undefined);
  const failure = passThrough.readFailure(
    Buffer.from('{"error":{"code":429,"message":"Slow down","status":"RESOURCE_EXHAUSTED"}}'),
  );
  assert.equal(failure?.kind, 'upstream_rate_limited');
  for (const body of [END, '{"promptFeedback":{}}']) {
    assert.equal(passThrough.readFailure(Buffer.from(body)), undefined);
  }
});

test('empty text is no output; words, calls, a finish reason and a blocked prompt are', () => {
  const quiet = scanner();
  quiet.scan(chunk(text('')));
  quiet.scan(chunk('{"usageMetadata":{"trafficType":"ON_DEMAND"}}'));
  assert.equal(quiet.hasOutput, false);
  for (const json of [
    text('x'),
    '{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f"}}]}}]}',
    '{"candidates":[{"finishReason":"SAFETY"}]}',
    '{"promptFeedback":{"blockReason":"SAFETY"}}',
  ]) {
    const speaking = scanner();
    speaking.scan(chunk(json));
    assert.equal(speaking.hasOutput, true, json);
  }
});

test('a stream is finished when all its candidates are, or its prompt was blocked', () => {
  const two = scanner();
  two.scan(chunk('{"candidates":[{"index":0,"finishReason":"STOP"},{"index":1}]}'));
  assert.equal(two.finished, false);
  two.scan(chunk('{"candidates":[{"index":1,"finishReason":"STOP"}]}'));
  assert.equal(two.finished, true);
  const blocked = scanner();
  blocked.scan(chunk('{"promptFeedback":{"blockReason":"SAFETY"}}'));
  assert.equal(blocked.finished, true);
});

test('an error in a stream is a failure', () => {
  for (const json of [
    '{"error":{"code":503,"message":"Busy"}}',
    '[{"error":{"code":503,"message":"Busy"}}]',
  ]) {
    const failing = scanner();
    failing.scan(chunk(json));
    assert.equal(failing.failure?.message, 'Busy');
  }
  const broken = scanner();
  broken.scan(chunk('{"cand'));
  assert.match(broken.failure?.message ?? '', /not a JSON object/);
});

test('as a JSON array a stream is one JSON text, however it ends', () => {
  const whole = scanner(arrayPassThrough);
  const ended = [chunk(text('a')), Buffer.concat([chunk(text('b')), chunk(END)])].map((bytes) =>
    whole.scan(bytes),
  );
  const array = JSON.parse(ended.join('') + whole.closing()) as unknown[];
  assert.deepEqual(array, [JSON.parse(text('a')), JSON.parse(text('b')), JSON.parse(END)]);
  assert.equal(whole.usage?.output, 5);

  const broken = scanner(arrayPassThrough);
  const begun = broken.scan(chunk(text('a'))).toString();
  const error = new GatewayError('upstream_unavailable', 'Gone.');
  const [, last] = JSON.parse(begun + broken.breakOff?.(error)) as { error: { message: string } }[];
  assert.equal(last?.error.message, 'Gone.');

  const failing = scanner(arrayPassThrough);
  const failed = failing.scan(Buffer.concat([chunk(text('a')), chunk('{"error":{"code":500}}')]));
  assert.equal((JSON.parse(failed.toString()) as unknown[]).length, 2);

  // What comes in one packet with an event that cannot be read is told, and the array goes on behind it.
  const unreadable = scanner(arrayPassThrough);
  const good = unreadable
    .scan(Buffer.concat([chunk(text('a')), chunk(text('b')), chunk('{"cand')]))
    .toString();
  assert.equal(unreadable.failureIsTold, false);
  const told = JSON.parse(good + unreadable.breakOff?.(error)) as unknown[];
  assert.deepEqual(told.slice(0, 2), [JSON.parse(text('a')), JSON.parse(text('b'))]);
  assert.equal(told.length, 3);

  const empty = scanner(arrayPassThrough);
  assert.deepEqual(JSON.parse(empty.closing()), []);
});
