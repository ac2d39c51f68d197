import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Conversation } from '../../src/conversation/conversation.ts';
import type { JsonObject } from '../../src/conversation/json.ts';
import { completions } from '../../src/dialects/completions/index.ts';
import { DIALECTS } from '../../src/dialects/registry.ts';

const HELLO = [{ role: 'user', content: 'Hi' }];
const CONTENTS = [{ role: 'user', parts: [{ text: 'Hi' }] }];

/** Each: who reads it, a request, and the same with a list of no stop sequences. */
const REQUESTS: [string, (body: JsonObject) => Conversation, JsonObject, JsonObject][] = [
  ['chat', (body) => DIALECTS.chat.decodeRequest(body, {}), { messages: HELLO }, { stop: [] }],
  ['completions', (body) => completions.decodeRequest(body, {}), { prompt: 'Hi' }, { stop: [] }],
  [
    'messages',
    (body) => DIALECTS.messages.decodeRequest(body, {}),
    { messages: HELLO, max_tokens: 9 },
    { stop_sequences: [] },
  ],
  [
    'gemini',
    (body) => DIALECTS.gemini.decodeRequest(body, {}),
    { contents: CONTENTS },
    { generationConfig: { stopSequences: [] } },
  ],
];

const MODELS = {
  chat: 'gpt-5',
  responses: 'gpt-5-codex',
  messages: 'claude-sonnet-4-5',
  gemini: 'gemini-2.5-flash',
  converse: 'anthropic.claude-sonnet-4-5-20250929-v1:0',
} as const;

for (const [caller, decode, body, none] of REQUESTS) {
  for (const dialect of Object.values(DIALECTS)) {
    test(`no stop sequences from ${caller} are none to ${dialect.name}`, () => {
      const model = MODELS[dialect.name];
      const said = decode({ model: 'm', ...body, ...none });
      const silent = decode({ model: 'm', ...body });
      assert.equal(said.parameters.stop, undefined);
      assert.deepEqual(dialect.encodeRequest(said, model), dialect.encodeRequest(silent, model));
    });
  }
}
