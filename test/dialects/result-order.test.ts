import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Conversation } from '../../src/conversation/conversation.ts';
import type { JsonObject, JsonValue } from '../../src/conversation/json.ts';
import { chat } from '../../src/dialects/chat/index.ts';
import { gemini } from '../../src/dialects/gemini/index.ts';
import { messages } from '../../src/dialects/messages/index.ts';
import { responses } from '../../src/dialects/responses/index.ts';
import { checkMessages } from '../support/openai/messages.ts';
import { objectsOf } from '../support/values.ts';

/** A chat provider takes nothing between a turn's calls and their results; other dialects' callers do say things there. */
const call = (call_id: string) => ({ type: 'function_call', call_id, name: 'f', arguments: '{}' });
const output = (call_id: string) => ({ type: 'function_call_output', call_id, output: `of ${call_id}` });
const use = (id: string) => ({ type: 'tool_use', id, name: 'f', input: {} });
const result = (tool_use_id: string) => ({ type: 'tool_result', tool_use_id, content: `of ${tool_use_id}` });
const functionCall = { functionCall: { name: 'f', args: {} } };
const functionResponse = { functionResponse: { name: 'f', response: { output: 'x' } } };
const GO = { role: 'user', content: 'Go' };
const WAIT = { type: 'text', text: 'wait' };

const fromResponses = (...input: JsonObject[]) =>
  responses.decodeRequest({ model: 'm', input: [GO, ...input] }, {});
const fromMessages = (...turns: JsonValue[]) =>
  messages.decodeRequest({ model: 'm', max_tokens: 5, messages: [GO, ...turns] as JsonValue[] }, {});

const CASES: Record<string, { conversation: Conversation; roles: string }> = {
  'Responses: words of the user before a result': {
    conversation: fromResponses(call('c1'), { role: 'user', content: 'wait' }, output('c1')),
    roles: 'user assistant tool user',
  },
  'Responses: words of the user between two results': {
    conversation: fromResponses(
      call('c1'),
      call('c2'),
      output('c1'),
      { role: 'user', content: 'wait' },
      output('c2'),
    ),
    roles: 'user assistant tool tool user',
  },
  'Responses: instructions between call and result': {
    conversation: fromResponses(call('c1'), { role: 'developer', content: 'be brief' }, output('c1')),
    roles: 'user assistant tool system',
  },
  'Messages: text between two results': {
    conversation: fromMessages(
      { role: 'assistant', content: [use('x1'), use('x2')] },
      { role: 'user', content: [result('x1'), WAIT, result('x2')] },
    ),
    roles: 'user assistant tool tool user',
  },
  'Messages: text before a result': {
    conversation: fromMessages(
      { role: 'assistant', content: [use('x1')] },
      { role: 'user', content: [WAIT, result('x1')] },
    ),
    roles: 'user assistant tool user',
  },
  'Messages: one turn of the assistant in two messages': {
    conversation: fromMessages(
      { role: 'assistant', content: [use('x1')] },
      { role: 'assistant', content: [WAIT] },
      { role: 'user', content: [result('x1')] },
    ),
    roles: 'user assistant tool',
  },
  'Gemini: text between two results': {
    conversation: gemini.decodeRequest(
      {
        contents: [
          { role: 'user', parts: [{ text: 'Go' }] },
          { role: 'model', parts: [functionCall, functionCall] },
          { role: 'user', parts: [functionResponse, { text: 'wait' }, functionResponse] },
        ],
      },
      { model: 'm' },
    ),
    roles: 'user assistant tool tool user',
  },
};

describe('a chat provider gets all results of a turn right behind its calls', () => {
  for (const [what, { conversation, roles }] of Object.entries(CASES)) {
    test(what, () => {
      const written = objectsOf(chat.encodeRequest(conversation, 'gpt-4.1').body['messages']);
      assert.equal(written.map(({ role }) => (role === 'developer' ? 'system' : role)).join(' '), roles);
      checkMessages('gpt-4.1', written);
    });
  }

  test('what the user said between them is kept, in its order, behind them', () => {
    const conversation = fromMessages(
      { role: 'assistant', content: [use('x1'), use('x2')] },
      {
        role: 'user',
        content: [{ ...WAIT, text: 'one' }, result('x1'), { ...WAIT, text: 'two' }, result('x2')],
      },
    );
    const written = objectsOf(chat.encodeRequest(conversation, 'gpt-4.1').body['messages']);
    assert.deepEqual(
      written.slice(2).map(({ content }) => content),
      ['of x1', 'of x2', 'one', 'two'],
    );
  });

  test('a chat client’s own order is its own', () => {
    const body = {
      model: 'm',
      messages: [
        GO,
        {
          role: 'assistant',
          content: null,
          tool_calls: [{ id: 'c1', type: 'function', function: { name: 'f', arguments: '{}' } }],
        },
        { role: 'user', content: 'wait' },
        { role: 'tool', tool_call_id: 'c1', content: 'of c1' },
      ],
    };
    const { body: written } = chat.encodeRequest(chat.decodeRequest(body, {}), 'gpt-4.1');
    assert.deepEqual(written['messages'], body.messages);
  });
});
