import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '../../src/conversation/json.ts';
import { plainRoot } from '../../src/dialects/plain-root.ts';

const REFUSED = ['oneOf', 'anyOf', 'allOf', 'enum', 'not'];

function plain(schema: JsonObject): JsonObject {
  const { description, ...rest } = plainRoot(schema, REFUSED).schema;
  assert.equal(typeof description, 'string');
  return rest;
}

const CIRCLE = { properties: { kind: { const: 'circle' }, size: { type: 'number' } }, required: ['kind'] };
const SQUARE = { properties: { kind: { const: 'square' }, size: { type: 'number' } }, required: ['kind'] };

for (const keyword of ['oneOf', 'anyOf']) {
  test(`what tells the alternatives of ${keyword} apart may be each of theirs`, () => {
    assert.deepEqual(plain({ type: 'object', [keyword]: [CIRCLE, SQUARE] }), {
      type: 'object',
      properties: { kind: { anyOf: [{ const: 'circle' }, { const: 'square' }] }, size: { type: 'number' } },
      required: ['kind'],
    });
  });
}

test('a property of which several parts of allOf say something is what all of them say', () => {
  const allOf = [{ properties: { a: { type: 'string' } } }, { properties: { a: { minLength: 3 } } }];
  assert.deepEqual(plain({ allOf })['properties'], { a: { allOf: [{ type: 'string' }, { minLength: 3 }] } });
  const anyOf = [{ properties: { a: { const: 'x' } } }, { properties: { a: { const: 'yyy' } } }];
  assert.deepEqual(plain({ allOf: [{ properties: { a: { minLength: 3 } } }], anyOf })['properties'], {
    a: { allOf: [{ anyOf: [{ const: 'x' }, { const: 'yyy' }] }, { minLength: 3 }] },
  });
});

test('what the root itself says of a property stands', () => {
  const properties = { kind: { enum: ['circle', 'square'] } };
  assert.deepEqual(plain({ properties, oneOf: [CIRCLE, SQUARE] })['properties'], {
    size: { type: 'number' },
    ...properties,
  });
});

test('values that are listed at the root are no schemas', () => {
  const values = [{ properties: { a: 1 }, required: ['a'] }, { a: 2 }];
  assert.deepEqual(plain({ type: 'object', enum: values }), { type: 'object', properties: {} });
});

test('a property may have any name', () => {
  const odd = JSON.parse('{"__proto__":{"type":"string"},"constructor":{"type":"number"}}');
  const { properties } = plain({ oneOf: [{ properties: odd }] });
  assert.deepEqual(JSON.parse(JSON.stringify(properties)), odd);
});

test('there may be many alternatives, and many properties in them', () => {
  const many = Array.from({ length: 200_000 }, (_, nth) => ({ properties: { [`p${nth % 7}`]: {} } }));
  assert.equal(Object.keys(plain({ anyOf: many })['properties'] as JsonObject).length, 7);
  const names = Array.from({ length: 50_000 }, (_, nth) => `p${nth}`);
  const { required } = plain({ anyOf: [{ required: names }, { required: names.toReversed() }] });
  assert.deepEqual(required, names);
});
