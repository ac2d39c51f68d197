import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '../../src/conversation/json.ts';
import { chat } from '../../src/dialects/chat/index.ts';
import { converse } from '../../src/dialects/converse/index.ts';
import { gemini } from '../../src/dialects/gemini/index.ts';
import { messages } from '../../src/dialects/messages/index.ts';
import { responses } from '../../src/dialects/responses/index.ts';

/** Two calls of one message by the same id: no result could say which of them it answers. */

const CLAUDE_ON_BEDROCK = 'anthropic.claude-sonnet-4-5-20250929-v1:0';
const HI: JsonObject = { role: 'user', content: 'Hi' };
const call = { id: 'a', type: 'function', function: { name: 'look', arguments: '{}' } };
const result: JsonObject = { role: 'tool', tool_call_id: 'a', content: 'x' };
const ofChat = (...list: JsonObject[]) => chat.decodeRequest({ model: 'm', messages: [HI, ...list] }, {});
const twice = ofChat({ role: 'assistant', tool_calls: [call, call] }, result);
const use = { type: 'tool_use', id: 'a', name: 'look', input: {} };
const ofMessages = messages.decodeRequest(
  {
    model: 'm',
    max_tokens: 9,
    messages: [
      HI,
      { role: 'assistant', content: [{ type: 'text', text: 'So' }, use, use] },
      { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'a', content: 'x' }] },
    ],
  },
  {},
);
const item = { type: 'function_call', call_id: 'a', name: 'look', arguments: '{}' };
const ofResponses = responses.decodeRequest(
  { model: 'm', input: [HI, item, item, { type: 'function_call_output', call_id: 'a', output: 'x' }] },
  {},
);
const part = { functionCall: { id: 'a', name: 'look', args: {} } };
const answer = { functionResponse: { id: 'a', name: 'look', response: { output: 'x' } } };
const ofGemini = gemini.decodeRequest(
  {
    contents: [
      { role: 'user', parts: [{ text: 'Hi' }] },
      { role: 'model', parts: [part, part] },
      { role: 'user', parts: [answer] },
    ],
  },
  { model: 'm' },
);
const CALLERS = [
  ['chat', twice, 'messages[1].tool_calls[1].id'],
  ['messages', ofMessages, 'messages[1].content[2].id'],
  ['responses', ofResponses, 'input[2].call_id'],
  ['gemini', ofGemini, 'contents[1].parts[1].functionCall.id'],
] as const;

for (const [name, dialect, model] of [
  ['chat', chat, 'gpt-4o'],
  ['responses', responses, 'gpt-4o'],
  ['messages', messages, 'claude-sonnet-4-5'],
  ['gemini', gemini, 'gemini-2.5-pro'],
  ['converse', converse, CLAUDE_ON_BEDROCK],
] as const) {
  test(`are refused at ${name}, in the words of each caller`, () => {
    for (const [caller, conversation, param] of CALLERS) {
      if (caller === name) continue;
      assert.throws(() => dialect.encodeRequest(conversation, model), {
        code: 'repeated_tool_call',
        param,
      });
    }
  });

  test(`in two messages pass at ${name}, for servers count the calls of each answer`, () => {
    const called: JsonObject = { role: 'assistant', tool_calls: [call] };
    dialect.encodeRequest(ofChat(called, result, called, result), model);
  });
}

test('are sent on to a provider of the caller’s own dialect, whose words its caller knows', () => {
  chat.encodeRequest(twice, 'gpt-4o');
  messages.encodeRequest(ofMessages, 'claude-sonnet-4-5');
  responses.encodeRequest(ofResponses, 'gpt-4o');
  gemini.encodeRequest(ofGemini, 'gemini-2.5-pro');
});
