import assert from 'node:assert/strict';
import { isUtf8 } from 'node:buffer';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeUtf8, findBadUtf8 } from '../../src/conversation/utf8.ts';
import { anyWords } from '../support/any-text.ts';

test('property: bytes are read as what they say, or not at all', () => {
  const text = anyWords().filter((said) => said.isWellFormed());
  fc.assert(
    fc.property(text, (said) => assert.equal(decodeUtf8(Buffer.from(`${said}\ufffd`)), `${said}\ufffd`)),
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 12 }), (bytes) => {
      const buffer = Buffer.from(bytes);
      assert.equal(decodeUtf8(buffer) !== undefined, isUtf8(buffer));
    }),
  );
});

test('property: the place where bytes stop being UTF-8 is found', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'é', '\ufffd', '😀') });
  const bad = fc.constantFrom([0xff], [0xc3], [0xed, 0xa0, 0x80], [0xf0, 0x9f, 0x98]);
  fc.assert(
    fc.property(text, bad, text, (before, bytes, behind) => {
      const buffer = Buffer.concat([Buffer.from(before), Buffer.from(bytes), Buffer.from(behind)]);
      assert.equal(decodeUtf8(buffer), undefined);
      assert.deepEqual(findBadUtf8(buffer), { offset: Buffer.byteLength(before), before });
    }),
  );
});
