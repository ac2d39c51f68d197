import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { cutLongRuns, sliceText } from '../../src/tokens/cut-text.ts';
import { countText } from '../../src/tokens/encoders.ts';
import { anyWords } from '../support/any-text.ts';

const ENCODINGS = ['cl100k_base', 'o200k_base'] as const;

/** Words and spaces, and what makes trouble: long runs, characters of two units, combining marks, every white space. */
const text = fc
  .array(
    fc.oneof(
      fc.lorem({ maxCount: 8 }),
      anyWords({ maxLength: 40 }),
      fc
        .tuple(fc.constantFrom('a', ' ', '\n', '😀', '漢', '=', '\u0301', '\u00a0', '7', 'aB'), fc.nat(700))
        .map(([unit, times]) => unit.repeat(times)),
    ),
    { maxLength: 8 },
  )
  .map((parts) => parts.join(' '));

test('cut text is the same text, and no piece holds a long run', () => {
  fc.assert(
    fc.property(text, (whole) => {
      const pieces = cutLongRuns(whole);
      assert.equal(pieces.join(''), whole);
      for (const piece of pieces) {
        assert.doesNotMatch(piece, /[\p{L}\p{M}]{257}|\s{257}|[^\s\p{L}\p{N}\p{M}]{257}/u);
        assert.ok(piece.isWellFormed() || !whole.isWellFormed());
      }
    }),
  );
});

test('sliced text is the same text, in slices within the limit', () => {
  fc.assert(
    fc.property(text, fc.integer({ min: 2, max: 600 }), (whole, limit) => {
      const slices = sliceText(whole, limit);
      assert.equal(slices.join(''), whole);
      for (const slice of slices) {
        assert.ok(slice.length <= limit);
        assert.ok(slice.isWellFormed() || !whole.isWellFormed());
      }
    }),
  );
});

test('slices of text that has words count exactly as the whole', () => {
  const words = fc.array(fc.stringMatching(/^[A-Za-zäß漢.,:(){}"'0-9-]{1,12}$/), {
    minLength: 40,
    maxLength: 300,
  });
  fc.assert(
    fc.property(words, fc.constantFrom(...ENCODINGS), (list, encoding) => {
      const whole = list.join(' ');
      const slices = sliceText(whole, 200);
      const sum = slices.reduce((tokens, slice) => tokens + countText(encoding, slice), 0);
      assert.equal(sum, countText(encoding, whole));
    }),
    { numRuns: 50 },
  );
});

test('what is put together counts what its parts count, but for a few tokens at the seam', () => {
  fc.assert(
    fc.property(text, text, fc.constantFrom(...ENCODINGS), (left, right, encoding) => {
      const apart = countText(encoding, left) + countText(encoding, right);
      const together = countText(encoding, left + right);
      assert.ok(Math.abs(together - apart) <= 24, `${apart} apart, ${together} together`);
      // A word that goes on may be a token where its beginning was several.
      assert.ok(together >= countText(encoding, left) - 24);
    }),
    { numRuns: 100 },
  );
});
