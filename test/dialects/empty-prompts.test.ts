import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { DialectName } from '../../src/conversation/conversation.ts';
import { GatewayError } from '../../src/conversation/gateway-error.ts';
import type { JsonObject } from '../../src/conversation/json.ts';
import type { CallerDialectName } from '../../src/dialects/dialect.ts';
import { DIALECTS } from '../../src/dialects/registry.ts';

const MODELS: Record<DialectName, string> = {
  chat: 'mistral-large',
  responses: 'gpt-5',
  messages: 'claude-sonnet-4-5',
  gemini: 'gemini-2.5-flash',
  converse: 'anthropic.claude-sonnet-4-5-20250929-v1:0',
};

const chat = (content: unknown): JsonObject => ({ messages: [{ role: 'user', content }] }) as JsonObject;
const claude = (content: unknown): JsonObject => ({ max_tokens: 9, ...chat(content) });

/** Requests that hold nothing to answer, with the parameter to blame. */
const EMPTY: Record<CallerDialectName, { param: string; bodies: JsonObject[] }> = {
  chat: {
    param: 'messages',
    bodies: [chat(''), chat('   '), chat([]), chat([{ type: 'text', text: '\n' }])],
  },
  responses: {
    param: 'input',
    bodies: [{ input: '' }, { input: [] }, { input: [{ type: 'frobnicate' }] }],
  },
  messages: { param: 'messages', bodies: [claude(''), claude([]), claude([{ type: 'text', text: ' ' }])] },
  gemini: {
    param: 'contents',
    bodies: [{ contents: [{ parts: [] }] }, { contents: [{ parts: [{ text: '' }] }] }],
  },
};

const CALLERS = ['chat', 'responses', 'messages', 'gemini'] as const;

for (const caller of CALLERS) {
  for (const [target, model] of Object.entries(MODELS)) {
    if (target === caller) continue;
    describe(`from ${caller} to ${target}`, () => {
      for (const body of EMPTY[caller].bodies) {
        test(`nothing is not answered: ${JSON.stringify(body)}`, () => {
          const conversation = DIALECTS[caller].decodeRequest({ model, ...body }, { model });
          assert.throws(
            () => DIALECTS[target as DialectName].encodeRequest(conversation, model),
            (error) =>
              error instanceof GatewayError &&
              error.kind === 'invalid_request' &&
              error.param === EMPTY[caller].param,
          );
        });
      }
    });
  }
}

/** A conversation whose last turn of the user holds `text` alone, and where that stands. */
const LAST: Record<CallerDialectName, { param: string; body: (text: string) => JsonObject }> = {
  chat: {
    param: 'messages[2]',
    body: (text) => ({
      messages: [
        { role: 'user', content: 'What is 2+2?' },
        { role: 'assistant', content: '4' },
        { role: 'user', content: text },
      ],
    }),
  },
  responses: {
    param: 'input[2]',
    body: (text) => ({
      input: [
        { role: 'user', content: 'What is 2+2?' },
        { role: 'assistant', content: '4' },
        { role: 'user', content: text },
      ],
    }),
  },
  messages: {
    param: 'messages[2]',
    body: (text) => ({
      max_tokens: 9,
      messages: [
        { role: 'user', content: 'What is 2+2?' },
        { role: 'assistant', content: '4' },
        { role: 'user', content: text },
      ],
    }),
  },
  gemini: {
    param: 'contents[2]',
    body: (text) => ({
      contents: [
        { role: 'user', parts: [{ text: 'What is 2+2?' }] },
        { role: 'model', parts: [{ text: '4' }] },
        { role: 'user', parts: [{ text }] },
      ],
    }),
  },
};

for (const caller of CALLERS) {
  for (const [target, model] of Object.entries(MODELS)) {
    if (target === caller) continue;
    const encode = (body: JsonObject) =>
      DIALECTS[target as DialectName].encodeRequest(
        DIALECTS[caller].decodeRequest({ model, ...body }, { model }),
        model,
      );
    const { param, body } = LAST[caller];
    for (const text of ['', ' \n']) {
      test(`a last turn of the user that is ${JSON.stringify(text)} is refused, from ${caller} to ${target}`, () => {
        assert.throws(
          () => encode(body(text)),
          (error) =>
            error instanceof GatewayError && error.kind === 'invalid_request' && error.param === param,
        );
      });
    }
    test(`one that says something is answered, from ${caller} to ${target}`, () => {
      assert.match(JSON.stringify(encode(body('And 3+3?')).body), /And 3\+3\?/);
    });
  }
}

for (const [target, model] of Object.entries(MODELS)) {
  if (target === 'chat') continue;
  const encode = (messages: JsonObject[]) => {
    const conversation = DIALECTS.chat.decodeRequest({ model, messages }, {});
    return DIALECTS[target as DialectName].encodeRequest(conversation, model);
  };
  test(`instructions do not speak for a user who says nothing, to ${target}`, () => {
    assert.throws(
      () =>
        encode([
          { role: 'system', content: 's' },
          { role: 'user', content: '' },
        ]),
      (error) => error instanceof GatewayError && error.param === 'messages[1]',
    );
  });

  test(`an empty message beside a result of a tool, or other words of the user, is no silence, to ${target}`, () => {
    const call = { id: 'a', type: 'function', function: { name: 'f', arguments: '{}' } };
    encode([
      { role: 'user', content: 'Hi' },
      { role: 'assistant', content: null, tool_calls: [call] },
      { role: 'tool', tool_call_id: 'a', content: '' },
      { role: 'user', content: '' },
    ]);
    encode([
      { role: 'user', content: 'Hi' },
      { role: 'user', content: '' },
    ]);
  });
}

for (const [target, model] of Object.entries(MODELS)) {
  test(`instructions alone are something to answer, to ${target}`, () => {
    const body = { model, messages: [{ role: 'system', content: 'Tell a story.' }] };
    const conversation = DIALECTS.chat.decodeRequest(body, {});
    const sent = DIALECTS[target as DialectName].encodeRequest(conversation, model).body;
    assert.match(JSON.stringify(sent), /Tell a story\./);
  });
}
