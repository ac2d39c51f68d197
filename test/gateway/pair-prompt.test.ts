import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Completion } from '../../src/conversation/completion.ts';
import { chat } from '../../src/dialects/chat/index.ts';
import { pairPrompt, pairTexts, readPairScores } from '../../src/gateway/pair-prompt.ts';

function answer(text: string): Completion {
  return { id: 'c', model: 'm', choices: [{ index: 0, parts: [{ type: 'text', text }], finish: 'stop' }] };
}

for (const [said, scores] of [
  ['{"a": 7, "b": 10}', { a: 0.7, b: 1 }],
  ['```json\n{ "b": 0, "a": 4.5, "why": "B is empty" }\n```', { a: 0.45, b: 0 }],
  ['I compared {both}. {"a": 1, "b": 2}', { a: 0.1, b: 0.2 }],
  ['{"a": 11, "b": 2}', undefined],
  ['{"a": "7", "b": 2}', undefined],
  ['{"a": 7}', undefined],
  ['A is better.', undefined],
  ['', undefined],
] as const) {
  test(`of ${JSON.stringify(said)} the scores are ${JSON.stringify(scores)}`, () => {
    assert.deepEqual(readPairScores(answer(said)), scores);
  });
}

test('what a judge says never throws, and scores are from 0 to 1', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.string(), fc.json(), fc.dictionary(fc.constantFrom('a', 'b'), fc.anything())),
      (said) => {
        const text =
          typeof said === 'string'
            ? said
            : String(JSON.stringify(said, (_, value) => (typeof value === 'bigint' ? 0 : value)));
        const scores = readPairScores(answer(text));
        if (!scores) return;
        for (const score of [scores.a, scores.b]) assert.ok(score >= 0 && score <= 1);
      },
    ),
  );
});

test('a judge is told the request and both answers, as text, and no more than it can take', () => {
  const conversation = chat.decodeRequest(
    {
      model: 'smart',
      messages: [
        { role: 'system', content: 'Be short.' },
        {
          role: 'user',
          content: [
            { type: 'text', text: 'x'.repeat(100_000) },
            { type: 'text', text: 'THE END' },
          ],
        },
      ],
      tools: [{ type: 'function', function: { name: 'search', parameters: { type: 'object' } } }],
    },
    {},
  );
  const calls: Completion = {
    ...{ id: 'c', model: 'm' },
    choices: [
      {
        ...{ index: 0, finish: 'tool_calls' },
        parts: [
          { type: 'reasoning', text: 'secretly' },
          { type: 'tool_call', id: '1', name: 'search', kind: 'function', arguments: '{"q":1}' },
        ],
      },
    ],
  };
  const body = pairPrompt('judge', pairTexts(conversation, { a: answer('I am A'), b: calls }));
  const text = JSON.stringify(body);
  assert.ok(text.length < 80_000);
  for (const part of ['THE END', 'I am A', '[calls search: ']) assert.ok(text.includes(part), part);
  assert.ok(!text.includes('secretly') && !text.includes('candidate') && !text.includes('stable'));
});
