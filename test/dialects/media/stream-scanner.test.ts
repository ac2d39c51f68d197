import assert from 'node:assert/strict';
import { test } from 'node:test';
import { passThrough } from '../../../src/dialects/media/pass-through.ts';
import { findTopLevelFields } from '../../../src/dialects/request-fields.ts';

const event = (type: string) => Buffer.from(`event: ${type}\ndata: {"type":"${type}"}\n\n`);
const PARTIAL = event('image_generation.partial_image');
const IMAGE = event('image_generation.completed');

function scannerFor(request: string) {
  const body = Buffer.from(request);
  const spans = findTopLevelFields(body, passThrough.fields);
  return passThrough.streamScanner({ hideUsage: true, asked: passThrough.countAsked?.(body, spans) });
}

test('a stream of several images is whole with the last of them', () => {
  const scanner = scannerFor('{"model":"m","n":2,"stream":true}');
  for (const [bytes, finished] of [
    [PARTIAL, false],
    [IMAGE, false],
    [PARTIAL, false],
    [IMAGE, true],
  ] as const) {
    scanner.scan(bytes);
    assert.equal(scanner.finished, finished);
  }
});

test('one is asked for where the request says nothing, or nothing that can be', () => {
  for (const request of ['{}', '{"n":null}', '{"n":0}', '{"n":"2"}', '{"n":1}', '{"n":1.5}']) {
    const scanner = scannerFor(request);
    scanner.scan(IMAGE);
    assert.equal(scanner.finished, true, request);
  }
});

test('a stream that says that it is over is, and so is one that speaks', () => {
  const done = scannerFor('{"n":3}');
  done.scan(IMAGE);
  done.scan(Buffer.from('data: [DONE]\n\n'));
  assert.deepEqual([done.finished, done.terminated], [true, true]);
  const speaking = scannerFor('{"n":3}');
  speaking.scan(event('speech.audio.done'));
  assert.equal(speaking.finished, true);
});
