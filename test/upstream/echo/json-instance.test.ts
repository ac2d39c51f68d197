import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { z } from 'zod';
import type { JsonObject, JsonValue } from '../../../src/conversation/json.ts';
import { makeInstance } from '../../../src/upstream/echo/json-instance.ts';
import type { Schema } from '../../../src/upstream/echo/schema-scope.ts';
import { scale } from '../../support/scale.ts';

const TEXT = 'What is the weather in Paris?';

function instanceOf(schema: Schema): JsonValue {
  return makeInstance(schema, TEXT, 'schema');
}

type SchemaTree = {
  schema: JsonObject;
  scalar: JsonObject;
  array: JsonObject;
  object: JsonObject;
  choice: JsonObject;
};

const names = fc.constantFrom('city', 'days', 'unit', 'constructor', 'näme', '$ref', 'a b');
const PATTERNS = ['^[a-z]{3}$', '^(red|green)$', '\\d+', '^[A-Z]{2}-\\d{4}$', '^.{5,}$'];
const FORMATS = ['date', 'date-time', 'email', 'uuid', 'uri', 'ipv4', 'ipv6', 'duration', 'hostname', 'time'];

/** Schemas that have instances, in the keywords that the independent checker (zod's) knows. */
/** What generated schemas refer to. */
const $defs: JsonObject = { count: { type: 'integer', minimum: 2, maximum: 5 } };

const { schema: bodies } = fc.letrec<SchemaTree>((tie) => ({
  schema: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    tie('scalar'),
    tie('array'),
    tie('object'),
    tie('choice'),
  ),
  scalar: fc.oneof(
    fc.constantFrom<JsonObject>({ type: 'boolean' }, { type: 'null' }, { $ref: '#/$defs/count' }),
    fc
      .tuple(fc.nat(40), fc.nat(40))
      .map(([low, more]): JsonObject => ({ type: 'string', minLength: low, maxLength: low + more })),
    fc.constantFrom(...FORMATS).map((format): JsonObject => ({ type: 'string', format })),
    fc.constantFrom(...PATTERNS).map((pattern): JsonObject => ({ type: 'string', pattern })),
    fc
      .tuple(fc.integer({ min: -1000, max: 1000 }), fc.nat(9))
      .map(([low, more]): JsonObject => ({ type: 'integer', minimum: low, maximum: low + more })),
    fc.tuple(fc.double({ min: -50, max: 50, noNaN: true }), fc.double({ min: 0.5, max: 9, noNaN: true })).map(
      ([low, more]): JsonObject => ({
        type: 'number',
        exclusiveMinimum: low,
        exclusiveMaximum: low + more,
      }),
    ),
    fc
      .tuple(fc.integer({ min: 1, max: 30 }), fc.integer({ min: -99, max: 99 }))
      .map(([step, low]): JsonObject => ({ type: 'integer', multipleOf: step, minimum: low })),
    fc
      .constantFrom(0.1, 0.25, 0.01)
      .map((step): JsonObject => ({ type: 'number', multipleOf: step, minimum: 3.3 })),
    fc
      .array(fc.oneof(fc.string(), fc.integer()), { minLength: 1, maxLength: 4 })
      .map((list): JsonObject => ({ enum: list })),
    fc.oneof(fc.string(), fc.boolean(), fc.integer()).map((value): JsonObject => ({ const: value })),
    fc.constant<JsonObject>({ type: ['integer', 'null'], minimum: 7 }),
  ),
  array: fc.oneof(
    fc
      .tuple(tie('schema'), fc.nat(3), fc.nat(2))
      .map(
        ([items, low, more]): JsonObject => ({ type: 'array', items, minItems: low, maxItems: low + more }),
      ),
    fc
      .array(tie('schema'), { minLength: 1, maxLength: 3 })
      .map((list): JsonObject => ({ type: 'array', prefixItems: list, items: false, minItems: list.length })),
    fc
      .tuple(fc.constantFrom('integer', 'string', 'number'), fc.integer({ min: 1, max: 4 }))
      .map(
        ([type, low]): JsonObject => ({ type: 'array', items: { type }, minItems: low, uniqueItems: true }),
      ),
  ),
  object: fc
    .tuple(fc.dictionary(names, tie('schema'), { maxKeys: 4 }), fc.array(names), fc.boolean(), fc.nat(3))
    .map(
      ([properties, required, additionalProperties, minProperties]): JsonObject => ({
        type: 'object',
        properties,
        required: required.filter((name) => Object.hasOwn(properties, name)),
        additionalProperties,
        ...(additionalProperties ? { minProperties } : {}),
      }),
    ),
  choice: fc.oneof(
    fc.array(tie('schema'), { minLength: 1, maxLength: 3 }).map((list): JsonObject => ({ anyOf: list })),
    fc.tuple(tie('schema'), tie('schema')).map(
      ([a, b]): JsonObject => ({
        oneOf: [
          { type: 'object', properties: { kind: { const: 'a' }, a }, required: ['kind', 'a'] },
          { type: 'object', properties: { kind: { const: 'b' }, b }, required: ['kind', 'b'] },
        ],
      }),
    ),
    fc.tuple(tie('schema'), tie('schema')).map(
      ([left, right]): JsonObject => ({
        allOf: [
          { type: 'object', properties: { left }, required: ['left'] },
          { type: 'object', properties: { right }, required: ['right'] },
        ],
      }),
    ),
  ),
}));

const schemas = bodies.map((body): JsonObject => ({ ...body, $defs }));

test('an instance is valid by an independent checker', () => {
  fc.assert(
    fc.property(schemas, (schema) => {
      const instance = instanceOf(schema);
      const checked = z.fromJSONSchema(schema as Parameters<typeof z.fromJSONSchema>[0]).safeParse(instance);
      assert.ok(checked.success, `${JSON.stringify(instance)}: ${checked.error?.message}`);
    }),
    { numRuns: scale({ sample: 100, heavy: 400 }) },
  );
});

test('the same schema and text always give the same instance', () => {
  fc.assert(
    fc.property(schemas, (schema) => assert.deepEqual(instanceOf(schema), instanceOf(schema))),
    {
      numRuns: 50,
    },
  );
});

test('what a schema generator writes is filled so that the generator accepts it', () => {
  const generated = {
    email: z.email(),
    uuid: z.uuid(),
    date: z.iso.date(),
    time: z.iso.time(),
    dateTime: z.iso.datetime(),
    duration: z.iso.duration(),
    ipv4: z.ipv4(),
    ipv6: z.ipv6(),
    url: z.url(),
    base64: z.base64(),
    ulid: z.ulid(),
    nanoid: z.nanoid(),
    cidr: z.cidrv4(),
    phone: z.e164(),
    hostname: z.hostname(),
    literal: z.literal(['x', 3]),
    record: z.record(z.string(), z.number()),
    union: z.discriminatedUnion('kind', [
      z.object({ kind: z.literal('circle'), radius: z.number().positive().lt(0.5) }),
      z.object({ kind: z.literal('square'), side: z.int().multipleOf(7) }),
    ]),
    tuple: z.tuple([z.string().max(4), z.boolean()]),
    optional: z.string().optional(),
    nullable: z.int().min(40).nullable(),
    several: z.array(z.enum(['low', 'high'])).min(2),
  };
  const instance = instanceOf(z.toJSONSchema(z.strictObject(generated)) as JsonObject);
  const checked = z.strictObject(generated).safeParse(instance);
  assert.ok(checked.success, `${JSON.stringify(instance)}: ${checked.error?.message}`);
});

const TABLE: [what: string, schema: Schema, instance: JsonValue][] = [
  ['a free string is the text', { type: 'string' }, TEXT],
  ['a short string is its beginning', { type: 'string', maxLength: 4 }, 'What'],
  ['nothing said is text too', {}, TEXT],
  ['a constant is itself', { const: { a: [1] } }, { a: [1] }],
  ['an enum is its first value', { enum: ['red', 'green'] }, 'red'],
  ['an enum obeys the other keywords', { enum: ['red', 3, 8], type: 'integer', minimum: 5 }, 8],
  ['a default is taken', { type: 'integer', default: 42 }, 42],
  ['a default that does not fit is not', { type: 'integer', maximum: 3, default: 42 }, 1],
  ['an example is taken', { type: 'string', examples: ['Berlin'] }, 'Berlin'],
  ['a value says more than null', { type: ['null', 'boolean'] }, true],
  ['the type is known by the keywords', { properties: { a: { type: 'null' } } }, { a: null }],
  [
    'optional members are there, in their order',
    { type: 'object', properties: { b: { const: 1 }, a: { const: 2 } }, required: ['a'] },
    { b: 1, a: 2 },
  ],
  [
    'a member that cannot be is left out where it may',
    { type: 'object', properties: { a: false, b: { type: 'null' } } },
    { b: null },
  ],
  ['a required member need not be declared', { type: 'object', required: ['x'] }, { x: TEXT }],
  [
    'members are as few as allowed',
    { type: 'object', properties: { a: { const: 1 }, b: { const: 2 } }, required: ['b'], maxProperties: 1 },
    { b: 2 },
  ],
  ['members are as many as demanded', { type: 'object', minProperties: 2 }, { key1: TEXT, key2: TEXT }],
  [
    'a definition is followed, with what stands beside the reference',
    { $ref: '#/$defs/n~0m~1%20', minimum: 3, $defs: { 'n~m/ ': { type: 'integer' } } },
    3,
  ],
  [
    'conjunctions meet',
    {
      allOf: [
        { type: 'object', properties: { a: { type: 'integer', minimum: 3 } }, required: ['a'] },
        { properties: { a: { multipleOf: 5 } }, additionalProperties: false },
      ],
    },
    { a: 5 },
  ],
  [
    'exactly one alternative holds',
    {
      type: 'object',
      properties: { a: { const: 1 }, b: { const: 2 } },
      oneOf: [{ required: ['a'] }, { required: ['b'] }],
    },
    { a: 1 },
  ],
  [
    'an alternative that overlaps the other is left',
    { oneOf: [{ type: 'integer' }, { type: 'number' }] },
    1.5,
  ],
  ['an impossible alternative is passed over', { anyOf: [false, { $ref: '#/nowhere' }, { const: 3 }] }, 3],
  ['what is excluded is avoided', { type: 'boolean', not: { const: true } }, false],
  [
    'a condition draws its consequence',
    // As text, because an object with `then` looks like a promise to the linter.
    JSON.parse(
      '{"type":"object","properties":{"a":{"const":1}},"if":{"required":["a"]},"then":{"required":["b"]}}',
    ) as JsonObject,
    { a: 1, b: TEXT },
  ],
  ['a list has one item where it may', { type: 'array', items: { type: 'integer' } }, [1]],
  ['a list of nothing is empty', { type: 'array', items: false }, []],
  ['a list contains what it must', { type: 'array', contains: { const: 7 }, minItems: 2 }, [7, TEXT]],
  [
    'unique items differ',
    { type: 'array', items: { enum: ['a', 'b'] }, minItems: 2, uniqueItems: true },
    ['a', 'b'],
  ],
  ["draft 7's tuples are known", { items: [{ const: 1 }, { const: 2 }], additionalItems: false }, [1, 2]],
];

for (const [what, schema, expected] of TABLE) {
  test(`instances: ${what}`, () => assert.deepEqual(instanceOf(schema), expected));
}

test('a recursive schema ends where it may', () => {
  const node: JsonObject = {
    type: 'object',
    properties: {
      value: { type: 'integer' },
      next: { anyOf: [{ $ref: '#' }, { type: 'null' }] },
      children: { type: 'array', items: { $ref: '#' } },
      parent: { $ref: '#' },
    },
    required: ['value', 'next', 'children'],
    additionalProperties: false,
  };
  assert.deepEqual(instanceOf(node), { value: 1, next: null, children: [] });
});

test('definitions that all refer to each other give a bounded instance', () => {
  const kinds = Array.from({ length: 12 }, (_, kind) => `kind${kind}`);
  const properties = Object.fromEntries(kinds.map((kind) => [kind, { $ref: `#/$defs/${kind}` }]));
  const $defs = Object.fromEntries(kinds.map((kind) => [kind, { type: 'object', properties }]));
  assert.ok(JSON.stringify(instanceOf({ $ref: '#/$defs/kind0', $defs })).length < 100_000);
});

test('members named like those of every object are members like others', () => {
  const schema = JSON.parse(
    '{"type":"object","properties":{"__proto__":{"const":1},"constructor":{"const":2}},"required":["toString"]}',
  ) as JsonObject;
  assert.equal(JSON.stringify(instanceOf(schema)), `{"__proto__":1,"constructor":2,"toString":"${TEXT}"}`);
});

const REFUSED: [what: string, schema: Schema][] = [
  ['nothing satisfies it', false],
  ['it contradicts itself', { allOf: [{ type: 'string' }, { type: 'integer' }] }],
  ['a reference leads out of it', { $ref: 'https://example.com/schema.json' }],
  ['it refers to itself only', { $ref: '#' }],
  ['it never ends', { type: 'object', properties: { next: { $ref: '#' } }, required: ['next'] }],
  ['its pattern cannot be read', { type: 'string', pattern: '(?=a)b' }],
  ['it demands too long a list', { type: 'array', minItems: 1e9 }],
  ['it demands too long a text', { type: 'string', minLength: 1e9 }],
  ['it repeats a large constant', { type: 'array', minItems: 9, items: { const: 'x'.repeat(50_000) } }],
  ['it doubles at every level', doublingSchema({ required: ['a', 'b'] })],
  ['it has no way out of its choices', choosingSchema()],
];

for (const [what, schema] of REFUSED) {
  test(`a schema is refused by name where ${what}`, () => {
    assert.throws(() => instanceOf(schema), {
      name: 'GatewayError',
      kind: 'invalid_request',
      param: 'schema',
      code: 'unsupported_schema',
    });
  });
}

test('optional members that double at every level stop in time', () => {
  assert.ok(JSON.stringify(instanceOf(doublingSchema({}))).length < 100_000);
});

test('a long text is cut before it is repeated', () => {
  const schema = { type: 'array', items: { type: 'string' }, minItems: 20 };
  assert.ok(JSON.stringify(makeInstance(schema, 'x'.repeat(1_000_000), 'schema')).length < 10_000);
});

/** The "billion laughs": forty lines that describe 2⁴⁰ values. */
function doublingSchema(keywords: JsonObject): JsonObject {
  const level = (next: number): JsonObject => ({
    type: 'object',
    properties: { a: { $ref: `#/$defs/level${next}` }, b: { $ref: `#/$defs/level${next}` } },
    ...keywords,
  });
  const levels = Array.from({ length: 40 }, (_, number) => [`level${number}`, level(number + 1)]);
  return { $ref: '#/$defs/level0', $defs: { ...Object.fromEntries(levels), level40: { type: 'string' } } };
}

function choosingSchema(): JsonObject {
  const levels = Array.from({ length: 40 }, (_, number) => {
    const next = { $ref: `#/$defs/level${number + 1}` };
    return [`level${number}`, { anyOf: [{ allOf: [next] }, { allOf: [next] }] }];
  });
  return { $ref: '#/$defs/level0', $defs: { ...Object.fromEntries(levels), level40: false } };
}
