import assert from 'node:assert/strict';
import { test } from 'node:test';
import { leaveOutFields } from '../../src/upstream/lacked-fields.ts';

const SURFACE = { dialect: 'messages', lacksFields: [{ path: 'cache_control.scope' }] } as const;

function leaveOut(body: string): { body: string; dropped: string[] } {
  const left = leaveOutFields(Buffer.from(body), SURFACE, 'claude-opus-4-5');
  return { body: left.body.toString(), dropped: left.dropped };
}

const HINT = '{"type":"ephemeral","scope":"global","ttl":"1h"}';
const LEFT = '{"type":"ephemeral","ttl":"1h"}';

/** Bodies with a `HINT` in each place where the API has one: all of each is as it was, but for those. */
const PLACES = {
  'the request': `{"cache_control": ${HINT}, "max_tokens": 1.0}`,
  'an instruction': `{"system":[{"type":"text","text":"a","cache_control":${HINT}}]}`,
  'a tool': `{"tools":[{"name":"f","input_schema":{"type":"object"},"cache_control":${HINT}},{"name":"g","cache_control" : ${HINT}}]}`,
  'a block': `{"messages":[{"role":"user","content":[{"type":"text","text":"a","cache_control":${HINT}}]},{"role":"user","content":"b"}]}`,
  'a block of a result': `{"messages":[{"role":"user","content":[{"type":"tool_result","content":[{"type":"text","text":"a","cache_control":${HINT}}],"cache_control":${HINT}}]}]}`,
  'a block of a document': `{"messages":[{"role":"user","content":[{"type":"document","source":{"type":"content","content":[{"type":"text","text":"a","cache_control":${HINT}}]}}]}]}`,
};

for (const [place, body] of Object.entries(PLACES)) {
  test(`a scope of a cache hint goes from ${place}, and all else stays to the byte`, () => {
    assert.deepEqual(leaveOut(body), { body: body.replaceAll(HINT, LEFT), dropped: ['cache_control.scope'] });
  });
}

test('wherever it stands in a hint, and whatever it is', () => {
  for (const [hint, left] of [
    ['{"scope":"global"}', '{}'],
    ['{ "scope" : null , "type":"ephemeral" }', '{  "type":"ephemeral" }'],
    ['{"type":"ephemeral","scope":{"of":["a","}"]}}', '{"type":"ephemeral"}'],
  ] as const) {
    const body = (of: string) => `{"system":[{"text":"a","cache_control":${of}}]}`;
    assert.equal(leaveOut(body(hint)).body, body(left));
  }
});

test('what a tool is called with, or takes, is the caller’s own, whatever it is named', () => {
  for (const body of [
    `{"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"f","input":{"cache_control":${HINT},"size":1.0}}]}]}`,
    `{"tools":[{"name":"f","input_schema":{"type":"object","properties":{"cache_control":${HINT}}}}]}`,
    `{"metadata":{"cache_control":${HINT}}}`,
    `{"messages":[{"role":"user","content":${JSON.stringify(`"cache_control":${HINT}`)}}]}`,
    `{"system":[{"type":"text","text":"scope","cache_control":"scope"}]}`,
  ]) {
    assert.deepEqual(leaveOut(body), { body, dropped: [] });
  }
});
