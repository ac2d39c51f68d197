import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '../../src/conversation/json.ts';
import { DIALECTS } from '../../src/dialects/registry.ts';

const HELLO = [{ role: 'user', content: 'Hi' }];

/** A good request of each dialect that callers speak. */
const GOOD: Record<'chat' | 'responses' | 'messages' | 'gemini', JsonObject> = {
  chat: { model: 'm', messages: HELLO },
  responses: { model: 'm', input: 'Hi' },
  messages: { model: 'm', max_tokens: 9, messages: HELLO },
  gemini: { contents: [{ role: 'user', parts: [{ text: 'Hi' }] }] },
};

const MODELS = {
  chat: 'gpt-5',
  responses: 'gpt-5',
  messages: 'claude-sonnet-4-5',
  gemini: 'gemini-2.5-flash',
  converse: 'anthropic.claude-sonnet-4-5-20250929-v1:0',
} as const;

/** Fields that no provider of another dialect is told of, with what they must not be. */
const WRONG: [keyof typeof GOOD, JsonObject, param: string][] = [
  ['chat', { metadata: 'x' }, 'metadata'],
  ['chat', { store: 'x' }, 'store'],
  ['chat', { prediction: 3 }, 'prediction'],
  ['chat', { audio: 5 }, 'audio'],
  ['chat', { web_search_options: 5 }, 'web_search_options'],
  ['chat', { modalities: 'text' }, 'modalities'],
  ['chat', { modalities: ['text', 1] }, 'modalities[1]'],
  ['chat', { moderation: 'off' }, 'moderation'],
  ['chat', { prompt_cache_retention: 24 }, 'prompt_cache_retention'],
  ['chat', { user: 'a', safety_identifier: 5 }, 'safety_identifier'],
  ['chat', { max_completion_tokens: 5, max_tokens: '5' }, 'max_tokens'],
  [
    'chat',
    { stream: true, stream_options: { include_obfuscation: 1 } },
    'stream_options.include_obfuscation',
  ],
  ['responses', { metadata: 'x' }, 'metadata'],
  ['responses', { store: 1 }, 'store'],
  ['responses', { truncation: {} }, 'truncation'],
  ['responses', { max_tool_calls: '3' }, 'max_tool_calls'],
  ['responses', { include: [3] }, 'include[0]'],
  ['responses', { conversation: 3 }, 'conversation'],
  ['messages', { container: 3 }, 'container'],
  ['messages', { context_management: [] }, 'context_management'],
  ['messages', { mcp_servers: {} }, 'mcp_servers'],
  ['gemini', { safetySettings: 'off' }, 'safetySettings'],
  ['gemini', { cached_content: 3 }, 'cachedContent'],
  ['gemini', { generationConfig: { speechConfig: 'loud' } }, 'generationConfig.speechConfig'],
  ['gemini', { generationConfig: { audioTimestamp: 3 } }, 'generationConfig.audioTimestamp'],
];

for (const [caller, fields, param] of WRONG) {
  test(`${JSON.stringify(fields)} of a caller of ${caller} is refused wherever it would be left out`, () => {
    const conversation = DIALECTS[caller].decodeRequest({ ...GOOD[caller], ...fields }, { model: 'm' });
    for (const dialect of Object.values(DIALECTS)) {
      const encode = () => dialect.encodeRequest(conversation, MODELS[dialect.name]);
      // Who speaks the dialect is the judge itself.
      if (dialect.name === caller) assert.doesNotThrow(encode);
      else assert.throws(encode, { kind: 'invalid_request', param, code: 'invalid_type' }, dialect.name);
    }
  });
}

test('what says nothing, and what only a server of its own knows, is not judged', () => {
  const fields = { metadata: null, store: null, modalities: null, top_a: 'any', chat_template_kwargs: 3 };
  const conversation = DIALECTS.chat.decodeRequest({ ...GOOD.chat, ...fields }, {});
  for (const dialect of Object.values(DIALECTS))
    assert.doesNotThrow(() => dialect.encodeRequest(conversation, MODELS[dialect.name]));
});
