import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { GatewayError } from '../../../src/conversation/gateway-error.ts';
import type { JsonObject } from '../../../src/conversation/json.ts';
import { FieldRules } from '../../../src/dialects/chat/field-rules.ts';
import { MessageRules } from '../../../src/dialects/chat/message-rules.ts';
import type { FieldQuirks, FieldRule } from '../../../src/dialects/chat/quirks.ts';
import { findTopLevelFields } from '../../../src/dialects/request-fields.ts';

const EVERY_KIND: FieldQuirks = {
  limit: { as: 'max_tokens' },
  user: 'drop',
  stream_options: 'omit',
  audio: 'refuse',
  choice: (value) => (value === 'required' ? { choice: 'any' } : 'keep'),
  reasoning_effort: (effort, model) => ({ thinking: { type: effort }, budget: model.length }),
  n: (n) => (n === 1 ? 'omit' : 'refuse'),
};

function rewriteBytes(rules: FieldRules, body: Buffer, drop: (name: string) => void): Buffer {
  return rules.rewriteBytes(body, findTopLevelFields(body, rules.wanted), 'm', drop);
}

function rewrite(text: string, quirks: FieldQuirks = EVERY_KIND): { text: string; dropped: string[] } {
  const dropped: string[] = [];
  const body = rewriteBytes(new FieldRules(quirks), Buffer.from(text), (name) => dropped.push(name));
  return { text: body.toString(), dropped };
}

test('a body without what a rule is about is the same buffer', () => {
  const body = Buffer.from('{ "model":"m", "choice":"auto","messages":[],"max_tokens":5 }');
  assert.equal(
    rewriteBytes(new FieldRules(EVERY_KIND), body, () => assert.fail('nothing is dropped')),
    body,
  );
});

const REWRITTEN: [title: string, before: string, after: string, dropped: string[]][] = [
  [
    'a field under its other name keeps the bytes of its value',
    '{"a": 1e999, "limit" : 12345678901234567890 ,"b":[ ]}',
    '{"a": 1e999, "max_tokens":12345678901234567890 ,"b":[ ]}',
    [],
  ],
  [
    'what is dropped goes with its comma, and is named',
    '{"a":1,"user":"u","b":2}',
    '{"a":1,"b":2}',
    ['user'],
  ],
  ['the first one', '{"user":"u" , "b":2}', '{ "b":2}', ['user']],
  ['the last one', '{"a":1 , "user":"u"}', '{"a":1 }', ['user']],
  ['the only one', '{ "user":"u" }', '{  }', ['user']],
  ['several in a row at the end', '{"a":1,"user":"u","stream_options":{},"n":1}', '{"a":1}', ['user']],
  ['several in a row at the beginning', '{"n":1,"user":"u","a":1}', '{"a":1}', ['user']],
  ['all there is', '{"n":1,"user":"u"}', '{}', ['user']],
  [
    'what the server does anyway is not named',
    '{"stream_options":{"include_usage":true},"a":1}',
    '{"a":1}',
    [],
  ],
  ['a value of its own', '{"choice":"required","a":1}', '{"choice":"any","a":1}', []],
  [
    'several fields in the place of one',
    '{"x":0,"reasoning_effort":"low","a":1}',
    '{"x":0,"thinking":{"type":"low"},"budget":1,"a":1}',
    [],
  ],
  [
    'null is absence: nothing to name or refuse',
    '{"user":null,"audio":null,"limit":null,"a":1}',
    '{"a":1}',
    [],
  ],
  [
    'what the caller said in the server’s own words stands; the other word is named',
    '{"limit":5,"max_tokens":6,"reasoning_effort":"low","thinking":{"type":"mine"}}',
    '{"max_tokens":6,"budget":1,"thinking":{"type":"mine"}}',
    ['limit'],
  ],
  ['a null in the server’s own words says nothing', '{"limit":5,"max_tokens":null}', '{"max_tokens":5}', []],
];

for (const [title, before, after, dropped] of REWRITTEN) {
  test(title, () => assert.deepEqual(rewrite(before), { text: after, dropped }));
}

test('a field that is refused is named, as is one that stands twice or is no JSON', () => {
  for (const [text, param] of [
    ['{"audio":{}}', 'audio'],
    ['{"n":2}', 'n'],
    ['{"user":"a","user":"b"}', 'user'],
    ['{"choice":[1,]}', 'choice'],
  ] as const) {
    assert.throws(
      () => rewrite(text),
      (error) => error instanceof GatewayError && error.kind === 'invalid_request' && error.param === param,
    );
  }
});

test('fields that only objects have by birth are fields like others', () => {
  const text = '{"constructor":1,"__proto__":{"x":1},"toString":null}';
  assert.deepEqual(rewrite(text), { text, dropped: [] });
});

const NAMES = ['a', 'b', 'user', 'limit', 'max_tokens', 'n', 'choice', 'messages', 'é', '__proto__'];
const anyRule: fc.Arbitrary<FieldRule> = fc.oneof(
  fc.constantFrom<FieldRule>('drop', 'omit', { as: 'renamed' }),
  fc.constantFrom<FieldRule>(
    () => ({ x1: 1, x2: [2] }),
    () => 'keep',
  ),
);

test('property: bytes and JSON come to the same, and what has no rule keeps its bytes and order', () => {
  const bodies = fc.dictionary(fc.constantFrom(...NAMES), fc.jsonValue({ maxDepth: 3 }), {
    noNullPrototype: true,
  });
  const quirks = fc.dictionary(fc.constantFrom('user', 'limit', 'n', 'choice', 'a'), anyRule, {
    noNullPrototype: true,
  });
  const spacing = fc.constantFrom(undefined, 1, '\t');
  fc.assert(
    fc.property(bodies, quirks, spacing, (object, ruled, space) => {
      // One rule may write each name: two that write the same one would depend on their order.
      const renames = Object.values(ruled).filter((rule) => typeof rule !== 'string');
      fc.pre(renames.length <= 1);
      const body = JSON.parse(JSON.stringify(object)) as JsonObject;
      const noted: [string[], string[]] = [[], []];
      const rules = new FieldRules(ruled);
      const bytes = rewriteBytes(rules, Buffer.from(JSON.stringify(body, null, space)), (name) =>
        noted[0].push(name),
      );
      const json = rules.rewriteJson(body, 'm', (name) => noted[1].push(name));
      const parsed = JSON.parse(bytes.toString()) as JsonObject;
      assert.deepEqual(parsed, json);
      assert.deepEqual(Object.keys(parsed), Object.keys(json));
      assert.deepEqual(noted[0], noted[1]);
    }),
  );
});

test('messages change in place, and only where they need it', () => {
  const rules = new FieldRules({}, new MessageRules({ instructions: 'system' }));
  const change = (text: string) => rewriteBytes(rules, Buffer.from(text), () => {}).toString();
  const untouched = '{"messages" : [ {"role":"user","content":"\\"developer\\" 1.0"} ],"x":1.0}';
  assert.equal(change(untouched), untouched);
  assert.equal(
    change('{"x":1.0, "messages" : [ {"role":"developer","content":"c"} ],"y":2.0}'),
    '{"x":1.0, "messages":[{"role":"system","content":"c"}],"y":2.0}',
  );
});
