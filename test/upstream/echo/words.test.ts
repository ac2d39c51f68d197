import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { countWords, splitForStream, takeWords } from '../../../src/upstream/echo/words.ts';
import { anyWords } from '../../support/any-text.ts';

const texts = fc.oneof(
  anyWords(),
  fc.string({ unit: fc.constantFrom('a', 'é', '😀', ' ', '\n', '\u00a0', '\u3000', '\ud83d') }),
);

test('a token is a word with the space after it; leading space is a token of its own', () => {
  const counts: [string, number][] = [
    ['', 0],
    ['one', 1],
    ['one two', 2],
    ['one  two \n', 2],
    [' one', 2],
    ['   ', 1],
    ['a\u3000b\u00a0c', 3],
  ];
  for (const [text, count] of counts) assert.equal(countWords(text), count, JSON.stringify(text));
});

test('the first words of a text are its beginning, and as many as asked for', () => {
  fc.assert(
    fc.property(texts, fc.nat(12), (text, words) => {
      const taken = takeWords(text, words);
      assert.ok(text.startsWith(taken));
      assert.equal(countWords(taken), Math.min(words, countWords(text)));
    }),
  );
});

test('the pieces of a stream add up to the text and never cut a character in two', () => {
  fc.assert(
    fc.property(texts, (text) => {
      const pieces = [...splitForStream(text)];
      assert.equal(pieces.join(''), text);
      if (text.isWellFormed()) assert.ok(pieces.every((piece) => piece !== '' && piece.isWellFormed()));
    }),
  );
});

test('a long word comes in several pieces', () => {
  assert.ok([...splitForStream('x'.repeat(100))].length > 1);
});
