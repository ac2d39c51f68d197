import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { JsonObject } from '../../../src/conversation/json.ts';
import { fromOpenApiSchema, toOpenApiSchema } from '../../../src/dialects/gemini/schema.ts';

describe('JSON Schema as an OpenAPI schema', () => {
  const cases: [string, JsonObject, JsonObject][] = [
    [
      'unknown keywords go, known ones stay',
      {
        $schema: 'x',
        $id: 'y',
        type: 'object',
        title: 'T',
        additionalProperties: false,
        propertyNames: { pattern: 'z' },
        default: {},
        properties: { a: { type: 'string', minLength: 1, format: 'uri', examples: ['q'] } },
        required: ['a', 'gone'],
      },
      {
        type: 'OBJECT',
        title: 'T',
        properties: { a: { type: 'STRING', minLength: 1 } },
        required: ['a'],
      },
    ],
    ['a null alternative is nullable', { type: ['string', 'null'] }, { type: 'STRING', nullable: true }],
    [
      'several types are alternatives',
      { type: ['string', 'integer', 'null'] },
      { anyOf: [{ type: 'STRING' }, { type: 'INTEGER' }], nullable: true },
    ],
    [
      'oneOf is anyOf',
      { oneOf: [{ type: 'string' }, { type: 'number' }], description: 'd' },
      { description: 'd', anyOf: [{ type: 'STRING' }, { type: 'NUMBER' }] },
    ],
    [
      'an alternative to null alone is itself',
      { anyOf: [{ type: 'string' }, { type: 'null' }] },
      { type: 'STRING', nullable: true },
    ],
    ['const is an enum of one', { const: 'a' }, { type: 'STRING', format: 'enum', enum: ['a'] }],
    [
      'enum values are strings',
      { type: 'integer', enum: [1, 2] },
      { type: 'INTEGER', format: 'enum', enum: ['1', '2'] },
    ],
    ['booleans have no enum', { type: 'boolean', enum: [true] }, { type: 'BOOLEAN' }],
    [
      'exclusive bounds of integers move by one',
      { type: 'integer', exclusiveMinimum: 0, exclusiveMaximum: 9 },
      { type: 'INTEGER', minimum: 1, maximum: 8 },
    ],
    [
      'exclusive bounds of numbers become inclusive',
      { type: 'number', exclusiveMinimum: 0 },
      { type: 'NUMBER', minimum: 0 },
    ],
    ['lists have items', { type: 'array' }, { type: 'ARRAY', items: { type: 'STRING' } }],
    [
      'tuples are lists of their alternatives',
      { prefixItems: [{ type: 'string' }, { type: 'number' }] },
      { type: 'ARRAY', items: { anyOf: [{ type: 'STRING' }, { type: 'NUMBER' }] } },
    ],
    [
      'formats that the type knows stay',
      { type: 'string', format: 'date-time' },
      { type: 'STRING', format: 'date-time' },
    ],
    [
      'references are inlined',
      {
        type: 'object',
        properties: { a: { $ref: '#/$defs/A', description: 'd' } },
        $defs: { A: { type: 'string' } },
      },
      { type: 'OBJECT', properties: { a: { type: 'STRING', description: 'd' } } },
    ],
    [
      'references to themselves are left open',
      {
        $ref: '#/$defs/Node',
        $defs: { Node: { type: 'object', properties: { next: { $ref: '#/$defs/Node' } } } },
      },
      { type: 'OBJECT', properties: { next: { type: 'OBJECT' } } },
    ],
    ['references to nowhere are left open', { $ref: 'https://example.com/x' }, { type: 'OBJECT' }],
    [
      'allOf is merged',
      {
        allOf: [{ $ref: '#/$defs/A' }, { properties: { b: { type: 'string' } }, required: ['b'] }],
        $defs: { A: { type: 'object', properties: { a: { type: 'string' } }, required: ['a'] } },
      },
      {
        type: 'OBJECT',
        properties: { b: { type: 'STRING' }, a: { type: 'STRING' } },
        required: ['b', 'a'],
      },
    ],
  ];
  for (const [name, schema, expected] of cases) {
    test(name, () => assert.deepEqual(toOpenApiSchema(schema), expected));
  }

  test('references that multiply without end stay within bounds', () => {
    const $defs: JsonObject = {};
    for (let level = 0; level < 30; level++) {
      const next = { $ref: `#/$defs/L${level + 1}` };
      $defs[`L${level}`] = { type: 'object', properties: { a: next, b: next } };
    }
    const text = JSON.stringify(toOpenApiSchema({ $ref: '#/$defs/L0', $defs }));
    assert.ok(text.length < 1_000_000);
  });

  test('a long chain of references is cut', () => {
    const $defs: JsonObject = {};
    for (let level = 0; level < 5000; level++) {
      $defs[`L${level}`] = { type: 'object', properties: { a: { $ref: `#/$defs/L${level + 1}` } } };
    }
    const text = JSON.stringify(toOpenApiSchema({ $ref: '#/$defs/L0', $defs }));
    assert.ok(text.length < 10_000);
  });

  test('a property may be named like a prototype', () => {
    const schema = JSON.parse('{"type":"object","properties":{"__proto__":{"type":"string"}}}') as JsonObject;
    assert.equal(
      JSON.stringify(toOpenApiSchema(schema)),
      '{"type":"OBJECT","properties":{"__proto__":{"type":"STRING"}}}',
    );
  });
});

test('an OpenAPI schema becomes JSON Schema', () => {
  const schema: JsonObject = {
    type: 'OBJECT',
    properties: {
      type: { type: 'STRING', nullable: true },
      list: { type: 'ARRAY', items: { type: 'INTEGER' }, max_items: '3' },
      either: { any_of: [{ type: 'STRING' }, { type: 'NUMBER' }] },
    },
  };
  assert.deepEqual(fromOpenApiSchema(schema), {
    type: 'object',
    properties: {
      type: { type: ['string', 'null'] },
      list: { type: 'array', items: { type: 'integer' }, maxItems: 3 },
      either: { anyOf: [{ type: 'string' }, { type: 'number' }] },
    },
  });
});
