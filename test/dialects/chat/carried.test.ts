import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CARRIED_MARKER } from '../../../src/conversation/carried-reasoning.ts';
import { collectEvents, completionEvents } from '../../../src/conversation/collect.ts';
import type { Completion, CompletionEvent } from '../../../src/conversation/completion.ts';
import type { Conversation, Part } from '../../../src/conversation/conversation.ts';
import { isObject, type JsonObject, type JsonValue } from '../../../src/conversation/json.ts';
import { chat } from '../../../src/dialects/chat/index.ts';
import { EventReader } from '../../../src/upstream/event-reader.ts';
import { objectsOf } from '../../support/values.ts';

const ANTHROPIC = (value: string) => ({ dialect: 'messages' as const, value });
const GEMINI = (value: string) => ({ dialect: 'gemini' as const, value });
const call = (id: string): Part & { type: 'tool_call' } => ({
  type: 'tool_call',
  id,
  name: 'weather',
  kind: 'function',
  arguments: '{"city":"Paris"}',
});

/** Interleaved thinking: reasoning before the text, and again between two calls. */
const INTERLEAVED: Part[] = [
  { type: 'reasoning', text: 'First.', signature: ANTHROPIC('sig-1') },
  { type: 'reasoning', text: '', encrypted: ANTHROPIC('redacted') },
  { type: 'text', text: 'I look it up.' },
  call('toolu_1'),
  { type: 'reasoning', text: 'Again.', signature: ANTHROPIC('sig-2') },
  call('toolu_2'),
];

/** Gemini signs the first of parallel calls and gives its thoughts unsigned. */
const PARALLEL: Part[] = [
  { type: 'reasoning', text: 'Two cities.' },
  { ...call('g1'), signature: GEMINI('thought') },
  call('g2'),
];

function completionOf(parts: Part[]): Completion {
  return { id: 'x', model: 'm', choices: [{ index: 0, parts, finish: 'tool_calls' }] };
}

function wholeMessage(parts: Part[]): JsonObject {
  const [choice] = objectsOf(chat.encodeResponse(completionOf(parts))['choices']);
  assert.ok(isObject(choice?.['message']));
  return choice['message'];
}

/** What a client adds the stream up to; the signature comes at the end of its part, as Anthropic sends it. */
function streamedMessage(parts: Part[]): JsonObject {
  const encoder = chat.streamEncoder({ includeUsage: false });
  const late = [...completionEvents(completionOf(parts))].map((event) => signAtEnd(event, parts));
  const bytes = Buffer.from(late.map((event) => encoder.push(event)).join(''));
  const reader = new EventReader();
  const decoder = chat.streamDecoder();
  const { completion } = collectEvents([
    ...[...reader.push(bytes), ...reader.end()].flatMap((message) => decoder.push(message)),
    ...decoder.end(),
  ]);
  const [choice] = objectsOf(chat.encodeResponse(completion)['choices']);
  assert.ok(isObject(choice?.['message']));
  return choice['message'];
}

function signAtEnd(event: CompletionEvent, parts: Part[]): CompletionEvent {
  if (event.type === 'part_start' && event.value.type === 'reasoning') {
    const { signature: _, ...value } = event.value;
    return { ...event, value };
  }
  const part = event.type === 'part_end' ? parts[event.part] : undefined;
  return event.type === 'part_end' && part?.type === 'reasoning' && part.signature
    ? { ...event, signature: part.signature }
    : event;
}

/** A client's next request, with results for all calls. */
function nextRequest(message: JsonObject): Conversation {
  const calls = objectsOf(message['tool_calls']);
  const results = calls.map(({ id }) => ({ role: 'tool', tool_call_id: id, content: 'Sunny' }));
  return chat.decodeRequest({ model: 'm', messages: [message, ...results] }, {});
}

function standardOnly({ role, content, tool_calls: calls }: JsonObject): JsonObject {
  return calls === undefined ? { role, content } : { role, content, tool_calls: calls };
}

const FORMS: Record<string, (parts: Part[]) => JsonObject> = {
  'a whole answer': wholeMessage,
  'a stream': streamedMessage,
};
const CLIENTS: Record<string, (message: JsonObject) => JsonObject> = {
  'keeps only standard fields': standardOnly,
  'keeps everything': (message) => message,
};

for (const [form, send] of Object.entries(FORMS)) {
  for (const [kind, keep] of Object.entries(CLIENTS)) {
    test(`signed reasoning in ${form} survives a client that ${kind}`, () => {
      const [message, first, second] = nextRequest(keep(send(INTERLEAVED))).messages;
      assert.deepEqual(message?.parts, INTERLEAVED);
      const results = [first, second].flatMap((result) => result?.parts ?? []);
      assert.deepEqual(
        results.map((part) => part.type === 'tool_result' && part.callId),
        ['toolu_1', 'toolu_2'],
      );
    });

    test(`a signed tool call in ${form} survives a client that ${kind}`, () => {
      const [message] = nextRequest(keep(send(PARALLEL))).messages;
      const expected = kind === 'keeps everything' ? PARALLEL : PARALLEL.slice(1);
      assert.deepEqual(message?.parts, expected);
    });
  }
}

test('signed reasoning of a turn without tools survives a client that keeps everything', () => {
  const parts: Part[] = [
    { type: 'reasoning', text: 'Hm.', signature: ANTHROPIC('sig') },
    { type: 'reasoning', text: 'Summary', encrypted: { dialect: 'responses', value: 'enc' } },
    { type: 'text', text: 'Yes.', signature: GEMINI('text-sig') },
  ];
  for (const send of Object.values(FORMS)) {
    // The text's signature is known at its start here.
    assert.deepEqual(nextRequest(send(parts)).messages[0]?.parts, parts);
  }
});

test('reasoning details follow the convention of OpenRouter', () => {
  assert.deepEqual(wholeMessage(INTERLEAVED)['reasoning_details'], [
    { type: 'reasoning.text', text: 'First.', signature: 'sig-1', format: 'anthropic-claude-v1', index: 0 },
    { type: 'reasoning.encrypted', data: 'redacted', format: 'anthropic-claude-v1', index: 1 },
    { type: 'reasoning.text', text: 'Again.', signature: 'sig-2', format: 'anthropic-claude-v1', index: 2 },
  ]);
  assert.deepEqual(wholeMessage(PARALLEL)['reasoning_details'], [
    { type: 'reasoning.encrypted', data: 'thought', id: 'g1', format: 'google-gemini-v1', index: 0 },
  ]);
  assert.equal(wholeMessage(INTERLEAVED)['reasoning_content'], 'First.Again.');
});

test('nothing is carried where nothing is demanded back', () => {
  const message = wholeMessage([{ type: 'reasoning', text: 'Hm' }, call('call_1')]);
  assert.deepEqual(objectsOf(message['tool_calls'])[0]?.['id'], 'call_1');
  assert.ok(!('reasoning_details' in message));
});

test('a chat provider gets clean ids and no signature of another one', () => {
  const message = wholeMessage(INTERLEAVED);
  assert.ok(JSON.stringify(message).includes(CARRIED_MARKER));
  const conversation = nextRequest(message);
  const { body, dropped } = chat.encodeRequest(conversation, 'gpt-4o');
  const written = JSON.stringify(body);
  for (const secret of [CARRIED_MARKER, 'sig-1', 'redacted', 'First.']) assert.ok(!written.includes(secret));
  assert.deepEqual(dropped, ['messages[0].reasoning_details']);
  const messages = body['messages'] as JsonValue[];
  assert.deepEqual(messages[1], { role: 'tool', tool_call_id: 'toolu_1', content: 'Sunny' });
});

test('an id that a client shortened stays as it is, and the details stand in', () => {
  const message = wholeMessage(INTERLEAVED);
  const calls = objectsOf(message['tool_calls']).map((wire) => ({
    ...wire,
    id: String(wire['id']).slice(0, 30),
  }));
  const [decoded] = nextRequest({ ...message, tool_calls: calls }).messages;
  const reasoning = decoded?.parts.filter((part) => part.type === 'reasoning').map((part) => part.text);
  assert.deepEqual(reasoning, ['First.', '', 'Again.']);
  const ids = decoded?.parts.filter((part) => part.type === 'tool_call').map((part) => part.id);
  assert.deepEqual(
    ids,
    calls.map((wire) => wire.id),
  );
});
