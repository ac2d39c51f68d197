import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { JsonObject } from '../../../src/conversation/json.ts';
import { fromOpenApiSchema, toOpenApiSchema } from '../../../src/dialects/gemini/schema.ts';
import { SCHEMA } from '../../support/gemini/request-shape.ts';
import { findSchemaProblems } from '../../support/gemini/schemas.ts';
import { violationsOf } from '../../support/shape.ts';

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
      'only strings have an enum: other values are told in words',
      {
        type: 'object',
        properties: {
          level: { type: 'integer', enum: [1, 2] },
          share: { type: ['number', 'null'], enum: [0.5, null], description: 'Of it all.' },
          three: { const: 3 },
          mixed: { enum: ['a', 1] },
          empty: { type: 'string', enum: ['', 'a'] },
        },
      },
      {
        type: 'OBJECT',
        properties: {
          level: { type: 'INTEGER', description: '(one of: 1, 2)' },
          share: { type: 'NUMBER', description: 'Of it all. (one of: 0.5, null)', nullable: true },
          three: { type: 'NUMBER', description: '(one of: 3)' },
          mixed: { type: 'STRING', description: '(one of: "a", 1)' },
          empty: { type: 'STRING', description: '(one of: "", "a")' },
        },
      },
    ],
    [
      'null among the values is nullable',
      { enum: ['a', null] },
      { type: 'STRING', format: 'enum', enum: ['a'], nullable: true },
    ],
    [
      'the format of an enum goes where there is none',
      { type: 'string', format: 'enum' },
      { type: 'STRING' },
    ],
    [
      'alternatives that only demand properties leave the object what it is',
      {
        type: 'object',
        properties: { a: { type: 'string' }, b: { type: 'string' } },
        anyOf: [{ required: ['a'] }, { required: ['b'] }],
      },
      { type: 'OBJECT', properties: { a: { type: 'STRING' }, b: { type: 'STRING' } } },
    ],
    [
      'references to themselves in allOf are left open',
      {
        type: 'object',
        properties: { child: { $ref: '#/$defs/Node' } },
        $defs: {
          Node: {
            type: 'object',
            properties: { name: { type: 'string' }, child: { allOf: [{ $ref: '#/$defs/Node' }] } },
          },
        },
      },
      {
        type: 'OBJECT',
        properties: {
          child: { type: 'OBJECT', properties: { name: { type: 'STRING' }, child: { type: 'OBJECT' } } },
        },
      },
    ],
    [
      'a definition that is reached through allOf alone, and holds itself so',
      {
        type: 'object',
        properties: { a: { allOf: [{ $ref: '#/$defs/N' }] } },
        $defs: {
          N: {
            type: 'object',
            properties: { a: { allOf: [{ $ref: '#/$defs/N' }] }, b: { type: 'string' } },
          },
        },
      },
      {
        type: 'OBJECT',
        properties: {
          a: { type: 'OBJECT', properties: { a: { type: 'OBJECT' }, b: { type: 'STRING' } } },
        },
      },
    ],
    [
      'a chain of references in allOf is followed, and an allOf in allOf',
      {
        description: 'd',
        allOf: [{ $ref: '#/$defs/A' }, { allOf: [{ properties: { y: { type: 'integer' } } }] }],
        $defs: {
          A: { $ref: '#/$defs/B', required: ['x'] },
          B: { type: 'object', properties: { x: { type: 'string' } } },
        },
      },
      {
        type: 'OBJECT',
        description: 'd',
        properties: { y: { type: 'INTEGER' }, x: { type: 'STRING' } },
        required: ['x'],
      },
    ],
    [
      'what stands beside an allOf may refer to the same definition',
      {
        allOf: [{ $ref: '#/$defs/A' }],
        properties: { other: { $ref: '#/$defs/A' } },
        $defs: { A: { type: 'object', properties: { x: { type: 'string' } } } },
      },
      {
        type: 'OBJECT',
        properties: {
          x: { type: 'STRING' },
          other: { type: 'OBJECT', properties: { x: { type: 'STRING' } } },
        },
      },
    ],
    [
      'booleans have no enum',
      { type: 'boolean', enum: [true] },
      { type: 'BOOLEAN', description: '(one of: true)' },
    ],
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

  test('references in allOf that multiply without end stay within bounds', () => {
    const $defs: JsonObject = {};
    for (let level = 0; level < 40; level++) {
      const next = { $ref: `#/$defs/L${level + 1}` };
      $defs[`L${level}`] = { allOf: [next, next], properties: { a: { allOf: [next, next] } } };
    }
    const text = JSON.stringify(toOpenApiSchema({ $ref: '#/$defs/L0', $defs }));
    assert.ok(text.length < 1_000_000);
  });

  test('definitions as deep as a request may be, each in the next, do not end the stack', () => {
    const nest = (depth: number, inner: JsonObject): JsonObject => {
      let schema = inner;
      for (let level = 0; level < depth; level++) {
        schema = { allOf: [{ type: 'object', properties: { a: schema } }] };
      }
      return schema;
    };
    const $defs: JsonObject = {};
    for (let level = 0; level < 40; level++) $defs[`L${level}`] = nest(30, { $ref: `#/$defs/L${level + 1}` });
    assert.equal(toOpenApiSchema({ $ref: '#/$defs/L0', $defs })['type'], 'OBJECT');
  });

  test('property: no schema becomes one that Google refuses', () => {
    const scalar = fc.oneof(fc.string({ maxLength: 3 }), fc.integer(), fc.boolean(), fc.constant(null));
    const name = fc.constantFrom('a', 'b', 'c', '__proto__');
    const type = fc.constantFrom('string', 'integer', 'number', 'boolean', 'array', 'object', 'null', 'any');
    const reference = fc.constantFrom('#/$defs/a', '#/$defs/b', '#', '#/nowhere', 'https://example.com/x');
    const words = {
      $ref: reference,
      type: fc.oneof(type, fc.uniqueArray(type, { maxLength: 3 })),
      format: fc.constantFrom('enum', 'uri', 'date-time', 'int64'),
      enum: fc.array(scalar, { maxLength: 3 }),
      const: scalar,
      required: fc.array(name, { maxLength: 3 }),
      exclusiveMinimum: fc.integer(),
      additionalProperties: fc.boolean(),
    };
    const options: { requiredKeys: []; noNullPrototype: true } = { requiredKeys: [], noNullPrototype: true };
    const schema = fc.letrec<{ any: JsonObject }>((tie) => {
      const list = fc.array(tie('any'), { maxLength: 2 });
      const within = {
        items: tie('any'),
        prefixItems: list,
        properties: fc.dictionary(name, tie('any'), { maxKeys: 3 }),
        anyOf: list,
        oneOf: list,
        allOf: list,
      };
      const { $ref: _, ...others } = words;
      return {
        any: fc.oneof(
          { maxDepth: 3, depthSize: 'small' },
          fc.record(words, options),
          fc.record({ ...others, ...within }, options),
        ),
      };
    }).any;
    fc.assert(
      fc.property(schema, schema, schema, (root, a, b) => {
        const converted = toOpenApiSchema(
          JSON.parse(JSON.stringify({ ...root, $defs: { a, b } })) as JsonObject,
        );
        assert.deepEqual(findSchemaProblems(converted, 'tools[0].parameters'), []);
        assert.deepEqual(violationsOf(converted, SCHEMA), []);
      }),
    );
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

describe('what may be null in an OpenAPI schema may be null in JSON Schema', () => {
  const cases: [string, JsonObject, JsonObject][] = [
    [
      'alternatives get one more',
      { anyOf: [{ type: 'STRING' }, { type: 'NUMBER' }], nullable: true },
      { anyOf: [{ type: 'string' }, { type: 'number' }, { type: 'null' }] },
    ],
    [
      'the values of an enum get one more, and Gemini’s own format goes',
      { type: 'STRING', format: 'enum', enum: ['x', 'y'], nullable: true },
      { type: ['string', 'null'], enum: ['x', 'y', null] },
    ],
    [
      'an enum without null',
      { type: 'STRING', format: 'enum', enum: ['x'] },
      { type: 'string', enum: ['x'] },
    ],
    ['other formats stay', { type: 'STRING', format: 'date-time' }, { type: 'string', format: 'date-time' }],
    ['what may be anything may be null', { description: 'd', nullable: true }, { description: 'd' }],
  ];
  for (const [what, schema, expected] of cases) {
    test(what, () => assert.deepEqual(fromOpenApiSchema(schema), expected));
  }

  test('and comes back as nullable', () => {
    for (const [, schema] of cases.slice(0, 4))
      assert.deepEqual(toOpenApiSchema(fromOpenApiSchema(schema)), schema);
  });
});
