import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Part } from '../../../src/conversation/conversation.ts';
import { GatewayError } from '../../../src/conversation/gateway-error.ts';
import type { JsonObject } from '../../../src/conversation/json.ts';
import { assistant, encode, user } from './conversations.ts';

const TAKEN: [name: string, part: Part, block: JsonObject][] = [
  [
    'an image as data',
    { type: 'image', source: { kind: 'data', mediaType: 'image/png', base64: 'QQ==' } },
    { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'QQ==' } },
  ],
  [
    'an image of the type image/jpg',
    { type: 'image', source: { kind: 'data', mediaType: 'image/jpg', base64: 'QQ==' } },
    { type: 'image', source: { type: 'base64', media_type: 'image/jpeg', data: 'QQ==' } },
  ],
  [
    'an image by URL',
    { type: 'image', source: { kind: 'url', url: 'https://x.test/a' }, detail: 'auto' },
    { type: 'image', source: { type: 'url', url: 'https://x.test/a' } },
  ],
  [
    'an image in Anthropic’s file store',
    { type: 'image', source: { kind: 'fileId', fileId: 'file_1', dialect: 'messages' } },
    { type: 'image', source: { type: 'file', file_id: 'file_1' } },
  ],
  [
    'a PDF as data, with its name',
    {
      type: 'file',
      filename: 'a.pdf',
      source: { kind: 'data', mediaType: 'application/pdf', base64: 'QQ==' },
    },
    {
      type: 'document',
      title: 'a.pdf',
      source: { type: 'base64', media_type: 'application/pdf', data: 'QQ==' },
    },
  ],
  [
    'a text file as data',
    { type: 'file', source: { kind: 'data', mediaType: 'text/csv', base64: 'w6Q7Yg==' } },
    { type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'ä;b' } },
  ],
  [
    'a PDF by URL',
    { type: 'file', source: { kind: 'url', url: 'https://x.test/a.pdf' } },
    { type: 'document', source: { type: 'url', url: 'https://x.test/a.pdf' } },
  ],
  [
    'a text document',
    { type: 'file', source: { kind: 'text', mediaType: 'text/plain', text: 'hello' } },
    { type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'hello' } },
  ],
];
for (const [name, part, block] of TAKEN) {
  test(`${name} is sent`, () => {
    const { body, dropped } = encode({ messages: [user(part)] });
    assert.deepEqual(body['messages'], [{ role: 'user', content: [block] }]);
    assert.deepEqual(dropped, []);
  });
}

test('the detail of an image is named as dropped', () => {
  const image: Part = { type: 'image', source: { kind: 'url', url: 'https://x.test/a' }, detail: 'high' };
  assert.deepEqual(encode({ messages: [user(image)] }).dropped, ['image_url.detail']);
});

const REFUSED: [name: string, part: Part][] = [
  ['audio', { type: 'audio', source: { kind: 'data', mediaType: 'audio/wav', base64: 'QQ==' } }],
  [
    'an image of another type',
    { type: 'image', source: { kind: 'data', mediaType: 'image/tiff', base64: '' } },
  ],
  ['another provider’s file id', { type: 'file', source: { kind: 'fileId', fileId: 'f', dialect: 'chat' } }],
  ['a file of another type', { type: 'file', source: { kind: 'data', mediaType: 'video/mp4', base64: '' } }],
];
for (const [name, part] of REFUSED) {
  test(`${name} is refused with its path`, () => {
    assert.throws(
      () => encode({ messages: [user('look', part)] }),
      (error) =>
        error instanceof GatewayError &&
        error.kind === 'invalid_request' &&
        error.param === 'messages[0].content[1]',
    );
  });
}

test('an image in an assistant message is refused with its path', () => {
  const image: Part = { type: 'image', source: { kind: 'url', url: 'https://x.test/a' } };
  assert.throws(
    () => encode({ messages: [user('a'), assistant(image), user('b')] }),
    (error) => error instanceof GatewayError && error.param === 'messages[1].content[0]',
  );
});

test('media at an address that is not on the web are refused with their path', () => {
  for (const type of ['image', 'file'] as const) {
    const part: Part = { type, source: { kind: 'url', url: 'gs://bucket/a' } };
    assert.throws(
      () => encode({ messages: [user('See', part)] }),
      (error) => error instanceof GatewayError && error.param === 'messages[0].content[1]',
    );
  }
});
