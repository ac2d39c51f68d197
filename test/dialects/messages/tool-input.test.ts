import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseToolInput } from '../../../src/dialects/messages/tool-input.ts';

test('arguments that no tool could take are wrapped, not a failure: broken, no object, or nested without end', () => {
  const deep = `${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}`;
  for (const text of ['{"a":', '[1]', '7', deep])
    assert.deepEqual(parseToolInput(text), { INVALID_JSON: text });
  assert.deepEqual(parseToolInput('{"a":{"b":[1]}}'), { a: { b: [1] } });
  assert.deepEqual(parseToolInput(''), {});
});
