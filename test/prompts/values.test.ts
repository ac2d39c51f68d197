import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject, JsonValue } from '../../src/conversation/json.ts';
import { describeFaults } from '../../src/prompts/faults.ts';
import { ValueCheck } from '../../src/prompts/values.ts';
import { withDefaults } from '../../src/prompts/with-defaults.ts';

const PERSON: JsonObject = {
  type: 'object',
  properties: { name: { type: 'string' }, tags: { type: 'array', items: { type: 'string' } } },
  additionalProperties: false,
};
const check = new ValueCheck({
  type: 'object',
  properties: { one: PERSON, people: { type: 'array', items: PERSON } },
});

function fields(count: number): JsonObject {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`f${index}`, index]));
}

test('at most 100 faults are told, and looked for no further', () => {
  const many: readonly JsonValue[] = [
    { one: fields(200_000) },
    { people: Array.from({ length: 50_000 }, () => ({ extra: 1 })) },
    { one: { tags: Array.from({ length: 200_000 }, () => 1) } },
    { people: Array.from({ length: 300 }, () => ({ name: 1 })) },
  ];
  for (const value of many) {
    const before = process.cpuUsage();
    const faults = check.faultsOf(value);
    const { user } = process.cpuUsage(before);
    assert.ok(faults.length > 0 && faults.length <= 100, `${faults.length} faults`);
    assert.ok(user < 500_000, `${user} µs`);
  }
});

test('a few faults of a small value are told, all of them', () => {
  assert.deepEqual(check.faultsOf({ one: { name: 1, b: 2, c: 3 }, people: [{}, { d: 4 }] }), [
    { path: 'one.name', message: 'expected string, found number' },
    { path: 'one.b', message: 'is not known here' },
    { path: 'one.c', message: 'is not known here' },
    { path: 'people[1].d', message: 'is not known here' },
  ]);
  const told = describeFaults(check.faultsOf({ one: fields(1000) }));
  assert.match(told, /^'one\.f0': is not known here; .*; at least 90 more$/);
});

test('an object of more than 10,000 fields is a fault, whatever they are', () => {
  const texts = new ValueCheck({ type: 'object', additionalProperties: { type: 'string' } });
  assert.deepEqual(texts.faultsOf(fields(200_000)), [{ path: '', message: 'has more than 10000 fields' }]);
  const inner = new ValueCheck({
    type: 'object',
    additionalProperties: { type: 'object', properties: {}, additionalProperties: {} },
  });
  assert.deepEqual(inner.faultsOf({ a: fields(20_000) }), [
    { path: 'a', message: 'has more than 10000 fields' },
  ]);
  assert.equal(texts.faultsOf(fields(9000)).length, 100);
});

test('a fault names no more of a long name than its beginning', () => {
  const [fault] = check.faultsOf({ one: { ['x'.repeat(1_000_000)]: 1 } });
  assert.equal(fault?.path, `one.${'x'.repeat(196)}…`);
});

test('what cannot be checked at all is a fault', () => {
  const nested = JSON.parse(`${'['.repeat(50_000)}${']'.repeat(50_000)}`) as JsonValue;
  const deep = new ValueCheck({ $defs: { list: { items: { $ref: '#/$defs/list' } } }, $ref: '#/$defs/list' });
  for (const [one, value] of [[deep, nested] as const, [check, { one: { '\uD800': 1 } }] as const])
    assert.match(one.faultsOf(value)[0]?.message ?? '', /^cannot be checked/);
});

const TREE: JsonObject = {
  anyOf: ['a', 'b'].map((kind) => ({
    ...{ type: 'object', required: ['kind', 'inner'] },
    properties: { inner: { type: 'array', items: { $ref: '#/$defs/tree' } }, kind: { const: kind } },
  })),
};
const tree = (levels: number): JsonObject => ({ kind: 'b', inner: levels === 0 ? [] : [tree(levels - 1)] });

/** Schemas by which a small value may be years of work, with a value that is, and one that is not. */
const MUCH: readonly [string, JsonObject, JsonValue, JsonValue][] = [
  ['a pattern', { pattern: '^(\\w+\\s?)+$' }, `${'a'.repeat(50)}!`, 'a b c'],
  [
    'a pattern of names',
    { patternProperties: { '^(a+)+$': true } },
    { [`${'a'.repeat(50)}!`]: 1 },
    { aa: 1 },
  ],
  [
    'items that are unlike',
    { uniqueItems: true },
    Array.from({ length: 100_000 }, (_, i) => `${i}`),
    ['1', '2'],
  ],
  ['alternatives within themselves', { $defs: { tree: TREE }, $ref: '#/$defs/tree' }, tree(40), tree(4)],
];

for (const [what, schema, much, little] of MUCH) {
  test(`what a schema makes of a value is bounded: ${what}`, () => {
    const own = new ValueCheck(schema);
    const before = process.cpuUsage();
    assert.deepEqual(own.faultsOf(much), [
      { path: '', message: 'cannot be checked: it takes too long by its schema' },
    ]);
    const { user } = process.cpuUsage(before);
    assert.ok(user < 3_000_000, `${user} µs`);
    assert.deepEqual(own.faultsOf(little), []);
  });
}

test('defaults are found where a schema refers to its parts, as generators write schemas', () => {
  const tone: JsonObject = { type: 'string', default: 'calm' };
  const schema: JsonObject = {
    properties: {
      one: { $ref: '#/$defs/style' },
      all: { type: 'array', items: { allOf: [{ $ref: '#/$defs/style' }] } },
      tree: { $ref: '#/$defs/tree' },
    },
    $defs: {
      style: { properties: { tone, size: { type: 'integer' } } },
      tree: { properties: { inner: { $ref: '#/$defs/tree', default: {} }, tone } },
    },
  };
  assert.deepEqual(withDefaults(schema, { one: {}, all: [{ size: 1 }, { tone: null }] }), {
    one: { tone: 'calm' },
    all: [{ size: 1, tone: 'calm' }, { tone: null }],
  });
  // What is in a default is said there.
  assert.deepEqual(withDefaults(schema, { tree: { inner: {} } }), {
    tree: { inner: { inner: {}, tone: 'calm' }, tone: 'calm' },
  });
});
