import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { GatewayError } from '../../src/conversation/gateway-error.ts';
import { AwsEventReader } from '../../src/upstream/aws-event-reader.ts';
import { EventReader } from '../../src/upstream/event-reader.ts';
import { createStreamReader } from '../../src/upstream/stream-reader.ts';
import { writeError, writeEvent, writeException, writeFrame } from '../support/bedrock/frames.ts';

const STREAM = Buffer.concat([
  writeEvent('messageStart', { role: 'assistant' }),
  writeEvent('contentBlockDelta', { contentBlockIndex: 0, delta: { text: 'Grüße 👋' } }),
  writeException('throttlingException', { message: 'Too many requests' }),
  writeError('InternalFailure', 'It broke.'),
]);
const MESSAGES = [
  { event: 'messageStart', data: '{"role":"assistant"}' },
  { event: 'contentBlockDelta', data: '{"contentBlockIndex":0,"delta":{"text":"Grüße 👋"}}' },
  { event: 'throttlingException', data: '{"message":"Too many requests"}' },
  { event: 'error', data: '{"code":"InternalFailure","message":"It broke."}' },
];

function read(pieces: readonly Buffer[]): unknown[] {
  const reader = new AwsEventReader();
  return [...pieces.flatMap((piece) => reader.push(piece)), ...reader.end()];
}

const isBrokenFrame = (error: unknown): boolean =>
  error instanceof GatewayError && error.kind === 'upstream_unavailable';

test('events, exceptions and undeclared errors become messages', () => {
  assert.deepEqual(read([STREAM]), MESSAGES);
});

test('every single byte on its own gives the same, also inside the first four', () => {
  assert.deepEqual(read([...STREAM].map((byte) => Buffer.of(byte))), MESSAGES);
});

test('any cuts of the bytes give the same', () => {
  const cuts = fc.array(fc.nat(STREAM.length), { maxLength: 30 }).map((at) => [...at].sort((a, b) => a - b));
  fc.assert(
    fc.property(cuts, (ends) => {
      const pieces = [...ends, STREAM.length].map((end, index) => STREAM.subarray(ends[index - 1] ?? 0, end));
      assert.deepEqual(read(pieces), MESSAGES);
    }),
  );
});

test('a stream that ends anywhere inside a frame is an error, never a clean end', () => {
  const frame = writeEvent('messageStop', { stopReason: 'end_turn' });
  for (let length = 1; length < frame.length; length++) {
    const reader = new AwsEventReader();
    assert.deepEqual(reader.push(frame.subarray(0, length)), []);
    assert.throws(() => reader.end(), isBrokenFrame, `after ${length} bytes`);
  }
});

test('any byte changed on the way is an error', () => {
  const frame = writeEvent('contentBlockDelta', { contentBlockIndex: 0, delta: { text: 'x' } });
  fc.assert(
    fc.property(fc.nat(frame.length - 1), fc.integer({ min: 1, max: 255 }), (at, mask) => {
      const changed = Buffer.from(frame);
      changed[at] = (changed[at] ?? 0) ^ mask;
      assert.throws(() => read([changed]), isBrokenFrame);
    }),
  );
});

test('a broken length is told at once: nothing is waited for and no memory is filled', () => {
  const frame = writeEvent('messageStart', { role: 'assistant' });
  frame.writeUInt32BE(0x7fffffff, 0);
  const reader = new AwsEventReader();
  assert.throws(() => reader.push(frame.subarray(0, 12)), /checksum of a frame is wrong/);
});

test('a frame larger than the bound is refused by its head alone', () => {
  const huge = writeFrame({ ':message-type': 'event' }, 'x'.repeat(33 * 1024 * 1024));
  const reader = new AwsEventReader();
  assert.throws(() => reader.push(huge.subarray(0, 12)), /a frame of more than \d+ bytes/);
});

test('a frame that does not say what it holds is an error', () => {
  assert.throws(() => read([writeFrame({ ':message-type': 'banana' }, '{}')]), /does not say what it holds/);
  assert.throws(() => read([writeFrame({}, '{}')]), /does not say what it holds/);
});

test('the reader is chosen by the content type', () => {
  assert.ok(createStreamReader('application/vnd.amazon.eventstream') instanceof AwsEventReader);
  for (const type of [
    'text/event-stream',
    'text/event-stream; charset=utf-8',
    'application/octet-stream',
    '',
  ]) {
    assert.ok(createStreamReader(type) instanceof EventReader, type);
  }
});
