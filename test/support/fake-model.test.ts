import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exampleOf } from './fake-example.ts';
import {
  emptyTurn,
  type ModelRequest,
  mergeTurns,
  piecesOf,
  runModel,
  slicesOf,
  type Turn,
  totalInput,
} from './fake-model.ts';
import { readScript } from './fake-script.ts';
import { toBase64, vectorOf } from './fake-vectors.ts';

const REQUEST: ModelRequest = {
  system: [],
  turns: [],
  tools: [],
  toolChoice: 'auto',
  parallelCalls: true,
  reasoning: 'off',
  stop: [],
  choices: 1,
};
const WEATHER = { name: 'weather', schema: { type: 'object', properties: { city: { type: 'string' } } } };

function user(...texts: string[]): Turn {
  return { ...emptyTurn('user'), texts };
}

function answer(text: string, change: Partial<ModelRequest> = {}): ReturnType<typeof runModel> {
  return runModel({ ...REQUEST, turns: [user(text)], ...change });
}

function words(text: string, change: Partial<ModelRequest> = {}): string | undefined {
  return answer(text, change).choices[0]?.text;
}

test('plain text is echoed, without the lines that are directives', () => {
  assert.equal(words('hello'), 'Echo: hello');
  assert.equal(words('usage cached 7\nhello\nyou'), 'Echo: hello\nyou');
});

test('a text of directives only is echoed as it is', () => {
  assert.equal(words('think about cats'), 'Echo: think about cats');
});

test('calls are made when tools are offered, several lines in parallel, a `then` line one round later', () => {
  const text = 'call weather {"city":"Ulm"}\ncall weather {"city":"Bonn"}\nthen call weather {}';
  const first = answer(text, { tools: [WEATHER] }).choices[0];
  assert.equal(first?.finish, 'tool_calls');
  assert.deepEqual(
    first?.calls.map((call) => call.input),
    [{ city: 'Ulm' }, { city: 'Bonn' }],
  );

  const asked = { ...emptyTurn('assistant'), calls: [{ name: 'weather', json: '{}' }] };
  const results = { ...emptyTurn('user'), results: ['12', '13'] };
  const turns = [user(text), asked, results];
  const second = runModel({ ...REQUEST, tools: [WEATHER], turns }).choices[0];
  assert.deepEqual(
    second?.calls.map((call) => call.input),
    [{}],
  );
  const third = runModel({ ...REQUEST, tools: [WEATHER], turns: [...turns, asked, results] }).choices[0];
  assert.equal(third?.text, 'Tool said: 12, 13');

  assert.equal(words('call weather {}'), 'Echo: call weather {}');
  assert.equal(answer(text, { tools: [WEATHER], parallelCalls: false }).choices[0]?.calls.length, 1);
  assert.equal(answer(text, { tools: [WEATHER], toolChoice: 'none' }).choices[0]?.calls.length, 0);
});

test('a model that must call a tool calls one, with an example of its arguments', () => {
  const other = { name: 'other' };
  const forced = answer('hello', { tools: [other, WEATHER], toolChoice: { name: 'weather' } }).choices[0];
  assert.deepEqual(
    forced?.calls.map(({ name, input }) => ({ name, input })),
    [{ name: 'weather', input: { city: 'text' } }],
  );
  const any = answer('hello', { tools: [other, WEATHER], toolChoice: 'required' }).choices[0];
  assert.equal(any?.calls[0]?.name, 'other');
});

test('reasoning is written when it is on, and at the start of a turn where the dialect always thinks', () => {
  assert.equal(answer('think about cats').choices[0]?.reasoning, '');
  assert.equal(answer('think about cats', { reasoning: 'on' }).choices[0]?.reasoning, 'thinking about cats');
  assert.equal(answer('hello', { reasoning: 'on' }).choices[0]?.reasoning, '');
  assert.equal(answer('hello', { reasoning: 'always' }).choices[0]?.reasoning, 'thinking about hello');
});

test('stop sequences and the token limit cut the text', () => {
  const stopped = answer('stop at END', { stop: ['END'] }).choices[0];
  assert.deepEqual(
    [stopped?.text, stopped?.finish, stopped?.stopSequence],
    ['before ', 'stop_sequence', 'END'],
  );
  const limited = answer('long 9', { maxOutputTokens: 3 }).choices[0];
  assert.deepEqual([limited?.text, limited?.finish], ['word1 word2 word3', 'length']);
  assert.equal(words('long 3'), 'word1 word2 word3');
});

test('media and the system text can be asked for', () => {
  const turns = [{ ...user('look'), media: ['image image/png 68 bytes'] }];
  assert.equal(runModel({ ...REQUEST, turns }).choices[0]?.text, 'Saw image image/png 68 bytes');
  assert.equal(words('say system', { system: ['be kind', 'be brief'] }), 'System: be kind\nbe brief');
});

test('usage is counted in words, in disjoint buckets, plus what the script adds', () => {
  const { usage } = answer('one two\nusage cached 7\nusage cache-write 5\nusage audio-in 3');
  assert.deepEqual(usage, {
    input: 11,
    inputAudio: 3,
    cacheRead: 7,
    cacheWrite: 5,
    cacheWrite1h: 0,
    output: 3,
    outputAudio: 0,
    reasoning: 0,
  });
  assert.equal(totalInput(usage), 26);
});

test('turns of one role in a row are one; words after tool results are a new question', () => {
  const results = { ...emptyTurn('user'), results: ['1'] };
  assert.deepEqual(
    mergeTurns([user('a'), user('b'), emptyTurn('assistant'), results, results, user('c')]).map(
      ({ role, texts, results: given }) => [role, ...texts, ...given],
    ),
    [['user', 'a', 'b'], ['assistant'], ['user', '1', '1'], ['user', 'c']],
  );
});

test('disruptions and refusals are read from the script', () => {
  assert.deepEqual(readScript('fail 429 quota').disruption, { fail: 429, failure: 'quota' });
  assert.deepEqual(readScript('slow 20 ms per chunk\nbreak mid-stream').disruption, {
    slowMs: 20,
    breakMidStream: true,
  });
  assert.equal(answer('block').choices[0]?.finish, 'blocked');
  assert.equal(answer('refuse').choices[0]?.finish, 'refusal');
});

test('an example follows the structure of its schema and nothing that a target might not know', () => {
  const schema = {
    type: 'object',
    properties: {
      name: { type: 'string', minLength: 40 },
      age: { type: ['integer', 'null'], minimum: 18 },
      kind: { enum: ['a', 'b'] },
      pet: { $ref: '#/$defs/pet' },
      tags: { type: 'ARRAY', items: { type: 'STRING' } },
      either: { anyOf: [{ type: 'boolean' }, { type: 'null' }] },
    },
    $defs: { pet: { type: 'object', properties: { is: { const: 'cat' } } } },
  };
  assert.deepEqual(exampleOf(schema), {
    name: 'text',
    age: 1,
    kind: 'a',
    pet: { is: 'cat' },
    tags: ['text'],
    either: true,
  });
});

test('an example of a recursive schema ends', () => {
  const schema = {
    $ref: '#/$defs/node',
    $defs: {
      node: {
        type: 'object',
        properties: {
          next: { $ref: '#/$defs/node' },
          all: { type: 'array', items: { $ref: '#/$defs/node' } },
        },
      },
    },
  };
  assert.ok(JSON.stringify(exampleOf(schema)).length < 10_000);
});

test('vectors are unit vectors that depend on the text, equal as floats and in base64', () => {
  const vector = vectorOf('hello', 64);
  assert.ok(Math.abs(Math.hypot(...vector) - 1) < 1e-6);
  assert.deepEqual(vector, vectorOf('hello', 64));
  assert.notDeepEqual(vector, vectorOf('hello!', 64));
  const bytes = Buffer.from(toBase64(vector), 'base64');
  assert.deepEqual(
    vector.map((_, index) => bytes.readFloatLE(index * 4)),
    vector,
  );
});

test('pieces join to the whole and cut no character', () => {
  const text = 'Grüße 👩‍👩‍👧 an\n alle ';
  assert.equal(piecesOf(text).join(''), text);
  assert.equal(slicesOf(text, 3).join(''), text);
  assert.ok(slicesOf(text, 1).every((slice) => slice.isWellFormed()));
});
