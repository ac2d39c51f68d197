import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSignOfLife } from '../../src/upstream/sign-of-life.ts';

const SIGNS = [
  '',
  ' \r\n',
  ':\n\n',
  ': OPENROUTER PROCESSING\n\n',
  ': one\n: two\r\n\r\n',
  ': cut off',
  'event: ping\ndata: {"type": "ping"}\n\n',
  'event:ping\r\ndata:{}\r\n\r\n: and a comment\n\n',
];

const WORDS = [
  'data: {}\n\n',
  ': comment\n\ndata: {}\n\n',
  'event: ping\ndata: {}\n\nevent: message_start\ndata: {}\n\n',
  'event: ping\ndata: {}\n\ndata: {}\n\n',
  '   {"id":1}',
  '\n0',
  '\0',
];

test('white space, comments and pings say only that a provider lives; anything beside them says more', () => {
  for (const text of SIGNS) assert.equal(isSignOfLife(Buffer.from(text)), true, JSON.stringify(text));
  for (const text of WORDS) assert.equal(isSignOfLife(Buffer.from(text)), false, JSON.stringify(text));
});

test('only the bytes that are asked about count', () => {
  const bytes = Buffer.from('data: {}\n\n: comment\n\ndata: {}\n\n');
  assert.equal(isSignOfLife(bytes, 10, 21), true);
  assert.equal(isSignOfLife(bytes, 10, 22), false);
});
