import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { collectEvents } from '../../../src/conversation/collect.ts';
import type { Choice, Completion, CompletionEvent } from '../../../src/conversation/completion.ts';
import type { Part } from '../../../src/conversation/conversation.ts';
import type { UpstreamDialect } from '../../../src/dialects/dialect.ts';
import { withCutAnswers } from '../../../src/dialects/stops/cut-answers.ts';
import { scale } from '../../support/scale.ts';

/** A provider whose answers are what the test says. */
function provider(answer: Completion, events: CompletionEvent[] = []): UpstreamDialect {
  return {
    name: 'chat',
    encodeRequest: () => ({ body: {}, dropped: [] }),
    decodeResponse: () => answer,
    readUsage: () => undefined,
    streamDecoder: () => ({
      push: ({ data }) => events.slice(Number(data), Number(data) + 1),
      end: () => [],
    }),
    decodeError: () => ({ message: '' }),
  };
}

function answerOf(...choices: (Partial<Choice> & { parts: Part[] })[]): Completion {
  return {
    id: 'a',
    model: 'm',
    choices: choices.map((choice, index) => ({ index, finish: 'stop', ...choice })),
  };
}

function text(said: string): Part {
  return { type: 'text', text: said };
}

const CALL: Part = { type: 'tool_call', id: 'c', name: 'f', kind: 'function', arguments: '{"a":"END"}' };
const THOUGHT: Part = { type: 'reasoning', text: 'not END yet' };

function cutWhole(answer: Completion, stops: string[]): Completion {
  return withCutAnswers(provider(answer), stops).decodeResponse({});
}

function cutEvents(events: CompletionEvent[], stops: string[]): CompletionEvent[] {
  const decoder = withCutAnswers(provider(answerOf(), events), stops).streamDecoder();
  return [...events.keys()].flatMap((index) => decoder.push({ data: String(index) }));
}

/** The stream of an answer, its texts and arguments in pieces of these lengths. */
function streamOf(answer: Completion, lengths: readonly number[]): CompletionEvent[] {
  const events: CompletionEvent[] = [{ type: 'start', id: answer.id, model: answer.model }];
  for (const { index: choice, parts, finish: reason, logprobs } of answer.choices) {
    for (const [part, value] of parts.entries()) {
      const said = value.type === 'tool_call' ? value.arguments : 'text' in value ? value.text : '';
      const empty = value.type === 'tool_call' ? { arguments: '' } : { text: '' };
      events.push({ type: 'part_start', choice, part, value: { ...value, ...empty } as Part });
      let at = 0;
      for (let turn = 0; at < said.length; turn += 1) {
        const length = lengths[turn % lengths.length] ?? 1;
        events.push({ type: 'part_delta', choice, part, delta: said.slice(at, at + length) });
        at += length;
      }
      events.push({ type: 'part_end', choice, part });
    }
    if (logprobs) events.push({ type: 'logprobs', choice, value: logprobs });
    events.push({ type: 'finish', choice, reason });
  }
  return [...events, { type: 'end' }];
}

const CASES: [name: string, choice: Partial<Choice> & { parts: Part[] }, cut: Partial<Choice>][] = [
  ['text up to it', { parts: [text('one END two')] }, { parts: [text('one ')], stopSequence: 'END' }],
  [
    'what is thought before it is told, and not looked at',
    { parts: [THOUGHT, text('a END b')] },
    { parts: [THOUGHT, text('a ')], stopSequence: 'END' },
  ],
  [
    'what follows is not told',
    { parts: [text('a END b'), THOUGHT, CALL], finish: 'tool_calls' },
    { parts: [text('a ')], stopSequence: 'END' },
  ],
  [
    'arguments are not looked at, and calls that stand before it are made',
    { parts: [CALL, text('a END b')] },
    { parts: [CALL, text('a ')], finish: 'tool_calls' },
  ],
  [
    'an end by the limit that came behind it is no end by the limit',
    { parts: [text('a END b')], finish: 'length' },
    { parts: [text('a ')], stopSequence: 'END' },
  ],
  ['one in two texts', { parts: [text('a E'), text('ND b')] }, { parts: [text('a ')], stopSequence: 'END' }],
  [
    'log probabilities of what is told',
    {
      parts: [text('a END')],
      logprobs: {
        content: [...'a END'].map((token) => ({ token, bytes: [...Buffer.from(token)] })),
        refusal: null,
      },
    },
    {
      ...{ parts: [text('a ')], stopSequence: 'END' },
      logprobs: {
        content: [...'a '].map((token) => ({ token, bytes: [...Buffer.from(token)] })),
        refusal: null,
      },
    },
  ],
];
for (const [name, choice, cut] of CASES) {
  const expected = answerOf({ finish: 'stop_sequence', parts: [], ...cut });
  test(`an answer is cut at a stop sequence: ${name}`, () => {
    assert.deepEqual(cutWhole(answerOf(choice), ['END']), expected);
  });
  test(`a stream is cut at a stop sequence: ${name}`, () => {
    for (const length of [1, 2, 5, 100]) {
      const collected = collectEvents(cutEvents(streamOf(answerOf(choice), [length]), ['END']));
      assert.deepEqual(collected.completion, expected);
      assert.equal(collected.ended, true);
    }
  });
}

const UNTOUCHED: [name: string, parts: Part[]][] = [
  ['none in the text', [text('one EN'), THOUGHT, text('D'), CALL]],
  ['one in thoughts and arguments alone', [THOUGHT, CALL]],
  ['one that a call stands in the middle of', [text('a E'), CALL, text('ND')]],
];
for (const [name, parts] of UNTOUCHED) {
  test(`an answer stays as it is: ${name}`, () => {
    const answer = answerOf({ parts });
    assert.deepEqual(cutWhole(answer, ['END']), answer);
    assert.deepEqual(collectEvents(cutEvents(streamOf(answer, [2]), ['END'])).completion, answer);
  });
}

test('each choice is cut for itself', () => {
  const answer = answerOf({ parts: [text('a END b')] }, { parts: [text('b')] }, { parts: [text('\n\nx')] });
  const ends = cutWhole(answer, ['END', '\n\n']).choices.map(({ finish, stopSequence }) => [
    finish,
    stopSequence,
  ]);
  assert.deepEqual(ends, [
    ['stop_sequence', 'END'],
    ['stop', undefined],
    ['stop_sequence', '\n\n'],
  ]);
});

test('a citation of what is not told is not told, and one that reaches into it is shortened', () => {
  const url = 'http://a';
  const citations = [
    { url, start: 0, end: 2 },
    { url, start: 1, end: 9 },
    { url, start: 5, end: 9 },
  ];
  const answer = answerOf({ parts: [{ type: 'text', text: 'abc END ef', citations }] });
  const kept = [
    { url, start: 0, end: 2 },
    { url, start: 1, end: 4 },
  ];
  assert.deepEqual(cutWhole(answer, ['END']).choices[0]?.parts, [
    { type: 'text', text: 'abc ', citations: kept },
  ]);
  const events = streamOf(answerOf({ parts: [text('abc END ef')] }), [3]).map((event) =>
    event.type === 'part_end' ? { ...event, citations } : event,
  );
  assert.deepEqual(collectEvents(cutEvents(events, ['END'])).completion.choices[0]?.parts, [
    { type: 'text', text: 'abc ', citations: kept },
  ]);
});

test('text is held back as long as it may be the beginning of a sequence, and no longer', () => {
  const deltas = ['a', 'b E', 'N', 'X', ' \n', '\n'];
  const events = deltas.map((delta): CompletionEvent => ({ type: 'part_delta', choice: 0, part: 0, delta }));
  const start: CompletionEvent = {
    type: 'part_start',
    choice: 0,
    part: 0,
    value: { type: 'text', text: '' },
  };
  const decoder = withCutAnswers(provider(answerOf(), [start, ...events]), ['END', '\n\n']).streamDecoder();
  const told = [...events.keys()].map((index) =>
    (index === 0 ? [0, 1] : [index + 1])
      .flatMap((at) => decoder.push({ data: String(at) }))
      .map((event) => (event.type === 'part_delta' ? event.delta : ''))
      .join(''),
  );
  assert.deepEqual(told, ['a', 'b ', '', 'ENX', ' ', '']);
});

test('a call that began before the sequence is told to its end', () => {
  const call = { ...CALL, arguments: '' } as Part;
  const events: CompletionEvent[] = [
    { type: 'part_start', choice: 0, part: 0, value: { type: 'text', text: '' } },
    { type: 'part_start', choice: 0, part: 1, value: call },
    { type: 'part_delta', choice: 0, part: 0, delta: 'a END' },
    { type: 'part_delta', choice: 0, part: 1, delta: '{}' },
    { type: 'part_end', choice: 0, part: 0 },
    { type: 'part_end', choice: 0, part: 1 },
    { type: 'finish', choice: 0, reason: 'tool_calls' },
    { type: 'end' },
  ];
  const [choice] = collectEvents(cutEvents(events, ['END'])).completion.choices;
  assert.deepEqual(choice, {
    index: 0,
    parts: [text('a '), { ...CALL, arguments: '{}' }],
    finish: 'tool_calls',
  });
});

test('what is held of an answer that fails is not told', () => {
  const events: CompletionEvent[] = [
    { type: 'part_start', choice: 0, part: 0, value: { type: 'text', text: '' } },
    { type: 'part_delta', choice: 0, part: 0, delta: 'a EN' },
  ];
  assert.deepEqual(cutEvents(events, ['END']), [
    events[0],
    { type: 'part_delta', choice: 0, part: 0, delta: 'a ' },
  ]);
});

test('an answer that streams in any pieces is cut where the whole one is', () => {
  const said = fc.string({ unit: fc.constantFrom('a', 'b', '\n', '😀', 'é'), maxLength: 12 });
  const part: fc.Arbitrary<Part> = fc.oneof(
    { weight: 4, arbitrary: said.map(text) },
    said.map((thought): Part => ({ type: 'reasoning', text: thought })),
    fc.constant(CALL),
  );
  const choice = fc.record({ parts: fc.array(part, { maxLength: 4 }) });
  const stops = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', '\n', '😀', 'é'), maxLength: 4 }), {
    maxLength: 4,
  });
  const lengths = fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(fc.array(choice, { maxLength: 3 }), stops, lengths, (choices, sequences, pieces) => {
      const answer = answerOf(...choices);
      const whole = cutWhole(answer, sequences);
      const streamed = collectEvents(cutEvents(streamOf(answer, pieces), sequences)).completion;
      assert.deepEqual(streamed.choices.map(spoken), whole.choices.map(spoken));
    }),
    { numRuns: scale({ sample: 400, heavy: 2_000 }) },
  );
});

/** Where the texts of a choice are divided says nothing, nor do empty ones. */
function spoken({ parts, finish, stopSequence }: Choice): object {
  const said: unknown[] = [];
  for (const part of parts) {
    const last = said.at(-1);
    if (part.type !== 'text') said.push(part);
    else if (typeof last === 'string') said[said.length - 1] = last + part.text;
    else if (part.text !== '') said.push(part.text);
  }
  return { said, finish, stopSequence };
}
