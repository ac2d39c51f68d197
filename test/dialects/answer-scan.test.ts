import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isObject, type JsonObject, type JsonValue, tryParseJson } from '../../src/conversation/json.ts';
import { findUsage, scanAnswer } from '../../src/dialects/answer-scan.ts';
import { passThrough as chat } from '../../src/dialects/chat/pass-through.ts';
import { decodeUsage } from '../../src/dialects/chat/usage.ts';
import { passThrough as messages } from '../../src/dialects/messages/pass-through.ts';
import { anyWords } from '../support/any-text.ts';

const names = fc.oneof(
  fc.constantFrom('usage', 'choices', 'error', 'content', 'tool_calls', 'finish_reason', 'message', 'id'),
  fc.constantFrom('"usage"', 'us\u0061ge', 'x"error"'),
  anyWords({ maxLength: 60 }),
);
const counts = fc.record(
  {
    prompt_tokens: fc.nat(),
    completion_tokens: fc.oneof(fc.nat(), fc.constantFrom(null, -1, 0.5)),
    total_tokens: fc.nat(),
    prompt_tokens_details: fc.record(
      { cached_tokens: fc.nat(), audio_tokens: fc.nat() },
      { requiredKeys: [] },
    ),
    completion_tokens_details: fc.record({ reasoning_tokens: fc.nat() }, { requiredKeys: [] }),
    queue_time: fc.double({ noNaN: true, noDefaultInfinity: true }),
    note: anyWords(),
  },
  { requiredKeys: [] },
);
const documents = fc.letrec<{ any: JsonValue }>((tie) => ({
  any: fc.oneof(
    { depthSize: 'small' },
    names,
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.constantFrom(null, true, 'stop', 'text \\ with "quotes" \n'.repeat(9)),
    fc.array(tie('any'), { maxLength: 3 }),
    fc.dictionary(names, tie('any'), { maxKeys: 4 }),
  ),
})).any;
const answers = fc
  .tuple(
    fc.dictionary(names, documents, { maxKeys: 5 }),
    fc.record(
      {
        choices: fc.oneof(
          documents,
          fc.array(fc.dictionary(names, documents), { minLength: 1, maxLength: 2 }),
        ),
        usage: fc.oneof(counts, documents),
        error: fc.constantFrom(null, 'Boom', { message: 'Boom' }),
      },
      { requiredKeys: [] },
    ),
    fc.boolean(),
  )
  .map(([some, known, isFirst]) => (isFirst ? { ...known, ...some } : { ...some, ...known }) as JsonObject);
const spacing = fc.constantFrom(undefined, 1, '\t', '\r\n ');

function holds(value: JsonValue | undefined, key: string): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return Object.entries(value).some(([name, inner]) => name === key || holds(inner, key));
}

test('a scan sees what JSON.parse sees', () => {
  fc.assert(
    fc.property(answers, spacing, (answer, space) => {
      const body = Buffer.from(JSON.stringify(answer, null, space));
      const parsed = JSON.parse(body.toString()) as JsonObject;
      const scan = scanAnswer(body);
      assert.ok(scan);
      assert.deepEqual(scan.usage, isObject(parsed['usage']) ? parsed['usage'] : undefined);
      for (const name of ['choices', 'content', 'error'] as const) {
        const start: number | undefined = scan.starts[name];
        assert.equal(start !== undefined, Object.hasOwn(parsed, name));
        if (start === undefined) continue;
        const value = JSON.stringify(parsed[name], null, space);
        assert.equal(body.toString('latin1', start, start + 1), value[0]);
      }
      const { usage: _, ...others } = parsed;
      const below = Object.values(others);
      for (const word of ['error', 'tool_calls', 'usage'] as const) {
        if (below.some((value) => holds(value, word))) assert.ok(scan.words.has(word), word);
      }
    }),
  );
});

test('a chat answer says the same with a scan and without one', () => {
  fc.assert(
    fc.property(answers, spacing, (answer, space) => {
      const body = Buffer.from(JSON.stringify(answer, null, space));
      const scan = scanAnswer(body);
      assert.deepEqual(chat.readFailure(body, scan), chat.readFailure(body));
      // Of a longer one only the head is searched.
      if (body.length <= 4096) {
        assert.deepEqual(messages.readFailure(body, scan), messages.readFailure(body));
      }
      assert.deepEqual(chat.readUsage(body, scan), chat.readUsage(body));
      assert.deepEqual(chat.mendAnswer?.(body, scan), chat.mendAnswer?.(body));
      if (!Object.values(answer).some((value) => holds(value, 'usage'))) {
        const { usage } = JSON.parse(body.toString()) as JsonObject;
        const isMeant = isObject(usage) && ('prompt_tokens' in usage || 'total_tokens' in usage);
        assert.deepEqual(chat.readUsage(body, scan), isMeant ? decodeUsage(usage) : undefined);
      }
    }),
  );
});

test('of a field that stands twice the last counts, and an escaped key is the same key', () => {
  for (const body of [
    '{"usage":{"prompt_tokens":1},"usage":{"prompt_tokens":2}}',
    '{"usage":{"prompt_tokens":1},"usage":null}',
    '{"us\\u0061ge":{"prompt_tokens":2}}',
    '{"usage":{"prompt\\u005ftokens":2}}',
    '{"usage":{"prompt_tokens":1,"prompt_tokens":2}}',
  ]) {
    const { usage } = JSON.parse(body) as JsonObject;
    assert.deepEqual(scanAnswer(Buffer.from(body))?.usage, usage ?? undefined, body);
  }
});

test('an answer that was cut off, and what is no object, is not scanned', () => {
  const whole = Buffer.from(
    '{"id":"x\\"","choices":[{"message":{"content":"a{["}}],"usage":{"prompt_tokens":1,"x":{"a":0.5}},"n":-1.5e3}',
  );
  assert.ok(scanAnswer(whole));
  for (let length = 0; length < whole.length; length++) {
    assert.equal(scanAnswer(whole.subarray(0, length)), undefined, whole.toString('utf8', 0, length));
  }
  for (const text of ['', '[]', 'null', '{} x', '{"a":1,}', "{'a':1}", '{"a":[nul]}', '<html>']) {
    assert.equal(scanAnswer(Buffer.from(text)), undefined, text);
    assert.equal(isObject(tryParseJson(text)), false, text);
  }
});

test('where another usage stands below the top the last one that is meant is found, as without a scan', () => {
  const body = Buffer.from('{"usage":{"prompt_tokens":1},"choices":[{"usage":{"prompt_tokens":2}}]}');
  const isMeant = (value: JsonObject) => 'prompt_tokens' in value;
  assert.deepEqual(findUsage(body, scanAnswer(body), isMeant), { prompt_tokens: 2 });
  assert.deepEqual(findUsage(body, undefined, isMeant), { prompt_tokens: 2 });
});
