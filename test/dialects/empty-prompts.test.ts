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

for (const [target, model] of Object.entries(MODELS)) {
  test(`instructions alone are something to answer, to ${target}`, () => {
    const body = { model, messages: [{ role: 'system', content: 'Tell a story.' }] };
    const conversation = DIALECTS.chat.decodeRequest(body, {});
    const sent = DIALECTS[target as DialectName].encodeRequest(conversation, model).body;
    assert.match(JSON.stringify(sent), /Tell a story\./);
  });
}
