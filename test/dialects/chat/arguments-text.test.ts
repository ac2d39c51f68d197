import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ArgumentsText } from '../../../src/dialects/chat/arguments-text.ts';
import { isJsonPrefix } from '../../../src/dialects/chat/json-prefix.ts';
import { scale } from '../../support/scale.ts';

function join(pieces: readonly string[]): { given: string; text: string } {
  const args = new ArgumentsText();
  const given = pieces.map((piece) => args.take(piece)).join('') + args.end();
  return { given, text: args.text };
}

const numRuns = scale({ sample: 500, heavy: 50_000 });

/** Texts that look like JSON again, so that a piece of them could be a repetition. */
const likeJson = fc.string({ unit: fc.constantFrom(...'{}":,[]1-a\\'), maxLength: 5 });
const { value: nested } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.oneof(likeJson, fc.integer(), fc.constant(null)),
    fc.array(tie('value'), { maxLength: 2 }),
    fc.dictionary(likeJson, tie('value'), { maxKeys: 2 }),
  ),
}));
const objects = fc.oneof(
  fc.dictionary(fc.string(), fc.jsonValue()),
  fc.dictionary(likeJson, nested, { maxKeys: 2 }),
  // One within the other alike.
  fc.tuple(likeJson, fc.integer({ min: 1, max: 4 }), nested).map(([key, depth, inner]) =>
    Array.from({ length: depth }).reduce<Record<string, unknown>>((value) => ({ [key]: value }), {
      [key]: inner,
    }),
  ),
);

/** Arguments, and where they are cut. */
const cutObjects = fc.tuple(objects, fc.array(fc.nat(), { maxLength: 6 })).map(([value, cuts]) => {
  const json = JSON.stringify(value);
  const ends = [...new Set([...cuts.map((cut) => (cut % json.length) + 1), json.length])];
  return { json, ends: ends.sort((one, other) => one - other) };
});
const repeats = fc.nat({ max: 2 });

test('arguments in pieces are what the pieces come to, also where the whole comes once more', () => {
  fc.assert(
    fc.property(cutObjects, repeats, ({ json, ends }, times) => {
      const pieces = ends.map((end, index) => json.slice(ends[index - 1] ?? 0, end));
      const repeated = Array.from({ length: times }, () => json);
      assert.deepEqual(join([...pieces, ...repeated]), { given: json, text: json });
    }),
    { numRuns },
  );
});

test('nothing of arguments so far is doubled, whatever they look like', () => {
  fc.assert(
    fc.property(cutObjects, repeats, ({ json, ends }, times) => {
      const pieces = ends.map((end) => json.slice(0, end));
      const repeated = Array.from({ length: times }, () => json);
      assert.deepEqual(join([...pieces, ...repeated]), { given: json, text: json });
    }),
    { numRuns },
  );
});

test('of arguments so far, in each delta all of them, nothing is doubled', () => {
  const keyed = fc
    .tuple(fc.string(), fc.jsonValue())
    .map(([key, value]) => JSON.stringify({ [`k${key}`]: value }));
  fc.assert(
    fc.property(keyed, fc.integer({ min: 1, max: 5 }), (json, step) => {
      const pieces: string[] = [];
      for (let end = step; end < json.length; end += step) pieces.push(json.slice(0, end));
      pieces.push(json);
      assert.deepEqual(join(pieces), { given: json, text: json });
    }),
  );
});

const CASES: [what: string, pieces: string[], whole: string][] = [
  [
    'cut as a model’s tokens are',
    ['{"', '{"location', '{"location":', '{"location": "', '{"location": "Paris', '{"location": "Paris"}'],
    '{"location": "Paris"}',
  ],
  ['that could be nested ones at first', ['{"q":', '{"q":"ab', '{"q":"abc"}'], '{"q":"abc"}'],
  ['that could be nested ones until the end', ['{"q":', '{"q":1}'], '{"q":1}'],
  ['that are nested ones', ['{"q":', '{"q":1}', '}'], '{"q":{"q":1}}'],
  ['within a text', ['{"q":"', '{"q":"ab', '{"q":"abc"}'], '{"q":"abc"}'],
  ['once more, whole', ['{"a":', '1}', '{"a":1}'], '{"a":1}'],
  ['once more, behind one that could be one', ['{"', '{":-26}', '{"{":-26}'], '{"{":-26}'],
];

for (const [what, pieces, whole] of CASES) {
  test(`repeated arguments ${what}`, () => {
    assert.deepEqual(join(pieces), { given: whole, text: whole });
  });
}

test('every beginning of JSON is one, and what has no continuation is none', () => {
  fc.assert(
    fc.property(fc.json(), fc.nat(), (json, cut) =>
      assert.ok(isJsonPrefix(json.slice(0, cut % (json.length + 1)))),
    ),
  );
  for (const text of ['{{', '{"{"a', '{"a"{', '{"a":1}{', '[1,]', '{,', '{"a":1]', '{"a" 1', '1,', "{'a"]) {
    assert.equal(isJsonPrefix(text), false, text);
  }
});
