import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countPassThrough, passThrough } from '../../../src/dialects/messages/pass-through.ts';
import { findTopLevelFields } from '../../../src/dialects/request-fields.ts';

const scanner = () => passThrough.streamScanner({ hideUsage: false });
const event = (type: string, fields = '') =>
  Buffer.from(`event: ${type}\ndata: {"type":"${type}"${fields}}\n\n`);

const START = event('message_start', ',"message":{"usage":{"input_tokens":7,"output_tokens":1}}');
const TEXT_BLOCK = event('content_block_start', ',"index":0,"content_block":{"type":"text","text":""}');
const delta = (text: string) =>
  event('content_block_delta', `,"index":0,"delta":{"type":"text_delta","text":"${text}"}`);
const STOP = event('message_delta', ',"delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":5}');
const LAST = event('message_stop');

test('only the model of a request is replaced', () => {
  const body = Buffer.from('{"stream": true,"model":"a" , "x":{"model":"b"},"n":1e999}');
  const spans = findTopLevelFields(body, passThrough.fields);
  const sent = passThrough.prepareRequest(body, spans, { model: 'c"d', stream: true });
  assert.equal(sent.toString(), '{"stream": true,"model":"c\\"d" , "x":{"model":"b"},"n":1e999}');
});

test('the usage of a whole answer is its own, not that of what a tool was given', () => {
  const body = Buffer.from(
    '{"type":"message","content":[{"type":"tool_use","input":{"usage":{"input_tokens":1,"output_tokens":1}}}],"usage":{"input_tokens":7,"cache_read_input_tokens":2,"output_tokens":5}}',
  );
  const usage = passThrough.readUsage(body);
  assert.deepEqual([usage?.input, usage?.cacheRead, usage?.output], [7, 2, 5]);
  assert.equal(countPassThrough.readUsage(body), undefined);
  assert.equal(passThrough.readUsage(Buffer.from('{"content":[]}')), undefined);
});

test('an error in the place of an answer is found, and only that', () => {
  const failure = passThrough.readFailure(
    Buffer.from('{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'),
  );
  assert.deepEqual([failure?.kind, failure?.message], ['upstream_unavailable', 'Overloaded']);
  const quoting = '{"type":"message","content":[{"type":"tool_use","input":{"type":"error","error":{}}}]}';
  assert.equal(passThrough.readFailure(Buffer.from(quoting)), undefined);
});

test('an answer that stands in the first event as a whole is one', () => {
  const speaking = scanner();
  const whole =
    ',"message":{"content":[{"type":"tool_use","id":"t","name":"f","input":{}}],"stop_reason":"tool_use","usage":{"input_tokens":7,"output_tokens":1}}';
  speaking.scan(event('message_start', whole));
  assert.deepEqual([speaking.hasOutput, speaking.finished], [true, true]);
  speaking.scan(LAST);
  assert.deepEqual([speaking.terminated, speaking.failure], [true, undefined]);
});

test('lifecycle events are no output; a word, a tool call and the end of an answer are', () => {
  const quiet = scanner();
  for (const bytes of [START, event('ping'), TEXT_BLOCK, delta(''), event('future_event')]) {
    assert.equal(quiet.scan(bytes), bytes);
    assert.equal(quiet.hasOutput, false);
  }
  const tool = event(
    'content_block_start',
    ',"index":0,"content_block":{"type":"tool_use","id":"t","name":"f","input":{}}',
  );
  for (const bytes of [delta('x'), tool, STOP]) {
    const speaking = scanner();
    speaking.scan(bytes);
    assert.equal(speaking.hasOutput, true);
  }
});

test('usage is the newest of what both ends of a stream say, never the sum', () => {
  const whole = scanner();
  whole.scan(Buffer.concat([START, TEXT_BLOCK, delta('a'), delta('b'), STOP, LAST]));
  assert.deepEqual([whole.usage?.input, whole.usage?.output], [7, 5]);
  assert.deepEqual([whole.finished, whole.terminated, whole.outputEvents], [true, true, 2]);
  assert.equal(whole.closing(), '');
});

test('a stream that lacks its last event is told how it ends', () => {
  const cut = scanner();
  cut.scan(Buffer.concat([START, delta('a'), STOP]));
  assert.deepEqual([cut.finished, cut.terminated], [true, false]);
  assert.equal(cut.closing(), LAST.toString());
});

test('what follows the last event is not the answer’s', () => {
  const two = scanner();
  two.scan(Buffer.concat([START, delta('a'), STOP, LAST, START, event('error', ',"error":{}')]));
  assert.deepEqual([two.failure, two.usage?.output], [undefined, 5]);
});

const FAILURES: [what: string, bytes: Buffer, message: RegExp][] = [
  [
    'an error event',
    event('error', ',"error":{"type":"overloaded_error","message":"Overloaded"}'),
    /Overloaded/,
  ],
  ['an error without a type', Buffer.from('data: {"error":{"message":"Broken"}}\n\n'), /Broken/],
  ['no JSON', Buffer.from('event: message_delta\ndata: {"typ\n\n'), /not a JSON object/],
  ['an end without a reason', LAST, /without saying why/],
];

for (const [what, bytes, message] of FAILURES) {
  test(`${what} in a stream is a failure, before output and after`, () => {
    for (const before of [START, Buffer.concat([START, delta('x')])]) {
      const failing = scanner();
      failing.scan(before);
      failing.scan(bytes);
      assert.match(failing.failure?.message ?? '', message);
    }
  });
}

test('the ending of compatible servers does no harm', () => {
  const lenient = scanner();
  lenient.scan(Buffer.concat([START, delta('a'), STOP, LAST, Buffer.from('data: [DONE]\n\n')]));
  assert.deepEqual([lenient.failure, lenient.terminated], [undefined, true]);
});
