import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { JsonValue } from '../../src/conversation/json.ts';
import { findTopLevelFields } from '../../src/dialects/request-fields.ts';
import { ALIKE, flagsOf, SeenWords, WORDS } from '../../src/dialects/seen-words.ts';
import { WordTable } from '../../src/dialects/word-table.ts';

function wordsIn(body: Buffer): string[] {
  const seen = new SeenWords();
  findTopLevelFields(body, new WordTable([]), seen);
  return WORDS.filter((word) => seen.has(word));
}

/** Every key and text below the top. */
function textsBelow(value: JsonValue | undefined): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null) return [];
  if (Array.isArray(value)) return value.flatMap(textsBelow);
  return Object.entries(value).flatMap(([key, inner]) => [key, ...textsBelow(inner)]);
}

const texts = fc.oneof(
  fc.constantFrom(...WORDS),
  fc.constantFrom(...WORDS).map((word) => `${word}s`),
  fc.constantFrom(...WORDS).map((word) => `x${word.slice(1)}`),
  fc.constantFrom(...WORDS).map((word) => `"${word}"`),
  fc.string({ maxLength: 60 }),
);
const documents = fc.letrec<{ any: JsonValue }>((tie) => ({
  any: fc.oneof(
    { depthSize: 'small' },
    texts,
    fc.integer(),
    fc.array(tie('any'), { maxLength: 4 }),
    fc.dictionary(texts, tie('any'), { maxKeys: 4 }),
  ),
})).any;

test('the words that a body holds as whole texts are seen, and no others', () => {
  fc.assert(
    fc.property(fc.array(documents), fc.boolean(), (list, isPretty) => {
      const body = Buffer.from(JSON.stringify({ list }, null, isPretty ? 2 : undefined));
      const held = new Set(textsBelow(list));
      assert.deepEqual(
        wordsIn(body),
        WORDS.filter((word) => held.has(word)),
      );
    }),
  );
});

test('what stands at the top is no word that is looked for', () => {
  assert.deepEqual(wordsIn(Buffer.from('{"audio":"custom","model":"id"}')), []);
  assert.deepEqual(wordsIn(Buffer.from('{"a":{"audio":1},"b":["custom"]}')), ['audio', 'custom']);
});

test('words that mean the same are seen by each of them, and there are no more than a number has bits', () => {
  for (const words of ALIKE) {
    for (const word of words) {
      const seen = new SeenWords();
      findTopLevelFields(Buffer.from(JSON.stringify({ list: [word] })), new WordTable([]), seen);
      assert.ok(seen.hasAnywhere(flagsOf(words)), word);
      assert.ok(WORDS.every((other) => !seen.has(other)));
    }
  }
  assert.ok(WORDS.length + ALIKE.length <= 32);
});
