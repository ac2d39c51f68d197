import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Message } from '../../../src/conversation/conversation.ts';
import type { JsonObject } from '../../../src/conversation/json.ts';
import { gemini } from '../../../src/dialects/gemini/index.ts';
import { decodeToolResult, encodeToolResult } from '../../../src/dialects/gemini/tool-results.ts';
import { assistant, call, conversation, result, user } from '../messages/conversations.ts';

function encode(text: string, isError?: boolean): unknown {
  const { functionResponse } = encodeToolResult(
    { type: 'tool_result', callId: 'c', parts: [{ type: 'text', text }], ...(isError ? { isError } : {}) },
    { id: undefined, name: 'f', mediaInside: true, pathOf: () => 'p' },
  );
  return functionResponse['response'];
}

describe('the response of a function is an object', () => {
  const cases: [string, string, boolean, unknown][] = [
    ['plain text', 'sunny', false, { output: 'sunny' }],
    ['the text of an object', '{"temp":5}', false, { temp: 5 }],
    ['the text of a list', '[1]', false, { output: '[1]' }],
    ['no text', '', false, { output: '' }],
    ['an error in words', 'no such city', true, { error: 'no such city' }],
    ['an error as an object', '{"code":404}', true, { error: { code: 404 } }],
    [
      'an object with a $ref, which would be read as a media part',
      '{"a":{"$ref":"#/x"}}',
      false,
      { output: '{"a":{"$ref":"#/x"}}' },
    ],
  ];
  for (const [name, text, isError, response] of cases) {
    test(name, () => assert.deepEqual(encode(text, isError), response));
  }
});

describe('a function’s response read and written again is the same', () => {
  const responses: JsonObject[] = [
    {},
    { output: 'sunny' },
    { output: '{"a":1}' },
    { output: { a: 1 } },
    { output: 'sunny', more: 1 },
    { error: 'no such city' },
    { error: '{"a":1}' },
    { error: { code: 404 } },
    { error: 5 },
    { error: 'x', output: 'y' },
    { result: null },
    { output: '{"$ref":"x"}' },
  ];
  for (const response of responses) {
    test(JSON.stringify(response), () => {
      const decoded = decodeToolResult({ name: 'f', response }, 'c', 'functionResponse');
      const { functionResponse } = encodeToolResult(decoded, {
        id: undefined,
        name: 'f',
        mediaInside: 'caller',
        pathOf: () => 'p',
      });
      assert.deepEqual(functionResponse, { name: 'f', response });
    });
  }
});

test('a result that is nothing but media says no words', () => {
  const picture = { inlineData: { mimeType: 'image/png', data: 'AAAA' } };
  const response = { name: 'f', response: { output: '' }, parts: [picture] };
  const { parts } = decodeToolResult(response, 'c', 'functionResponse');
  assert.deepEqual(
    parts.map(({ type }) => type),
    ['image'],
  );
});

describe('media of several results', () => {
  const picture = (base64: string) =>
    ({ type: 'image', source: { kind: 'data', mediaType: 'image/png', base64 } }) as const;
  const results: Message[] = ['b', 'a'].map((callId) => ({
    role: 'tool',
    parts: [{ type: 'tool_result', callId, parts: [picture(callId === 'a' ? 'AAAA' : 'BBBB')] }],
  }));
  const asked = conversation({
    messages: [
      user('Look'),
      assistant(call('a', '{"at":1}'), call('b', '{"at":2}'), call('c', '{}', 'clock')),
      ...results,
      result('c', 'noon'),
      user('Well?'),
    ],
  });
  const image = (data: string) => ({ inlineData: { mimeType: 'image/png', data } });
  const partsOf = (model: string) => {
    const { contents } = gemini.encodeRequest(asked, model, 'vendor').body;
    return (contents as { parts: JsonObject[] }[])[2]?.parts;
  };

  test('that Gemini 2.5 takes behind all of them say which call they are of', () => {
    const follows = { output: 'What this tool returned follows behind the results.' };
    const look = { functionResponse: { name: 'look', response: follows } };
    assert.deepEqual(partsOf('gemini-2.5-flash'), [
      look,
      look,
      { functionResponse: { name: 'clock', response: { output: 'noon' } } },
      { text: 'Returned by the tool call look (result 1 of 3):' },
      image('AAAA'),
      { text: 'Returned by the tool call look (result 2 of 3):' },
      image('BBBB'),
      { text: 'Well?' },
    ]);
  });

  test('stand in their results at Gemini 3', () => {
    const [first, second] = partsOf('gemini-3-pro-preview') ?? [];
    assert.partialDeepStrictEqual(first, { functionResponse: { parts: [image('AAAA')] } });
    assert.partialDeepStrictEqual(second, { functionResponse: { parts: [image('BBBB')] } });
  });
});
