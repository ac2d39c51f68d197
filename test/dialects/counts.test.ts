import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '../../src/conversation/json.ts';
import type { Usage } from '../../src/conversation/usage.ts';
import { decodeUsage as chat } from '../../src/dialects/chat/usage.ts';
import { decodeUsage as converse } from '../../src/dialects/converse/usage.ts';
import { geminiCounts } from '../../src/dialects/gemini/count-tokens.ts';
import { decodeUsage as gemini } from '../../src/dialects/gemini/usage.ts';
import { decodeMediaUsage } from '../../src/dialects/media/usage.ts';
import { messagesCounts } from '../../src/dialects/messages/count-tokens.ts';
import { decodeUsage as messages } from '../../src/dialects/messages/usage.ts';
import { decodeUsage as responses } from '../../src/dialects/responses/usage.ts';

/** Each dialect's counts that make up its sums, and one that is only a part of them. */
const DIALECTS: [
  name: string,
  decode: (usage: JsonObject) => Usage | undefined,
  counts: string[],
  part: (count: number) => JsonObject,
][] = [
  [
    'chat',
    chat,
    ['prompt_tokens', 'completion_tokens'],
    (count) => ({ prompt_tokens_details: { cached_tokens: count } }),
  ],
  [
    'responses',
    responses,
    ['input_tokens', 'output_tokens'],
    (count) => ({ output_tokens_details: { reasoning_tokens: count } }),
  ],
  [
    'messages',
    messages,
    ['input_tokens', 'output_tokens', 'cache_read_input_tokens', 'cache_creation_input_tokens'],
    (count) => ({ output_tokens_details: { thinking_tokens: count } }),
  ],
  [
    'gemini',
    (usage) => gemini(usage).usage,
    ['promptTokenCount', 'candidatesTokenCount', 'thoughtsTokenCount', 'toolUsePromptTokenCount'],
    (count) => ({ cachedContentTokenCount: count }),
  ],
  [
    'converse',
    converse,
    ['inputTokens', 'outputTokens', 'cacheReadInputTokens', 'cacheWriteInputTokens'],
    (count) => ({ cacheDetails: [{ ttl: '1h', inputTokens: count }] }),
  ],
  ['media', decodeMediaUsage, ['input_tokens', 'output_tokens'], () => ({})],
];

for (const [name, decode, counts, part] of DIALECTS) {
  const good: JsonObject = Object.fromEntries(counts.map((count) => [count, 5]));
  test(`${name}: a count below zero is none, and with it the usage is unknown`, () => {
    assert.ok(decode(good));
    for (const count of counts) {
      for (const wrong of [-1, Number.POSITIVE_INFINITY, 'many']) {
        assert.equal(decode({ ...good, [count]: wrong }), undefined, `${count}: ${wrong}`);
      }
    }
  });

  test(`${name}: what says no count is no usage`, () => {
    assert.equal(decode({}), undefined);
    assert.equal(decode(Object.fromEntries(counts.map((count) => [count, null]))), undefined);
  });

  test(`${name}: a part that is no count is left out of its sum`, () => {
    assert.deepEqual(decode({ ...good, ...part(-3) }), decode({ ...good, ...part(0) }));
  });
}

test('a count that was asked for and is none is no answer', () => {
  for (const wrong of [-1, 'many', null]) {
    const isNone = { kind: 'upstream_unavailable' };
    assert.throws(() => messagesCounts.decodeResponse({ input_tokens: wrong }), isNone);
    assert.throws(() => geminiCounts.decodeResponse({ totalTokens: wrong }), isNone);
  }
  assert.throws(() => messagesCounts.decodeResponse({}));
  assert.equal(geminiCounts.decodeResponse({}), 0);
});
