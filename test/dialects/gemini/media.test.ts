import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { MediaSource, Part } from '../../../src/conversation/conversation.ts';
import {
  assistant,
  at,
  call,
  chatConversation,
  contentsFor,
  droppedFor,
  refusalOf,
  user,
} from './conversations.ts';

const file = (source: MediaSource): Part => ({ type: 'file', source });
const url = (address: string, mediaType?: string): MediaSource =>
  mediaType === undefined ? { kind: 'url', url: address } : { kind: 'url', url: address, mediaType };

describe('media in a user’s message', () => {
  const cases: [string, Part, unknown][] = [
    [
      'an image as data',
      { type: 'image', source: { kind: 'data', mediaType: 'image/png', base64: 'AA==' } },
      { inlineData: { mimeType: 'image/png', data: 'AA==' } },
    ],
    [
      'a sound as data',
      { type: 'audio', source: { kind: 'data', mediaType: 'audio/wav', base64: 'AA==' } },
      { inlineData: { mimeType: 'audio/wav', data: 'AA==' } },
    ],
    [
      'a document as text',
      file({ kind: 'text', mediaType: 'text/plain', text: 'é' }),
      { inlineData: { mimeType: 'text/plain', data: 'w6k=' } },
    ],
    [
      'an https URL with its type',
      file(url('https://example.com/a', 'application/pdf')),
      { fileData: { mimeType: 'application/pdf', fileUri: 'https://example.com/a' } },
    ],
    [
      'an https URL whose ending tells the type',
      { type: 'image', source: url('https://example.com/b.c/a.JPG?x=.png#f') },
      { fileData: { mimeType: 'image/jpeg', fileUri: 'https://example.com/b.c/a.JPG?x=.png#f' } },
    ],
    [
      'a Cloud Storage object',
      file(url('gs://bucket/a.mp4')),
      { fileData: { mimeType: 'video/mp4', fileUri: 'gs://bucket/a.mp4' } },
    ],
    [
      'a YouTube video, whose type the provider knows',
      file(url('https://www.youtube.com/watch?v=x')),
      { fileData: { fileUri: 'https://www.youtube.com/watch?v=x' } },
    ],
    [
      'a file of the Files API',
      file(url('https://generativelanguage.googleapis.com/v1beta/files/abc')),
      { fileData: { fileUri: 'https://generativelanguage.googleapis.com/v1beta/files/abc' } },
    ],
    [
      'a file by its id in the Files API',
      file({ kind: 'fileId', fileId: 'files/abc', dialect: 'gemini' }),
      { fileData: { fileUri: 'files/abc' } },
    ],
  ];
  for (const [name, part, wire] of cases) {
    test(name, () => assert.deepEqual(at(contentsFor([user(part)]), 0, 'parts', 0), wire));
  }

  test('is refused where its type cannot be known', () => {
    const image: Part = { type: 'image', source: url('https://example.com/picture') };
    assert.throws(() => contentsFor([user('a'), user(image)]), refusalOf('messages[1].content[0]'));
  });

  test('is refused where it is in another provider’s store', () => {
    const stored = file({ kind: 'fileId', fileId: 'file-1', dialect: 'chat' });
    assert.throws(() => contentsFor([user(stored)]), refusalOf('messages[0].content[0]'));
  });

  test('loses the wanted detail, and says so', () => {
    const source: MediaSource = { kind: 'data', mediaType: 'image/png', base64: 'AA==' };
    const asked = (detail: string) => chatConversation([user({ type: 'image', source, detail })]);
    assert.deepEqual(droppedFor(asked('high')), ['image_url.detail']);
    assert.deepEqual(droppedFor(asked('auto')), []);
  });
});

describe('media in a tool’s result', () => {
  const png: MediaSource = { kind: 'data', mediaType: 'image/png', base64: 'AA==' };
  const blob = { inlineData: { mimeType: 'image/png', data: 'AA==' } };
  const answered = (...parts: (Part & { type: 'image' | 'file' })[]) => [
    user('a'),
    assistant(call('c', 'f', '{}', 's')),
    {
      role: 'tool' as const,
      parts: [
        {
          type: 'tool_result' as const,
          callId: 'c',
          parts: [{ type: 'text' as const, text: 'seen' }, ...parts],
        },
      ],
    },
  ];

  test('goes inside the result on Gemini 3', () => {
    const contents = contentsFor(answered({ type: 'image', source: png }));
    assert.deepEqual(at(contents, 2, 'parts'), [
      { functionResponse: { id: 'c', name: 'f', response: { output: 'seen' }, parts: [blob] } },
    ]);
  });

  test('stands beside it on older models', () => {
    const contents = contentsFor(answered({ type: 'image', source: png }), 'gemini-2.5-pro');
    assert.deepEqual(at(contents, 2, 'parts'), [
      { functionResponse: { name: 'f', response: { output: 'seen' } } },
      { text: 'Returned by the tool call f:' },
      blob,
    ]);
  });

  test('stands beside it where results cannot hold its type, or it is a URL', () => {
    const video: MediaSource = { kind: 'data', mediaType: 'video/mp4', base64: 'AA==' };
    const contents = contentsFor(
      answered({ type: 'file', source: video }, { type: 'image', source: url('https://example.com/a.png') }),
    );
    assert.deepEqual(at(contents, 2, 'parts'), [
      { functionResponse: { id: 'c', name: 'f', response: { output: 'seen' } } },
      { text: 'Returned by the tool call f:' },
      { inlineData: { mimeType: 'video/mp4', data: 'AA==' } },
      { fileData: { mimeType: 'image/png', fileUri: 'https://example.com/a.png' } },
    ]);
  });
});
