import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '../../../src/conversation/json.ts';
import { gemini } from '../../../src/dialects/gemini/index.ts';
import { messages } from '../../../src/dialects/messages/index.ts';
import { responses } from '../../../src/dialects/responses/index.ts';

test('an effort that directs adaptive thinking is the budget that it stands for, and not whatever the model takes', () => {
  const budgetOf = (effort: JsonObject) => {
    const request = {
      model: 'claude-opus-4-7',
      max_tokens: 4096,
      thinking: { type: 'adaptive' },
      messages: [{ role: 'user', content: 'Hi' }],
      ...effort,
    };
    const { body } = gemini.encodeRequest(messages.decodeRequest(request, {}), 'gemini-2.5-pro');
    return (body['generationConfig'] as { thinkingConfig: JsonObject }).thinkingConfig['thinkingBudget'];
  };
  assert.equal(budgetOf({ output_config: { effort: 'low' } }), 1024);
  assert.equal(budgetOf({ output_config: { effort: 'high' } }), 24_576);
  assert.equal(budgetOf({}), -1);
});

test('a result without its call is refused in the words of its caller', () => {
  const input = [{ type: 'function_call_output', call_id: 'lost', output: 'x' }];
  const conversation = responses.decodeRequest({ model: 'm', input }, {});
  assert.throws(() => gemini.encodeRequest(conversation, 'gemini-2.5-pro'), { param: 'input[0].call_id' });
});
