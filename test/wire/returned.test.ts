import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Completion } from '../../src/conversation/completion.ts';
import type { Part } from '../../src/conversation/conversation.ts';
import { GatewayError } from '../../src/conversation/gateway-error.ts';
import { isObject, type JsonObject, type JsonValue } from '../../src/conversation/json.ts';
import type { CallerDialectName } from '../../src/dialects/dialect.ts';
import { DIALECTS } from '../../src/dialects/registry.ts';
import { objectsOf } from '../support/values.ts';
import { skipWithoutWire } from '../support/wire.ts';
import { type RecordedCall, recordedCalls } from './corpus.ts';
import { collect, DIALECT_NAMES, decodeRequest, decodeStream, isSpokenByCallers } from './crossing.ts';

/** How a client of each dialect sends an answer back as what was said before. */
const AS_HISTORY: Readonly<Record<CallerDialectName, (answer: JsonObject) => JsonObject>> = {
  chat: ({ choices }) => ({
    messages: [
      { role: 'user', content: 'Hi' },
      ...objectsOf(choices).flatMap(({ message }) => (isObject(message) ? [message] : [])),
    ],
  }),
  responses: ({ output }) => ({ input: [{ role: 'user', content: 'Hi' }, ...objectsOf(output)] }),
  messages: ({ content }) => ({
    max_tokens: 9,
    messages: [
      { role: 'user', content: 'Hi' },
      { role: 'assistant', content: content ?? [] },
    ],
  }),
  gemini: ({ candidates }) => ({
    contents: [
      { role: 'user', parts: [{ text: 'Hi' }] },
      ...objectsOf(candidates).flatMap(({ content }) => (isObject(content) ? [content] : [])),
    ],
  }),
};

/** What a provider demands back with an answer: the proofs of its reasoning, of its calls and of its texts. */
function demandedBack(parts: readonly Part[]): string[] {
  return parts.flatMap((part) => {
    const proofs = [
      'signature' in part ? part.signature : undefined,
      part.type === 'reasoning' ? part.encrypted : undefined,
    ];
    return proofs.flatMap((proof) => (proof ? [`${part.type} ${proof.dialect} ${proof.value}`] : []));
  });
}

/** What does not come back, and why nobody demands it. A row that nothing needs any more fails the test. */
const NOT_RETURNED: readonly { kind: Part['type']; via: CallerDialectName; reason: string }[] = [
  {
    kind: 'reasoning',
    via: 'gemini',
    reason:
      'Only calls have a signature that Google’s clients return; before a text reasoning may be left out.',
  },
  {
    kind: 'text',
    via: 'messages',
    reason:
      'Text has no signature in Messages; Google recommends to return it, and demands it of calls alone.',
  },
];

function answerOf({ dialect, answer, messages }: RecordedCall): Completion | undefined {
  try {
    return messages
      ? collect(decodeStream(dialect, messages))
      : DIALECTS[dialect].decodeResponse(answer ?? null);
  } catch (error) {
    // The crossing test lists those.
    assert.ok(error instanceof GatewayError);
    return undefined;
  }
}

test('what a provider demands back of its answer comes back from clients of every other dialect', {
  skip: skipWithoutWire,
}, (t) => {
  const counts = new Map<string, number>();
  const lost = new Set<string>();
  const used = new Set<(typeof NOT_RETURNED)[number]>();
  for (const call of recordedCalls()) {
    const completion = call.answer || call.messages ? answerOf(call) : undefined;
    if (completion?.choices.length !== 1) continue;
    const demanded = demandedBack(completion.choices.flatMap(({ parts }) => parts));
    if (demanded.length === 0) continue;
    const calls = completion.choices.some(({ parts }) => parts.some(({ type }) => type === 'tool_call'));
    for (const via of DIALECT_NAMES.filter(isSpokenByCallers)) {
      if (via === call.dialect) continue;
      const told = JSON.parse(JSON.stringify(DIALECTS[via].encodeResponse(completion))) as JsonObject;
      const body: Record<string, JsonValue | undefined> = { model: 'some-model', ...AS_HISTORY[via](told) };
      const { messages } = decodeRequest(via, body, 'some-model', false);
      const returned = demandedBack(messages.flatMap(({ parts }) => parts));
      for (const one of demanded) {
        const key = `${call.dialect} > ${via}`;
        counts.set(key, (counts.get(key) ?? 0) + 1);
        if (returned.includes(one)) continue;
        const rule = calls
          ? undefined
          : NOT_RETURNED.find((row) => row.via === via && one.startsWith(`${row.kind} `));
        if (rule) used.add(rule);
        else lost.add(`${key} ${one.slice(0, 60)} (${call.id})`);
      }
    }
  }
  t.diagnostic([...counts].map(([key, count]) => `${key}: ${count}`).join(', '));
  assert.deepEqual([...lost], []);
  assert.deepEqual(
    NOT_RETURNED.filter((row) => !used.has(row)),
    [],
  );
});
