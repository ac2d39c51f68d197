import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { GatewayError } from '../../src/conversation/gateway-error.ts';
import {
  findTopLevelFields,
  MAX_JSON_DEPTH,
  parseField,
  spliceBody,
} from '../../src/dialects/request-fields.ts';
import { WordTable } from '../../src/dialects/word-table.ts';
import { anyWords } from '../support/any-text.ts';

const WANTED = new WordTable(['model', 'stream', 'messages']);

function find(text: string) {
  return findTopLevelFields(Buffer.from(text), WANTED);
}

test('finds exactly what JSON.parse finds, in any JSON object and any spacing', () => {
  const objects = fc.dictionary(
    fc.oneof(fc.constantFrom('model', 'stream', 'messages', 'mode', ''), anyWords()),
    fc.jsonValue({ maxDepth: 4 }),
  );
  const spacing = fc.constantFrom(undefined, 1, '\t', '\r\n ');
  fc.assert(
    fc.property(objects, spacing, (object, space) => {
      const body = Buffer.from(JSON.stringify(object, null, space));
      const parsed = JSON.parse(body.toString()) as Record<string, unknown>;
      const spans = findTopLevelFields(body, WANTED);
      for (const name of WANTED.words) {
        const span = spans[name];
        assert.equal(span !== undefined, Object.hasOwn(parsed, name));
        if (span) assert.deepEqual(parseField(body, span, name), parsed[name]);
      }
    }),
  );
});

test('strings end where JSON says, however long and escaped', () => {
  for (const length of [0, 1, 47, 48, 49, 50, 5000]) {
    for (const tail of ['', '\\', '"', '\\"', '\\\\"', 'é😀']) {
      const messages = 'x'.repeat(length) + tail;
      const body = Buffer.from(JSON.stringify({ messages, model: 'm' }));
      const span = findTopLevelFields(body, WANTED)['model'];
      assert.ok(span);
      assert.equal(parseField(body, span, 'model'), 'm');
    }
  }
});

test('a key written with escapes is the same key', () => {
  assert.ok(find('{"mod\\u0065l":"m"}')['model']);
});

test('a wanted field that stands twice is refused, since two readers would disagree', () => {
  assert.throws(() => find('{"model":"cheap","model":"dear"}'), /'model' stands twice/);
  assert.throws(() => find('{"model":"cheap","mod\\u0065l":"dear"}'), /'model' stands twice/);
});

test('no nested key hides from who looks for it with its quotes: what only a lenient parser reads is refused', () => {
  const hiding = [
    `{"contents":[{'role':'user','parts':[{'fileData':{'fileUri':'files/1'}}]}]}`,
    '{"contents":[{role:"user",parts:[{fileData:{fileUri:"files/1"}}]}]}',
    '{"contents":[{"parts":[{"fileData":{"fileUr\\i":"files/1"}}]}]}',
    '{"contents":[{"parts":[{"fileData":{"\\x66ileUri":"files/1"}}]}]}',
    '{"contents":[{"parts":[/* */{"fileData":{"fileUri":"files/1"}}]}]}',
    '{"contents":[{"source":{url:"files/1"}}]}',
    '{"contents":[{"parts":[NaN]}]}',
    '{"contents":[{"parts":[nul]}]}',
    '{"contents":["\\v"]}',
  ];
  for (const text of hiding) {
    assert.throws(() => JSON.parse(text), SyntaxError, text);
    assert.throws(() => find(text), { kind: 'invalid_request' }, text);
  }
});

test('a wanted field in another case is refused: some parsers take it for the same', () => {
  for (const key of ['MODEL', 'Model', 'modEl', 'mod\\u0045l', '\u017ftream', '\\u017ftream']) {
    assert.throws(() => find(`{"model":"cheap","${key}":"dear"}`), { kind: 'invalid_request' }, key);
  }
  for (const key of ['models', 'Modes', 'modél', 'MODE', 'model_2']) {
    assert.ok(find(`{"model":"cheap","${key}":"dear"}`)['model'], key);
  }
});

test('what is not a JSON object is an invalid_request that never quotes the body', () => {
  const broken = [
    '',
    ' ',
    'null',
    '[]',
    '"secret"',
    'secret',
    '{',
    '{"model"',
    '{"model":',
    '{"model":}',
    '{"model":"secret',
    '{"model":"secret\\',
    '{"model":"secret" "x":1}',
    '{"model":"secret",}',
    '{"model":"secret"}}',
    '{"model":"secret"} trailing',
    '{model:"secret"}',
    '{"model":"secret","n":tru}',
    '{"model":"secret","n":01}',
    '{"model":"secret","n":}',
    '{"messages":[{"a":1}',
    '{"messages":[',
  ];
  for (const text of broken) {
    assert.throws(
      () => find(text),
      (error) => {
        assert.ok(error instanceof GatewayError, text);
        assert.equal(error.kind, 'invalid_request');
        assert.doesNotMatch(error.message, /secret/);
        return true;
      },
      `accepted: ${text}`,
    );
  }
});

test('nesting is bounded', () => {
  const nested = (depth: number) => `{"messages":${'['.repeat(depth)}${']'.repeat(depth)}}`;
  assert.ok(find(nested(MAX_JSON_DEPTH - 1))['messages']);
  assert.throws(() => find(nested(MAX_JSON_DEPTH)), /nested deeper/);
});

test('any truncation of a body is refused', () => {
  const body = Buffer.from(
    JSON.stringify({ model: 'm', messages: [{ content: 'a"b\\c{[', n: [1, { x: null }] }] }),
  );
  for (let length = 0; length < body.length; length++) {
    assert.throws(() => findTopLevelFields(body.subarray(0, length), WANTED), GatewayError);
  }
});

test('splicing changes only the spans', () => {
  const body = Buffer.from('{ "model" : "a", "x": 1.0e400, "stream":false }');
  const spans = findTopLevelFields(body, WANTED);
  const { model, stream } = spans;
  assert.ok(model && stream);
  const edited = spliceBody(body, [
    { span: model, text: '"longer/name"' },
    { span: stream, text: 'true' },
  ]);
  assert.equal(edited.toString(), '{ "model" : "longer/name", "x": 1.0e400, "stream":true }');
});
