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
