import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CARRIED_MARKER } from '../../../src/conversation/carried-reasoning.ts';
import { completionEvents } from '../../../src/conversation/collect.ts';
import type { Completion } from '../../../src/conversation/completion.ts';
import type { Part, Signature } from '../../../src/conversation/conversation.ts';
import type { JsonObject, JsonValue } from '../../../src/conversation/json.ts';
import { messages } from '../../../src/dialects/messages/index.ts';

const GEMINIS: Signature = { dialect: 'gemini', value: 'sig+/=' };

function call(id: string, signature?: Signature): Part {
  const part = { type: 'tool_call' as const, id, name: 'f', kind: 'function' as const, arguments: '{}' };
  return signature ? { ...part, signature } : part;
}

function completion(parts: Part[]): Completion {
  return { id: 'r', model: 'm', choices: [{ index: 0, parts, finish: 'tool_calls' }] };
}

function request(content: JsonValue, results: JsonValue[] = []): JsonObject {
  return {
    model: 'm',
    max_tokens: 9,
    messages: [
      { role: 'user', content: 'Hi' },
      { role: 'assistant', content },
      ...(results.length > 0 ? [{ role: 'user', content: results }] : []),
    ],
  };
}

test('Gemini’s signature of a call travels in its id, and its result finds the call', () => {
  const { content } = messages.encodeResponse(completion([call('call_1', GEMINIS), call('call_2')]));
  const [first, second] = content as { id: string }[];
  assert.ok(first);
  assert.ok(first.id.startsWith(`call_1${CARRIED_MARKER}`));
  assert.match(first.id, /^[a-zA-Z0-9_-]+$/);
  assert.equal(second?.id, 'call_2');
  const results = [first.id, 'call_2'].map((id) => ({ type: 'tool_result', tool_use_id: id, content: 'x' }));
  const [, assistant, tool] = messages.decodeRequest(request(content ?? null, results), {}).messages;
  assert.deepEqual(assistant?.parts, [call('call_1', GEMINIS), call('call_2')]);
  assert.deepEqual(
    tool?.parts.map((part) => part.type === 'tool_result' && part.callId),
    ['call_1', 'call_2'],
  );
});

test('a stream gives the same id as the whole answer', () => {
  const whole = completion([call('call_1', GEMINIS)]);
  const encoder = messages.streamEncoder({ includeUsage: true });
  const text = [...completionEvents(whole)].map((event) => encoder.push(event)).join('');
  const [use] = messages.encodeResponse(whole)['content'] as { id: string }[];
  assert.ok(text.includes(`"id":"${use?.id}"`));
});

test('thinking without a signature is marked, comes back as such, and does not go to Anthropic', () => {
  const { content } = messages.encodeResponse(completion([{ type: 'reasoning', text: 'hm' }, call('c1')]));
  const [block] = content as { signature: string }[];
  assert.ok(block?.signature.startsWith(CARRIED_MARKER));
  const result = { type: 'tool_result', tool_use_id: 'c1', content: 'x' };
  const conversation = messages.decodeRequest(request(content ?? null, [result]), {});
  assert.deepEqual(conversation.messages[1]?.parts[0], { type: 'reasoning', text: 'hm' });
  const { body } = messages.encodeRequest(conversation, 'claude-sonnet-4-5');
  assert.doesNotMatch(JSON.stringify(body), /thinking|__fl1__/);
});

test('an id whose payload cannot be read is left as it came', () => {
  const id = `call_1${CARRIED_MARKER}nonsense`;
  const content = [{ type: 'tool_use', id, name: 'f', input: {} }];
  assert.deepEqual(messages.decodeRequest(request(content), {}).messages[1]?.parts, [call(id)]);
});
