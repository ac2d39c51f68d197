import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { JsonValue } from '../../src/conversation/json.ts';
import { keepBetas } from '../../src/upstream/betas.ts';
import { rewriteBody } from '../../src/upstream/body-fields.ts';

const REWRITTEN: [body: string, fields: Record<string, JsonValue | undefined>, expected: string][] = [
  ['{"a":1}', { b: 'x' }, '{"b":"x","a":1}'],
  ['{}', { b: [1] }, '{"b":[1]}'],
  ['{ }', { b: null }, '{"b":null }'],
  ['{"a":1,"b":2}', { a: { c: 1 } }, '{"a":{"c":1},"b":2}'],
  ['{"a":1,"b":2,"c":3}', { b: undefined }, '{"a":1,"c":3}'],
  ['{"a":1, "b" : 2 }', { b: undefined }, '{"a":1 }'],
  ['{"a":1}', { a: undefined }, '{}'],
  ['{"a":1,"b":2}', { a: undefined, b: undefined }, '{}'],
  ['{"a":1,"b":2}', { b: undefined, a: 3 }, '{"a":3}'],
  [
    '{"big":12345678901234567890,"\\u0061":"\\"","z":1.0}',
    { a: undefined },
    '{"big":12345678901234567890,"z":1.0}',
  ],
  ['{"in":{"a":1}}', { a: undefined }, '{"in":{"a":1}}'],
];

for (const [body, fields, expected] of REWRITTEN) {
  test(`${body} with ${Object.entries(fields).map(([name, value]) => `${name}: ${JSON.stringify(value)}`)}`, () => {
    assert.equal(rewriteBody(Buffer.from(body), fields).toString(), expected);
  });
}

test('property: what comes out is what an object with these fields is', () => {
  const name = fc.constantFrom('model', 'a', 'b"c', 'd\\', '');
  const objects = fc.dictionary(name, fc.jsonValue({ maxDepth: 2 }));
  const changes = fc.dictionary(name, fc.option(fc.jsonValue({ maxDepth: 1 }), { nil: undefined }));
  fc.assert(
    fc.property(objects, changes, fc.constantFrom(0, 2), (object, fields, indent) => {
      const body = Buffer.from(JSON.stringify(object, null, indent));
      const rewritten: unknown = JSON.parse(
        rewriteBody(body, fields as Record<string, JsonValue>).toString(),
      );
      assert.deepEqual(rewritten, JSON.parse(JSON.stringify({ ...object, ...fields })));
    }),
  );
});

test('flags of anthropic-beta that are not known are left out and named', () => {
  const dropped: string[] = [];
  const headers = { 'anthropic-beta': 'a-1, b-2,c-3', 'x-other': '1' };
  assert.deepEqual(keepBetas(headers, { betas: ['a-1', 'c-3'] }, dropped), {
    'x-other': '1',
    'anthropic-beta': 'a-1,c-3',
  });
  assert.deepEqual(dropped, ['anthropic-beta: b-2']);
  assert.deepEqual(keepBetas({ 'anthropic-beta': 'z' }, { betas: [] }, dropped), {});
});

test('flags that go by another name there are called so, once', () => {
  const dropped: string[] = [];
  const known = { betas: ['new-1'], betaNames: { 'old-1': 'new-1' } };
  assert.deepEqual(keepBetas({ 'anthropic-beta': 'old-1,new-1' }, known, dropped), {
    'anthropic-beta': 'new-1',
  });
  assert.deepEqual(dropped, []);
});
