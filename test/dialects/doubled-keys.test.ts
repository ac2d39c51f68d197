import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isObject, type JsonValue } from '../../src/conversation/json.ts';
import { findDoubledKey } from '../../src/dialects/doubled-keys.ts';
import { scale } from '../support/scale.ts';

function countsOf(value: JsonValue | undefined, counts = new Map<string, number>()): Map<string, number> {
  if (Array.isArray(value)) for (const item of value) countsOf(item, counts);
  else if (isObject(value)) {
    for (const [key, inner] of Object.entries(value)) {
      counts.set(key, (counts.get(key) ?? 0) + 1);
      countsOf(inner, counts);
    }
  }
  return counts;
}

const find = (json: string) => findDoubledKey(Buffer.from(json), countsOf(JSON.parse(json)));

test('no document that was written from a value has a key twice', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.constantFrom(undefined, 2, '\t'), (value, space) => {
      assert.equal(find(JSON.stringify(value, null, space)), undefined);
    }),
    { numRuns: scale({ sample: 120, heavy: 500 }) },
  );
});

test('a key that stands twice in an object is found, whatever it is and wherever', () => {
  fc.assert(
    fc.property(fc.string(), fc.jsonValue(), fc.jsonValue(), fc.jsonValue(), (key, first, second, other) => {
      const quoted = JSON.stringify(key);
      const object = `{${quoted}:${JSON.stringify(first)},"b":1, ${quoted} : ${JSON.stringify(second)}}`;
      assert.notEqual(find(`{"x\\"":[${JSON.stringify(other)},{"y":${object}}]}`), undefined);
    }),
    { numRuns: scale({ sample: 120, heavy: 500 }) },
  );
});

test('another spelling of a key is the same key', () => {
  assert.equal(find('{"type":1,"t\\u0079pe":2}'), 'type');
  assert.equal(find('{"a":{"type":1},"b":{"type":2},"c":"\\"type\\":"}'), undefined);
});
