import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import {
  CARRIED_MARKER,
  CarriedIdReader,
  CarriedIdWriter,
  writeCarriedId,
} from '../../src/conversation/carried-reasoning.ts';
import type { ReasoningPart, ToolCallPart } from '../../src/conversation/conversation.ts';
import { anyWords } from '../support/any-text.ts';

const THOUGHT: ReasoningPart = {
  type: 'reasoning',
  text: 'The user wants the weather — naïvely 🌦.',
  signature: { dialect: 'messages', value: 'EuQCCkgIDRABGAIqQ+/=' },
};
const REDACTED: ReasoningPart = {
  type: 'reasoning',
  text: '',
  encrypted: { dialect: 'messages', value: 'c2VjcmV0' },
};
const UNSIGNED: ReasoningPart = { type: 'reasoning', text: 'hm' };
const GEMINI = { dialect: 'gemini', value: 'CpIBAY8' } as const;

function payload(value: unknown): string {
  return deflateRawSync(JSON.stringify(value)).toString('base64url');
}

test('reasoning and signatures come back as they went, and the id is restored', () => {
  const id = writeCarriedId('toolu_01', { reasoning: [THOUGHT, REDACTED], signature: GEMINI });
  assert.match(id, /^toolu_01__fl1__[A-Za-z0-9_-]+$/);
  assert.deepEqual(new CarriedIdReader().read(id), {
    id: 'toolu_01',
    carried: { reasoning: [THOUGHT, REDACTED], signature: GEMINI },
  });
});

test('an id is only lengthened where a provider demands something back', () => {
  assert.equal(writeCarriedId('call_1', { reasoning: [] }), 'call_1');
  assert.equal(writeCarriedId('call_1', { reasoning: [UNSIGNED] }), 'call_1');
  const id = writeCarriedId('call_1', { reasoning: [UNSIGNED, THOUGHT] });
  assert.deepEqual(new CarriedIdReader().read(id).carried, { reasoning: [THOUGHT] });
});

test('each call of a turn carries the reasoning since the call before it', () => {
  const writer = new CarriedIdWriter();
  const call: ToolCallPart = { type: 'tool_call', id: 'a', name: 'f', kind: 'function', arguments: '{}' };
  writer.addReasoning(THOUGHT);
  const first = writer.write(call);
  const second = writer.write({ ...call, id: 'b' });
  writer.addReasoning(REDACTED);
  const third = writer.write({ ...call, id: 'c', signature: GEMINI });
  const reader = new CarriedIdReader();
  assert.deepEqual(reader.read(first).carried, { reasoning: [THOUGHT] });
  assert.equal(second, 'b');
  assert.deepEqual(reader.read(third).carried, { reasoning: [REDACTED], signature: GEMINI });
});

const UNREADABLE: Record<string, string> = {
  'no payload at all': `call_1${CARRIED_MARKER}`,
  'no deflate stream': `call_1${CARRIED_MARKER}abcdef`,
  'cut short by the client': writeCarriedId('call_1', { reasoning: [THOUGHT] }).slice(0, -8),
  'no JSON': `call_1${CARRIED_MARKER}${deflateRawSync('{').toString('base64url')}`,
  'another shape': `call_1${CARRIED_MARKER}${payload({ reasoning: 'all of it' })}`,
  'an unknown dialect': `call_1${CARRIED_MARKER}${payload({ reasoning: [], signature: { dialect: 'x', value: 'y' } })}`,
  'a dialect named like an object member': `call_1${CARRIED_MARKER}${payload({ reasoning: [], signature: { dialect: 'constructor', value: 'y' } })}`,
  'reasoning that says nothing': `call_1${CARRIED_MARKER}${payload({ reasoning: [{ text: '' }] })}`,
  'nothing carried': `call_1${CARRIED_MARKER}${payload({ reasoning: [] })}`,
};

for (const [what, id] of Object.entries(UNREADABLE)) {
  test(`an id with a payload that cannot be read (${what}) is left as it came`, () => {
    assert.deepEqual(new CarriedIdReader().read(id), { id });
  });
}

test('a payload that inflates beyond the bound is no payload', () => {
  const bomb = deflateRawSync(Buffer.alloc(64 * 1024 * 1024, 0x20)).toString('base64url');
  const id = `call_1${CARRIED_MARKER}${bomb}`;
  assert.deepEqual(new CarriedIdReader().read(id), { id });
});

test('the payloads of one request together are bounded too', () => {
  const text = 'x'.repeat(3 * 1024 * 1024);
  const reader = new CarriedIdReader();
  const read = Array.from({ length: 12 }, (_, index) =>
    reader.read(writeCarriedId(`call_${index}`, { reasoning: [{ ...THOUGHT, text }] })),
  );
  assert.equal(read.filter(({ carried }) => carried).length, 10);
});

test('an id is inflated once, however often it stands in a request', () => {
  const reader = new CarriedIdReader();
  const text = 'x'.repeat(3 * 1024 * 1024);
  const id = writeCarriedId('call_1', { reasoning: [{ ...THOUGHT, text }] });
  for (let time = 0; time < 50; time++) assert.equal(reader.read(id).id, 'call_1');
});

test('property: whatever is carried comes back, whatever the id was', () => {
  const plain = { noNullPrototype: true };
  const dialect = fc.constantFrom('messages' as const, 'gemini' as const, 'responses' as const);
  const signature = fc.record({ dialect, value: fc.string() }, plain);
  const type = fc.constant('reasoning' as const);
  const reasoning = fc.record({ type, text: anyWords(), signature }, plain);
  fc.assert(
    fc.property(fc.string(), fc.array(reasoning, { minLength: 1, maxLength: 3 }), (id, parts) => {
      const read = new CarriedIdReader().read(writeCarriedId(id, { reasoning: parts }));
      assert.deepEqual(read, { id, carried: { reasoning: parts } });
    }),
  );
});
