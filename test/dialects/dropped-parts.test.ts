import assert from 'node:assert/strict';
import { test } from 'node:test';
import { completionEvents } from '../../src/conversation/collect.ts';
import type { Completion } from '../../src/conversation/completion.ts';
import type { Part } from '../../src/conversation/conversation.ts';
import type { JsonObject } from '../../src/conversation/json.ts';
import { chat } from '../../src/dialects/chat/index.ts';
import { completions } from '../../src/dialects/completions/index.ts';
import type { CallerDialect } from '../../src/dialects/dialect.ts';
import { dropPart } from '../../src/dialects/dropped-parts.ts';
import { gemini } from '../../src/dialects/gemini/index.ts';
import { geminiArray } from '../../src/dialects/gemini/json-array.ts';
import { messages } from '../../src/dialects/messages/index.ts';
import { responses } from '../../src/dialects/responses/index.ts';

const of = (dialect: 'gemini' | 'messages' | 'responses' | 'converse', value: JsonObject): Part => ({
  type: 'opaque',
  dialect,
  value,
});

/** What each provider's dialect alone has a word for, and the name that it goes by. */
const FOREIGN: { part: Part; name: string; own: string }[] = [
  {
    part: of('gemini', { executableCode: { language: 'PYTHON', code: '1' }, thoughtSignature: 's' }),
    name: 'answer.executableCode',
    own: 'gemini',
  },
  {
    part: of('gemini', { codeExecutionResult: { outcome: 'OUTCOME_OK', output: '1' } }),
    name: 'answer.codeExecutionResult',
    own: 'gemini',
  },
  {
    part: of('messages', { type: 'server_tool_use', id: 's', name: 'web_search', input: {} }),
    name: 'answer.server_tool_use',
    own: 'messages',
  },
  {
    part: of('messages', { type: 'web_search_tool_result', tool_use_id: 's', content: [] }),
    name: 'answer.web_search_tool_result',
    own: 'messages',
  },
  {
    part: of('responses', { type: 'web_search_call', id: 'ws', status: 'completed' }),
    name: 'answer.web_search_call',
    own: 'responses',
  },
  { part: of('converse', { newBlock: { x: 1 } }), name: 'answer.newBlock', own: '' },
];

const DOORS: { door: string; dialect: CallerDialect }[] = [
  { door: 'chat', dialect: chat },
  { door: 'completions', dialect: completions },
  { door: 'messages', dialect: messages },
  { door: 'gemini', dialect: gemini },
  { door: 'gemini', dialect: geminiArray },
  { door: 'responses', dialect: responses },
];

function droppedOf(dialect: CallerDialect, parts: Part[]): string[] {
  const completion: Completion = { id: 'c', model: 'm', choices: [{ index: 0, parts, finish: 'stop' }] };
  const whole: string[] = [];
  dialect.encodeResponse(completion, undefined, whole);
  const streamed: string[] = [];
  const encoder = dialect.streamEncoder({ includeUsage: false, dropped: streamed });
  for (const event of completionEvents(completion)) encoder.push(event);
  assert.deepEqual(streamed, whole, 'a stream drops what a whole answer does');
  return whole;
}

for (const { door, dialect } of DOORS) {
  test(`what the ${door} door has no word for is named, once for each kind`, () => {
    const parts = [...FOREIGN, ...FOREIGN].map(({ part }) => part);
    const expected = FOREIGN.filter(({ own }) => own !== door).map(({ name }) => name);
    assert.deepEqual(droppedOf(dialect, [{ type: 'text', text: 'Hi' }, ...parts]), expected);
  });
}

test('words, reasoning, calls and refusals are never named where answers hold them', () => {
  const parts: Part[] = [
    { type: 'reasoning', text: 'Hm', signature: { dialect: 'messages', value: 's' } },
    { type: 'text', text: 'Hi' },
    { type: 'tool_call', id: 'c', kind: 'function', name: 'f', arguments: '{}' },
    { type: 'refusal', text: 'No' },
  ];
  for (const { door, dialect } of DOORS) {
    const expected = door === 'completions' ? ['answer.reasoning', 'answer.tool_call'] : [];
    assert.deepEqual(droppedOf(dialect, parts), expected, door);
  }
});

test('media are named where an answer has no place for them', () => {
  const data = (mediaType: string) => ({ kind: 'data' as const, mediaType, base64: 'AAAA' });
  const parts: Part[] = [
    { type: 'image', source: data('image/png') },
    { type: 'audio', source: data('audio/wav') },
    { type: 'file', source: data('application/pdf') },
  ];
  const [image, audio, file] = ['answer.image', 'answer.audio', 'answer.file'];
  assert.deepEqual(droppedOf(chat, parts), [file]);
  assert.deepEqual(droppedOf(messages, parts), [image, audio, file]);
  assert.deepEqual(droppedOf(responses, parts), [audio, file]);
  assert.deepEqual(droppedOf(gemini, parts), []);
  assert.deepEqual(droppedOf(completions, parts), [image, audio, file]);
});

test('kinds that a provider makes up without end are not all remembered', () => {
  const dropped: string[] = [];
  for (let at = 0; at < 1_000; at++) dropPart(dropped, of('messages', { type: `kind_${at}` }));
  assert.equal(dropped.length, 100);
});
