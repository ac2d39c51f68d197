import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import OpenAI from 'openai';
import { completionEvents } from '../../../src/conversation/collect.ts';
import type { Completion } from '../../../src/conversation/completion.ts';
import type { Part } from '../../../src/conversation/conversation.ts';
import type { JsonObject } from '../../../src/conversation/json.ts';
import { chat } from '../../../src/dialects/chat/index.ts';
import { objectsOf } from '../../support/values.ts';

const CALL: Part = { type: 'tool_call', id: 'a', name: 'f', kind: 'function', arguments: '{"x":1}' };
const EMPTY: Part = { ...CALL, id: 'b', arguments: '' };
const USER = { role: 'user', content: 'Hi' };
const functions = [{ name: 'f', parameters: { type: 'object', properties: {} } }];
const REQUEST: JsonObject = { model: 'm', messages: [USER], functions };
const TOOLS: JsonObject = { ...REQUEST, tools: [{ type: 'function', function: functions[0] as JsonObject }] };

const completionOf = (parts: Part[], finish: 'stop' | 'length' = 'stop'): Completion => ({
  id: 'c-1',
  model: 'm',
  created: 5,
  choices: [{ index: 0, parts, finish }],
});

/** The choice that a client gets of a whole answer, and the same of a streamed one, put together by OpenAI's SDK. */
async function answers(completion: Completion, request: JsonObject) {
  const dropped: [string[], string[]] = [[], []];
  const [whole] = objectsOf(chat.encodeResponse(completion, request, dropped[0])['choices']);
  const encoder = chat.streamEncoder({ includeUsage: false, request, dropped: dropped[1] });
  const stream = [...completionEvents(completion)].map((event) => encoder.push(event)).join('');
  const headers = { 'content-type': 'text/event-stream' };
  const client = new OpenAI({
    apiKey: 'k',
    maxRetries: 0,
    fetch: async () => new Response(stream, { headers }),
  });
  const runner = client.chat.completions.stream({ model: 'm', messages: [{ role: 'user', content: 'Hi' }] });
  const [streamed] = (await runner.finalChatCompletion()).choices;
  assert.deepEqual(dropped[0], dropped[1]);
  assert.equal(streamed?.finish_reason, whole?.['finish_reason']);
  const { function_call, tool_calls, content } = streamed?.message ?? {};
  const message = whole?.['message'] as JsonObject;
  assert.deepEqual(function_call, message['function_call']);
  assert.equal(tool_calls === undefined, message['tool_calls'] === undefined);
  assert.equal(content ?? null, message['content']);
  return { message, finish: whole?.['finish_reason'], dropped: dropped[0] };
}

describe('a client that offers `functions`', () => {
  test('gets a call as `function_call`, whole and streamed', async () => {
    const { message, finish, dropped } = await answers(completionOf([CALL]), REQUEST);
    assert.deepEqual(message['function_call'], { name: 'f', arguments: '{"x":1}' });
    assert.equal(message['content'], null);
    assert.equal(message['tool_calls'], undefined);
    assert.equal(finish, 'function_call');
    assert.deepEqual(dropped, []);
  });

  test('gets `{}` where a function is called without arguments', async () => {
    const { message } = await answers(completionOf([{ type: 'text', text: 'So:' }, EMPTY]), REQUEST);
    assert.deepEqual(message['function_call'], { name: 'f', arguments: '{}' });
    assert.equal(message['content'], 'So:');
  });

  test('gets one call at a time, for it has one field: the others are named', async () => {
    const { message, finish, dropped } = await answers(completionOf([CALL, EMPTY]), REQUEST);
    assert.deepEqual(message['function_call'], { name: 'f', arguments: '{"x":1}' });
    assert.equal(finish, 'function_call');
    assert.deepEqual(dropped, ['answer.tool_call']);
  });

  test('is told why an answer ended that calls nothing, or was cut off', async () => {
    assert.equal((await answers(completionOf([{ type: 'text', text: 'Hi' }]), REQUEST)).finish, 'stop');
    const [cut] = objectsOf(chat.encodeResponse(completionOf([CALL], 'length'), REQUEST)['choices']);
    assert.equal(cut?.['finish_reason'], 'length');
  });

  test('sends the message back with what the function gave', async () => {
    const { message } = await answers(completionOf([CALL]), REQUEST);
    const result = { role: 'function', name: 'f', content: '2' };
    const { messages } = chat.decodeRequest({ ...REQUEST, messages: [USER, message, result] }, {});
    const [call, gave] = messages.slice(1).flatMap(({ parts }) => parts);
    assert.ok(call?.type === 'tool_call' && gave?.type === 'tool_result');
    assert.equal(call.id, gave.callId);
  });
});

test('a client that knows `tools` gets `tool_calls`', async () => {
  for (const request of [TOOLS, { model: 'm', messages: [USER] }, { ...REQUEST, functions: [] }]) {
    const { message, finish } = await answers(completionOf([CALL]), request);
    assert.equal(message['function_call'], undefined);
    assert.equal(objectsOf(message['tool_calls']).length, 1);
    assert.equal(finish, 'tool_calls');
  }
});
