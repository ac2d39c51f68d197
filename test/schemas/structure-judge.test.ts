import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { JsonObject } from '../../src/conversation/json.ts';
import { fitsStructure } from '../../src/schemas/check-structure.ts';
import { StructureJudge } from '../../src/schemas/structure-judge.ts';

function structure(value: unknown, schema?: JsonObject | boolean) {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return { text, schema: schema === undefined ? undefined : JSON.stringify(schema), isObject: false };
}

const CITY = {
  type: 'object',
  properties: { city: { type: 'string', pattern: '^[A-Z]' }, days: { type: 'integer', minimum: 1 } },
  required: ['city'],
  additionalProperties: false,
};
/** Tries every way to match: for thirty letters, longer than anybody waits. */
const HOSTILE = { type: 'string', pattern: '^(a+)+$' };
const PROVOKING = JSON.stringify(`${'a'.repeat(40)}!`);

describe('a text', () => {
  const cases: [name: string, text: string, schema: JsonObject | undefined, fits: boolean][] = [
    ['that is JSON, where any is well', '[1]', undefined, true],
    ['that is none', 'Here you are: {}', undefined, false],
    ['that fits', '{"city":"Rome","days":2}', CITY, true],
    ['that lacks a field', '{"days":2}', CITY, false],
    ['with a field too many', '{"city":"Rome","sun":true}', CITY, false],
    ['of another pattern', '{"city":"rome"}', CITY, false],
    ['in a code fence', '```json\n{"city":"Rome"}\n```', CITY, false],
    ['that was broken off', '{"city":"Ro', CITY, false],
    ['by a reference', '{"next":{"next":{}}}', { properties: { next: { $ref: '#' } }, type: 'object' }, true],
    ['against one', '{"next":{"next":1}}', { properties: { next: { $ref: '#' } }, type: 'object' }, false],
    [
      'by an older draft',
      '2',
      { $schema: 'http://json-schema.org/draft-04/schema#', minimum: 2, exclusiveMinimum: true },
      false,
    ],
  ];
  for (const [name, text, schema, fits] of cases) {
    test(`${name} is told ${fits ? 'to fit' : 'from one that fits'}`, () => {
      assert.equal(fitsStructure(structure(text, schema)), fits);
    });
  }

  test('that is an object where one is wanted', () => {
    assert.equal(fitsStructure({ ...structure('{}'), isObject: true }), true);
    for (const text of ['[]', 'null', '"{}"', '1'])
      assert.equal(fitsStructure({ ...structure(text), isObject: true }), false, text);
  });

  test('of any JSON fits the schema that is that value alone, and no other', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (one, other) => {
        const schema = { const: one } as JsonObject;
        const [first, second] = [JSON.stringify(one), JSON.stringify(other)];
        assert.equal(fitsStructure(structure(first, schema)), true);
        if (!isSame(JSON.parse(first), JSON.parse(second)))
          assert.equal(fitsStructure(structure(second, schema)), false);
      }),
    );
  });
});

/** Whatever the order of keys; 0 is -0 in JSON Schema. */
function isSame(one: unknown, other: unknown): boolean {
  try {
    assert.deepEqual(one, other);
    return true;
  } catch {
    return false;
  }
}

describe('a judge', () => {
  test('tells what fits, and nothing where a schema cannot be judged by', async (context) => {
    const judge = new StructureJudge({ monotonicMs: () => performance.now() });
    context.after(() => judge.stop());
    const good = structure({ city: 'Rome' }, CITY);
    const bad = structure({ city: 1 }, CITY);
    const circle = structure(1, { $ref: '#' });
    const circles = structure(1, {
      allOf: [{ $ref: '#/$defs/a' }],
      $defs: { a: { anyOf: [{ $ref: '#' }] } },
    });
    const nowhere = structure(1, { $ref: 'https://example.com/schema.json' });
    const noPattern = structure('"a"', { pattern: '(' });
    assert.equal(await judge.fit('acme', []), undefined);
    assert.equal(await judge.fit('acme', [good]), true);
    assert.equal(await judge.fit('acme', [good, bad]), false);
    for (const unclear of [circle, circles, nowhere, noPattern]) {
      assert.equal(await judge.fit('acme', [unclear]), undefined, JSON.stringify(unclear));
      assert.equal(await judge.fit('acme', [good, unclear]), undefined);
      assert.equal(await judge.fit('acme', [bad, unclear]), false);
    }
  });

  test('gives up a pattern that takes for ever, and its tenant for a while; others are judged', async (context) => {
    let nowMs = 0;
    const judge = new StructureJudge({ monotonicMs: () => nowMs, limitMs: 2_000 });
    context.after(() => judge.stop());
    const hostile = structure(PROVOKING, HOSTILE);
    const good = structure({ city: 'Rome' }, CITY);
    const [first, again, other] = [
      judge.fit('mallory', [hostile]),
      judge.fit('mallory', [good]),
      judge.fit('acme', [good]),
    ];
    assert.deepEqual(await Promise.all([first, again, other]), [undefined, undefined, true]);
    nowMs = 59_000;
    assert.equal(await judge.fit('mallory', [good]), undefined);
    nowMs = 61_000;
    assert.equal(await judge.fit('mallory', [good]), true);
  });

  test('has nobody wait for long behind others', async (context) => {
    let nowMs = 0;
    const judge = new StructureJudge({ monotonicMs: () => nowMs });
    context.after(() => judge.stop());
    const waiting = judge.fit('acme', [structure(1)]);
    nowMs = 2_001;
    assert.equal(await waiting, undefined);
    assert.equal(await judge.fit('acme', [structure(1)]), true);
  });

  test('gives up a schema that takes all memory', async (context) => {
    const judge = new StructureJudge({ monotonicMs: () => 0, limitMs: 20_000 });
    context.after(() => judge.stop());
    // Each level has twice the errors of the one below.
    const defs = Object.fromEntries(
      Array.from({ length: 40 }, (_, level) => [
        `l${level}`,
        { allOf: [{ $ref: `#/$defs/l${level + 1}` }, { $ref: `#/$defs/l${level + 1}` }] },
      ]),
    );
    const schema = { $ref: '#/$defs/l0', $defs: { ...defs, l40: { type: 'string' } } };
    assert.equal(await judge.fit('mallory', [structure(1, schema)]), undefined);
    assert.equal(await judge.fit('acme', [structure(1)]), true);
  });
});
