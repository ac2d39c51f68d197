import fc from 'fast-check';

/** Any text that JavaScript can hold, with what JSON has to escape, and halves of surrogate pairs. */
export const anyText: fc.Arbitrary<string> = fc
  .array(
    fc.oneof(
      fc.integer({ min: 0, max: 0xffff }),
      fc.constantFrom(0, 0x0a, 0x22, 0x5c, 0x7f, 0x2028, 0xd800, 0xdfff),
    ),
  )
  .map((units) => String.fromCharCode(...units));

const asciiCharacter = fc.string({ minLength: 1, maxLength: 1 });
const codePoint = fc.integer({ min: 0x80, max: 0x10ffff }).map((point) => {
  const isHalf = point >= 0xd800 && point <= 0xdfff;
  return String.fromCodePoint(isHalf ? point - 0xd800 + 0xe000 : point);
});
/** What is one character to a reader and several code points, and what stands for nothing. */
const severalPoints = fc.constantFrom(
  'e\u0301',
  '👩‍👩‍👧',
  '🇩🇪',
  '한',
  'नी',
  '\u200d',
  '\ufeff',
  '\u2028',
  '\0',
  '\x7f',
);
const character = fc.oneof(asciiCharacter, asciiCharacter, codePoint, severalPoints);

/**
 * Well-formed text of all planes, names with a meaning in JavaScript (`__proto__`) among it. (fast-check's own `unit: 'grapheme'` and
 * `'binary'` spend two seconds of every process on their tables.)
 */
export function anyWords(constraints: { minLength?: number; maxLength?: number } = {}): fc.Arbitrary<string> {
  return fc.oneof(fc.string(constraints), fc.string({ ...constraints, unit: character }));
}
