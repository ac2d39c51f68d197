import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NO_USAGE } from '../../src/conversation/usage.ts';
import { chat } from '../../src/dialects/chat/index.ts';
import { converse } from '../../src/dialects/converse/index.ts';
import { gemini } from '../../src/dialects/gemini/index.ts';
import { messages } from '../../src/dialects/messages/index.ts';
import { responses } from '../../src/dialects/responses/index.ts';

const USED = { ...NO_USAGE, input: 3, output: 2 };

for (const [dialect, answer] of [
  [chat, { usage: { prompt_tokens: 3, completion_tokens: 2 } }],
  [responses, { status: 'failed', usage: { input_tokens: 3, output_tokens: 2 } }],
  [messages, { usage: { input_tokens: 3, output_tokens: 2 } }],
  [gemini, { usageMetadata: { promptTokenCount: 3, candidatesTokenCount: 2 } }],
  [gemini, { usage_metadata: { prompt_token_count: 3, candidates_token_count: 2 } }],
  [converse, { usage: { inputTokens: 3, outputTokens: 2 } }],
] as const) {
  test(`what a ${dialect.name} answer that is otherwise none says of its usage is read: ${Object.keys(answer)}`, () => {
    assert.deepEqual(dialect.readUsage(answer), USED);
    for (const none of [null, [], 'text', {}, { usage: null }]) {
      assert.equal(dialect.readUsage(none), undefined);
    }
  });
}
