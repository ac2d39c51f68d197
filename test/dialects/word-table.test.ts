import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { WordTable } from '../../src/dialects/word-table.ts';
import { anyWords } from '../support/any-text.ts';

test('a word is found where it is one of the table, and nothing else', () => {
  const words = fc.oneof(
    fc.constantFrom('model', 'modes', 'mode', 'stream', 'store', ''),
    anyWords({ maxLength: 9 }),
  );
  fc.assert(
    fc.property(fc.array(words, { maxLength: 20 }), words, (list, word) => {
      const table = new WordTable(list);
      const body = Buffer.from(`"${word}"`);
      assert.equal(
        table.words[table.find(body, 1, body.length - 1)],
        list.find((one) => one === word),
      );
    }),
  );
});
