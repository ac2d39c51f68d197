import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '../../../src/conversation/json.ts';
import { constrainSchema, fitsStructuredOutputs } from '../../../src/dialects/messages/json-schema.ts';

const CONSTRAINED: [name: string, schema: JsonObject, constrained: JsonObject][] = [
  [
    'objects are closed',
    { type: 'object', properties: { a: { type: 'object', properties: { b: { type: 'string' } } } } },
    {
      type: 'object',
      properties: {
        a: { type: 'object', properties: { b: { type: 'string' } }, additionalProperties: false },
      },
      additionalProperties: false,
    },
  ],
  [
    'what only narrows moves into the description',
    { type: 'integer', description: 'Age.', minimum: 0, maximum: 150 },
    { type: 'integer', description: 'Age. (minimum: 0, maximum: 150)' },
  ],
  [
    'oneOf is anyOf',
    { oneOf: [{ type: 'string' }, { type: 'null' }] },
    { anyOf: [{ type: 'string' }, { type: 'null' }] },
  ],
  ['known formats stay', { type: 'string', format: 'date' }, { type: 'string', format: 'date' }],
  [
    'others do not',
    { type: 'string', format: 'phone' },
    { type: 'string', description: '(format: "phone")' },
  ],
  [
    'minItems of 0 and 1 stay',
    { type: 'array', items: { type: 'string', maxLength: 3 }, minItems: 1 },
    { type: 'array', items: { type: 'string', description: '(maxLength: 3)' }, minItems: 1 },
  ],
  ['larger ones do not', { type: 'array', minItems: 2 }, { type: 'array', description: '(minItems: 2)' }],
  ['$schema says nothing', { $schema: 'x', type: 'string' }, { type: 'string' }],
  [
    'a property may be named like a keyword',
    { type: 'object', properties: { minimum: { type: 'string' }, description: { type: 'string' } } },
    {
      type: 'object',
      properties: { minimum: { type: 'string' }, description: { type: 'string' } },
      additionalProperties: false,
    },
  ],
  [
    'definitions are constrained too',
    { $ref: '#/$defs/A', $defs: { A: { type: 'string', pattern: 'x' } } },
    { $ref: '#/$defs/A', $defs: { A: { type: 'string', description: '(pattern: "x")' } } },
  ],
];
for (const [name, schema, constrained] of CONSTRAINED) {
  test(`constraining: ${name}`, () => {
    const before = structuredClone(schema);
    assert.deepEqual(constrainSchema(schema), constrained);
    assert.deepEqual(schema, before);
    assert.equal(fitsStructuredOutputs(schema), true);
    assert.deepEqual(constrainSchema(constrained), constrained, 'twice is once');
  });
}

const UNFIT: [name: string, schema: JsonObject][] = [
  ['anything', {}],
  ['a property that is anything', { type: 'object', properties: { a: {} } }],
  ['an open map', { type: 'object', additionalProperties: { type: 'string' } }],
  ['an object of any properties', { type: 'object' }],
  ['a map by patterns', { type: 'object', properties: {}, patternProperties: { x: { type: 'string' } } }],
  ['literals that are objects', { enum: [{ a: 1 }] }],
  ['a recursion', { $ref: '#/$defs/A', $defs: { A: { type: 'array', items: { $ref: '#/$defs/A' } } } }],
  ['a recursion to the root', { type: 'object', properties: { next: { $ref: '#' } } }],
  ['a reference to elsewhere', { $ref: 'https://x.test/schema.json' }],
];
for (const [name, schema] of UNFIT) {
  test(`${name} does not fit`, () => assert.equal(fitsStructuredOutputs(schema), false));
}

test('a definition that is used twice is no recursion', () => {
  const a = { $ref: '#/$defs/A' };
  const schema = { type: 'object', properties: { a, b: a }, $defs: { A: { type: 'string' } } };
  assert.equal(fitsStructuredOutputs(schema), true);
});

test('definitions that each use the next one twice are followed once each', () => {
  const $defs: JsonObject = { d40: { type: 'string' } };
  for (let index = 0; index < 40; index++) {
    const next = { $ref: `#/$defs/d${index + 1}` };
    $defs[`d${index}`] = { type: 'object', properties: { a: next, b: next } };
  }
  assert.equal(fitsStructuredOutputs({ $ref: '#/$defs/d0', $defs }), true);
});

test('a long chain of definitions does not end the stack, and a recursion at its end is found', () => {
  const link = (inner: JsonObject) => ({
    type: 'object',
    properties: { a: inner },
    additionalProperties: false,
  });
  const $defs: JsonObject = {};
  for (let level = 0; level < 20_000; level++) $defs[`d${level}`] = link({ $ref: `#/$defs/d${level + 1}` });
  $defs['d20000'] = { type: 'string' };
  assert.equal(fitsStructuredOutputs({ $ref: '#/$defs/d0', $defs }), true);
  $defs['d20000'] = link({ $ref: '#/$defs/d19999' });
  assert.equal(fitsStructuredOutputs({ $ref: '#/$defs/d0', $defs }), false);
});
