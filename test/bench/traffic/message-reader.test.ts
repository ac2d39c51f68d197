import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MessageReader } from '../../../bench/traffic/message-reader.ts';

interface Message {
  startLine: string;
  body: string;
}

const FIXED = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello';
const EMPTY = 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n';
const CHUNKED =
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\ndata: \r\n1a;note=x\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\n\r\n';
const TRAILER =
  'HTTP/1.1 500 No\r\ntransfer-encoding: chunked\r\n\r\n2\r\n\r\n\r\n0\r\nx-sum: 1\r\nx-more: 2\r\n\r\n';
const REQUEST = 'GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n';

const MESSAGES: Message[] = [
  { startLine: 'HTTP/1.1 200 OK', body: 'hello' },
  { startLine: 'HTTP/1.1 200 OK', body: '' },
  { startLine: 'HTTP/1.1 200 OK', body: 'data: abcdefghijklmnopqrstuvwxyz' },
  { startLine: 'HTTP/1.1 500 No', body: '\r\n' },
  { startLine: 'GET /v1/models HTTP/1.1', body: '' },
];

function readPieces(pieces: readonly Buffer[]): Message[] {
  const messages: Message[] = [];
  let message: Message = { startLine: '', body: '' };
  const reader = new MessageReader({
    onHead(head) {
      message = { startLine: head.split('\r\n')[0] ?? '', body: '' };
    },
    onBody(bytes) {
      message.body += bytes.toString('latin1');
    },
    onEnd() {
      messages.push(message);
    },
  });
  for (const piece of pieces) reader.feed(piece);
  return messages;
}

function cutAt(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const ends = [...new Set(cuts), bytes.length].toSorted((a, b) => a - b);
  return ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
}

const CONNECTION = Buffer.from(FIXED + EMPTY + CHUNKED + TRAILER + REQUEST);

test('messages with a length, in chunks, with trailers and without a body follow each other on a connection', () => {
  assert.deepEqual(readPieces([CONNECTION]), MESSAGES);
});

test('the messages are the same however the bytes are cut', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(CONNECTION.length)), (cuts) => {
      assert.deepEqual(readPieces(cutAt(CONNECTION, cuts)), MESSAGES);
    }),
  );
});

test('the messages are the same byte by byte', () => {
  assert.deepEqual(readPieces(cutAt(CONNECTION, [...CONNECTION.keys()])), MESSAGES);
});

test('an answer without a length is refused, since its end could not be told from a cut', () => {
  assert.throws(() => readPieces([Buffer.from('HTTP/1.1 200 OK\r\n\r\n')]), /without a length/);
});

test('a chunk without a size is refused', () => {
  const broken = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nhello\r\n';
  assert.throws(() => readPieces([Buffer.from(broken)]), /not a chunk size: hello/);
});
