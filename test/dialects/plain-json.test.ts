import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { tryParseJson } from '../../src/conversation/json.ts';
import { PlainReader, readPlain } from '../../src/dialects/plain-json.ts';
import { anyWords } from '../support/any-text.ts';
import { scale } from '../support/scale.ts';

const keys = fc.oneof(
  fc.constantFrom('prompt_tokens', 'total_tokens', 'prompt_tokens_details', '__proto__', 'constructor', ''),
  anyWords(),
);
const values = fc.oneof(
  fc.nat(),
  fc.constantFrom(0, -0, -1, 0.5, 1e21, 123456789012345, 1234567890123456, Number.MAX_SAFE_INTEGER),
  fc.constantFrom(true, false, null),
  anyWords({ maxLength: 80 }),
  fc.jsonValue({ maxDepth: 6 }),
);
const spacing = fc.constantFrom(undefined, 1, '\t', '\r\n ');

test('an object is read as JSON.parse reads it, or not at all, and nothing behind it', () => {
  fc.assert(
    fc.property(
      fc.dictionary(keys, fc.oneof(values, fc.dictionary(keys, values))),
      spacing,
      (object, space) => {
        const text = JSON.stringify(object, null, space);
        const body = Buffer.from(`{"usage": ${text} ,"x":1}`);
        const reader = new PlainReader(body, 10);
        const read = reader.read();
        if (read === undefined) return;
        assert.deepEqual(Object.entries(read), Object.entries(JSON.parse(text)));
        assert.equal(reader.at, 10 + Buffer.byteLength(text));
      },
    ),
  );
});

test('what is plain is read, not left to a parser', () => {
  for (const text of [
    '{}',
    '{ }',
    '{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}',
    '{"a":0,"prompt_tokens":null,"tier":"standard","is":true,"not":false,"in":{"deep":{"er":1}}}',
    '{"a":1,"a":2}',
  ]) {
    for (const spaced of [text, text.replaceAll(/([{}:,])/g, ' $1\n')]) {
      assert.deepEqual(new PlainReader(Buffer.from(spaced), spaced.indexOf('{')).read(), JSON.parse(text));
    }
  }
});

test('what is no JSON, or was cut off, is never read as if it were', () => {
  const pieces = fc.constantFrom(
    '{',
    '}',
    '"a"',
    '"b',
    ':',
    ',',
    '1',
    '01',
    '1.',
    '-',
    'null',
    'nul',
    'true',
    ' ',
    '\\',
    '[',
    ']',
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 12 }), (list) => {
      const text = `{${list.join('')}`;
      const reader = new PlainReader(Buffer.from(text), 0);
      const read = reader.read();
      if (read !== undefined) assert.deepEqual(read, tryParseJson(text.slice(0, reader.at)));
    }),
    { numRuns: scale({ sample: 400, heavy: 2_000 }) },
  );
  const whole = '{"prompt_tokens":12,"in":{"a":"text","b":null}}';
  for (let length = 0; length < whole.length; length++) {
    assert.equal(new PlainReader(Buffer.from(whole.slice(0, length)), 0).read(), undefined);
  }
});

test('a value is read as JSON.parse reads it, or not at all', () => {
  const texts = fc.oneof(
    values.map((value) => JSON.stringify(value)),
    fc.constantFrom(
      '007',
      '00',
      '+1',
      '1e5',
      'nulL',
      'truex',
      '"',
      '""',
      '"a"b"',
      '"\u0001"',
      '"\\u0061"',
      '',
      '1 ',
    ),
  );
  fc.assert(
    fc.property(texts, (text) => {
      const body = Buffer.from(`[${text}]`);
      const read = readPlain(body, 1, body.length - 1);
      if (read !== undefined) assert.deepEqual(read, tryParseJson(text));
    }),
  );
  for (const text of ['"m"', '"gpt-4.1"', 'true', 'false', 'null', '0', '512']) {
    assert.equal(readPlain(Buffer.from(text), 0, text.length), JSON.parse(text));
  }
});
