import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { quoteName, quoteText, writeNumber } from '../../src/usage/json-words.ts';
import { anyText } from '../support/any-text.ts';
import { scale } from '../support/scale.ts';

test('texts and names are quoted as `JSON.stringify` does it, also again', () => {
  fc.assert(
    fc.property(fc.oneof(anyText, fc.string()), (text) => {
      const quoted = JSON.stringify(text);
      assert.deepEqual([quoteText(text), quoteName(text), quoteName(text)], [quoted, quoted, quoted]);
    }),
    { numRuns: scale({ sample: 120, heavy: 500 }) },
  );
  assert.equal(quoteName(null), 'null');
});

test('names are quoted right however many there were, and however long they are', () => {
  for (let count = 0; count < 3_000; count++) assert.equal(quoteName(`model-${count}`), `"model-${count}"`);
  const long = 'm"'.repeat(1_000);
  assert.equal(quoteName(long), JSON.stringify(long));
  assert.equal(quoteName('model-0'), '"model-0"');
});

test('numbers are written as `JSON.stringify` does it', () => {
  const numbers = fc.oneof(
    fc.double(),
    fc.integer(),
    fc.constantFrom(-0, Number.NaN, Infinity, -Infinity, 1e21),
  );
  fc.assert(fc.property(numbers, (number) => assert.equal(writeNumber(number), JSON.stringify(number))));
  assert.equal(writeNumber(null), 'null');
});
