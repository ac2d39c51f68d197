import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseKeepingArguments } from '../../src/conversation/exact-numbers.ts';
import { isObject, type JsonObject } from '../../src/conversation/json.ts';
import { noteLongNumbers, writeWithLongNumbers } from '../../src/conversation/long-numbers.ts';

function read(text: string): JsonObject {
  const request = parseKeepingArguments(text);
  assert.ok(isObject(request));
  noteLongNumbers(request, text);
  return request;
}

test('whole numbers beyond those of JavaScript are written as they stood, wherever they went', () => {
  const request = read('{"a":12345678901234567890,"b":{"maximum":-9007199254740993},"c":1e400,"d":7}');
  const { a, b, c, d } = request;
  assert.equal(
    writeWithLongNumbers({ d, list: [b ?? null], inner: { a, c } }, request),
    '{"d":7,"list":[{"maximum":-9007199254740993}],"inner":{"a":12345678901234567890,"c":1e400}}',
  );
});

test('two that would be one number are told apart by their order, where both are there', () => {
  const request = read('{"a":1234567890123456789,"b":1234567890123456790}');
  const { a, b } = request;
  assert.equal(
    writeWithLongNumbers({ x: { a }, y: b }, request),
    '{"x":{"a":1234567890123456789},"y":1234567890123456790}',
  );
  assert.equal(writeWithLongNumbers({ a }, request), JSON.stringify({ a }));
});

test('other numbers, texts and arguments are written as ever', () => {
  const text =
    '{"id":"12345678901234567890","n":1,"input":{"id":12345678901234567890,"whole":1.0},"x":12345678901234567890}';
  const request = read(text);
  assert.equal(writeWithLongNumbers(request, request), text);
  assert.equal(writeWithLongNumbers({ a: 1 }, undefined), '{"a":1}');
});

test('a document is written again with the values that it had', () => {
  const whole = fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n });
  fc.assert(
    fc.property(fc.array(whole), (numbers) => {
      const text = `{"list":[${numbers.join(',')}]}`;
      const request = read(text);
      assert.equal(writeWithLongNumbers(request, request), text);
    }),
  );
});
