import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { completionEvents } from '../../src/conversation/collect.ts';
import type { Completion, CompletionEvent, FinishReason } from '../../src/conversation/completion.ts';
import type { ToolCallPart } from '../../src/conversation/conversation.ts';
import { isObject, type JsonObject, tryParseJson } from '../../src/conversation/json.ts';
import { gemini } from '../../src/dialects/gemini/index.ts';
import { responses } from '../../src/dialects/responses/index.ts';
import { isUnfinishedCall } from '../../src/dialects/unfinished-calls.ts';
import { objectsOf } from '../support/values.ts';

const whole: ToolCallPart = {
  type: 'tool_call',
  id: 'call_1',
  kind: 'function',
  name: 'f',
  arguments: '{"a":1}',
};
const cut: ToolCallPart = { ...whole, id: 'call_2', arguments: '{"a": tru' };

function answer(parts: Completion['choices'][0]['parts'], finish: FinishReason): Completion {
  return { id: 'c', model: 'm', choices: [{ index: 0, parts, finish }] };
}

function sentEvents(text: string): JsonObject[] {
  return text
    .split(/\r?\n/)
    .filter((line) => line.startsWith('data: '))
    .map((line) => tryParseJson(line.slice('data: '.length)))
    .filter(isObject);
}

describe('a call of an answer that was cut off', () => {
  test('is unfinished where it stands last, whatever it says so far, or is no JSON', () => {
    assert.ok(isUnfinishedCall(whole, true));
    assert.ok(isUnfinishedCall(cut, false));
    assert.ok(!isUnfinishedCall(whole, false));
    assert.ok(!isUnfinishedCall({ ...whole, arguments: '' }, false));
    assert.ok(!isUnfinishedCall({ ...cut, kind: 'custom' }, false));
  });
});

describe('at the Responses door', () => {
  const itemsOf = (completion: Completion) =>
    objectsOf(responses.encodeResponse(completion)['output']).map(({ status }) => status);
  const stream = (events: Iterable<CompletionEvent>) => {
    const encoder = responses.streamEncoder({ includeUsage: false });
    return sentEvents([...events].map((event) => encoder.push(event)).join(''));
  };

  test('the item of a call that the limit cut is incomplete, as OpenAI has it', () => {
    assert.deepEqual(itemsOf(answer([whole, cut], 'length')), ['completed', 'incomplete']);
    assert.deepEqual(itemsOf(answer([whole, cut], 'content_filter')), ['completed', 'incomplete']);
    assert.deepEqual(itemsOf(answer([cut, { type: 'text', text: 'x' }], 'length')), [
      'incomplete',
      'incomplete',
    ]);
  });

  test('calls of an answer that ended by itself are completed', () => {
    assert.deepEqual(itemsOf(answer([whole, { ...whole, id: 'call_2' }], 'tool_calls')), [
      'completed',
      'completed',
    ]);
  });

  test('its stream says so in the event that ends the item, and in the whole response', () => {
    const events = stream(completionEvents(answer([whole, cut], 'length')));
    const done = events.filter(({ type }) => type === 'response.output_item.done');
    const statuses = done.map(({ item }) => isObject(item) && item['status']);
    assert.deepEqual(statuses, ['completed', 'incomplete']);
    const last = events.at(-1);
    assert.equal(last?.['type'], 'response.incomplete');
    assert.ok(isObject(last['response']));
    assert.deepEqual(
      objectsOf(last['response']['output']).map(({ status, arguments: said }) => [status, said]),
      [
        ['completed', '{"a":1}'],
        ['incomplete', '{"a": tru'],
      ],
    );
  });

  test('an item is done before the next one begins', () => {
    const types = stream(completionEvents(answer([whole, { ...whole, id: 'b' }], 'tool_calls')))
      .map(({ type }) => String(type))
      .filter((type) => type.startsWith('response.output_item'));
    assert.deepEqual(types, [
      'response.output_item.added',
      'response.output_item.done',
      'response.output_item.added',
      'response.output_item.done',
    ]);
  });
});

describe('at the Gemini door', () => {
  const partsOf = (candidates: JsonObject[]) =>
    candidates.flatMap(({ content }) => (isObject(content) ? objectsOf(content['parts']) : []));
  const namesIn = (parts: JsonObject[]) =>
    parts.map(({ functionCall, text }) => (isObject(functionCall) ? functionCall['args'] : text));

  function encodeBoth(completion: Completion) {
    const dropped = { whole: [] as string[], streamed: [] as string[] };
    const body = gemini.encodeResponse(completion, undefined, dropped.whole);
    const encoder = gemini.streamEncoder({ includeUsage: false, dropped: dropped.streamed });
    const events = [...completionEvents(completion)].map((event) => encoder.push(event)).join('');
    assert.deepEqual(dropped.streamed, dropped.whole);
    const candidates = objectsOf(body['candidates']);
    const streamed = sentEvents(events).flatMap((event) => objectsOf(event['candidates']));
    const parts = namesIn(partsOf(candidates));
    // The last chunk of a stream has an empty part.
    assert.deepEqual(
      namesIn(partsOf(streamed)).filter((part) => part !== ''),
      parts,
    );
    const reasons = [candidates.at(-1)?.['finishReason'], streamed.at(-1)?.['finishReason']];
    return { parts, reasons, dropped: dropped.whole };
  }

  test('a call that the limit cut is left out and named: there it would look like a whole one', () => {
    assert.deepEqual(encodeBoth(answer([{ type: 'text', text: 'Hi' }, whole, cut], 'length')), {
      parts: ['Hi', { a: 1 }],
      reasons: ['MAX_TOKENS', 'MAX_TOKENS'],
      dropped: ['answer.functionCall'],
    });
  });

  test('whole calls stay, and so do those of an answer that ended by itself', () => {
    assert.deepEqual(encodeBoth(answer([whole, { type: 'text', text: 'And' }], 'length')), {
      parts: [{ a: 1 }, 'And'],
      reasons: ['MAX_TOKENS', 'MAX_TOKENS'],
      dropped: [],
    });
    assert.deepEqual(encodeBoth(answer([whole, { ...whole, id: 'b' }], 'tool_calls')), {
      parts: [{ a: 1 }, { a: 1 }],
      reasons: ['STOP', 'STOP'],
      dropped: [],
    });
  });

  test('a call that Gemini itself gave with MAX_TOKENS stays: at its own door nothing is judged', () => {
    const own: ToolCallPart = { ...whole, signature: { dialect: 'gemini', value: 's' } };
    assert.deepEqual(encodeBoth(answer([own], 'length')), {
      parts: [{ a: 1 }],
      reasons: ['MAX_TOKENS', 'MAX_TOKENS'],
      dropped: [],
    });
  });

  test('calls that overlap are each judged when the answer ends', () => {
    const encoder = gemini.streamEncoder({ includeUsage: false });
    const at = (part: number) => ({ choice: 0, part });
    const events: CompletionEvent[] = [
      { type: 'start', id: 'c', model: 'm' },
      { type: 'part_start', ...at(0), value: { ...whole, arguments: '' } },
      { type: 'part_start', ...at(1), value: { ...cut, arguments: '' } },
      { type: 'part_delta', ...at(1), delta: cut.arguments },
      { type: 'part_delta', ...at(0), delta: whole.arguments },
      { type: 'part_end', ...at(1) },
      { type: 'part_end', ...at(0) },
      { type: 'finish', choice: 0, reason: 'length' },
      { type: 'end' },
    ];
    const sent = sentEvents(events.map((event) => encoder.push(event)).join(''));
    const parts = partsOf(sent.flatMap(({ candidates }) => objectsOf(candidates)));
    assert.deepEqual(namesIn(parts.filter(({ functionCall }) => functionCall !== undefined)), [{ a: 1 }]);
  });
});
