import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Completion } from '../../../src/conversation/completion.ts';
import type { Part } from '../../../src/conversation/conversation.ts';
import { isObject, type JsonObject } from '../../../src/conversation/json.ts';
import { responses } from '../../../src/dialects/responses/index.ts';
import { objectsOf } from '../../support/values.ts';

const THOUGHT: Part = {
  type: 'reasoning',
  text: 'Let me see.',
  signature: { dialect: 'messages', value: 'anthropic-signature' },
};
const REDACTED: Part = {
  type: 'reasoning',
  text: '',
  encrypted: { dialect: 'messages', value: 'anthropic-redacted' },
};
const CALL: Part = { type: 'tool_call', id: 'call_1', kind: 'function', name: 'f', arguments: '{}' };
const SIGNED_CALL: Part = { ...CALL, id: 'call_2', signature: { dialect: 'gemini', value: 'on-call' } };
const SIGNED_TEXT: Part = {
  type: 'text',
  text: 'Done.',
  signature: { dialect: 'gemini', value: 'on-text' },
};

function outputOf(parts: Part[]): JsonObject[] {
  const completion: Completion = {
    id: 'c',
    model: 'm',
    choices: [{ index: 0, parts, finish: 'tool_calls' }],
  };
  return objectsOf(responses.encodeResponse(completion)['output']);
}

/** What a client's next request makes of the output that it sends back, its results behind it. */
function replay(items: JsonObject[]): Part[] {
  const results = items
    .filter(({ type }) => type === 'function_call')
    .map(({ call_id }) => ({ type: 'function_call_output', call_id: call_id ?? '', output: 'ok' }));
  const input = [{ role: 'user', content: 'Go' }, ...items, ...results];
  const { messages } = responses.decodeRequest({ model: 'm', input }, {});
  const ids = messages.flatMap(({ parts }) =>
    parts.flatMap((part) => (part.type === 'tool_result' ? [part.callId] : [])),
  );
  const parts = messages.find(({ role }) => role === 'assistant')?.parts ?? [];
  const callIds = parts.flatMap((part) => (part.type === 'tool_call' ? [part.id] : []));
  assert.deepEqual(ids, callIds);
  return parts;
}

function withoutExtra(parts: Part[]): unknown[] {
  return parts.map((part) => JSON.parse(JSON.stringify({ ...part, extra: undefined })));
}

test("another provider's signed reasoning comes back in encrypted_content", () => {
  const output = outputOf([THOUGHT, REDACTED, CALL]);
  assert.deepEqual(output[0]?.['summary'], [{ type: 'summary_text', text: 'Let me see.' }]);
  assert.deepEqual(withoutExtra(replay(output)), [THOUGHT, REDACTED, CALL]);
});

test('a client that leaves reasoning items out brings it back in the ids of its calls', () => {
  const output = outputOf([THOUGHT, REDACTED, CALL, SIGNED_CALL]);
  const kept = output.filter(({ type }) => type !== 'reasoning');
  assert.deepEqual(withoutExtra(replay(kept)), [THOUGHT, REDACTED, CALL, SIGNED_CALL]);
});

test("Gemini's signatures of calls and of the text come back where they were", () => {
  assert.deepEqual(withoutExtra(replay(outputOf([SIGNED_TEXT, SIGNED_CALL]))), [SIGNED_TEXT, SIGNED_CALL]);
});

test('reasoning that nobody signed comes back as it is, without an id that no provider knows', () => {
  const unsigned: Part = { type: 'reasoning', text: 'Hm' };
  const [part] = replay(outputOf([unsigned, CALL]));
  assert.deepEqual(part, unsigned);
});

test('ids that we made do not go to a provider', () => {
  const items = outputOf([{ type: 'text', text: 'Hi' }, THOUGHT, CALL]);
  const input = [{ role: 'user', content: 'Go' }, ...items];
  const { body } = responses.encodeRequest(responses.decodeRequest({ model: 'm', input }, {}), 'gpt-5');
  assert.doesNotMatch(JSON.stringify(body), /__fl1__/);
  assert.equal(
    objectsOf(body['input']).some(({ type }) => type === 'reasoning'),
    false,
  );
});

test('what was carried and came back broken proves nothing, and is no error', () => {
  const output = outputOf([THOUGHT, CALL]);
  const [reasoning, ...others] = output;
  assert.ok(isObject(reasoning));
  const cut = { ...reasoning, encrypted_content: String(reasoning['encrypted_content']).slice(0, -9) };
  const kept = others.map((item) => ({ ...item, call_id: 'call_1' }));
  assert.deepEqual(withoutExtra(replay([cut, ...kept])), [{ type: 'reasoning', text: 'Let me see.' }, CALL]);
});

test("OpenAI's own encrypted content is not packed into anything", () => {
  const own: Part = { type: 'reasoning', text: '', encrypted: { dialect: 'responses', value: 'gAAA' } };
  const output = outputOf([own, CALL]);
  assert.equal(output[0]?.['encrypted_content'], 'gAAA');
  assert.equal(output[1]?.['call_id'], 'call_1');
});
