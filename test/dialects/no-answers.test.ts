import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as chat from '../../src/dialects/chat/pass-through.ts';
import * as gemini from '../../src/dialects/gemini/pass-through.ts';
import * as messages from '../../src/dialects/messages/pass-through.ts';
import type { PassThrough } from '../../src/dialects/pass-through.ts';
import * as responses from '../../src/dialects/responses/pass-through.ts';

/** What is answered at a door, and what is an answer there. Long ones hold what makes them one behind their first kilobytes. */
const DOORS: Record<string, { passThrough: PassThrough; answers: string[] }> = {
  chat: { passThrough: chat.passThrough, answers: ['{"choices":[{"message":{}}]}'] },
  embeddings: {
    passThrough: chat.embeddingsPassThrough,
    answers: ['{"data":[{"embedding":[1]}]}', '{"object":"list","data":[]}'],
  },
  messages: {
    passThrough: messages.passThrough,
    answers: ['{"type":"message","content":[]}', `{"x":"${'y'.repeat(9000)}", "content" : [{}]}`],
  },
  'messages count': { passThrough: messages.countPassThrough, answers: ['{ "input_tokens" : 7 }'] },
  responses: {
    passThrough: responses.passThrough,
    answers: ['{"output":[],"error":null}', `{"x":"${'y'.repeat(9000)}", "output" : []}`],
  },
  gemini: {
    passThrough: gemini.passThrough,
    answers: [
      '{"candidates":[{"finishReason":"STOP"}]}',
      '{"promptFeedback":{"blockReason":"SAFETY"}}',
      `{"x":"${'y'.repeat(9000)}", "candidates" : [{}]}`,
    ],
  },
  'gemini embeddings': {
    passThrough: gemini.embedPassThrough,
    answers: ['{"embedding":{"values":[1]}}', '{"embeddings":[{"values":[1]}]}'],
  },
  // A count of nothing is left out, as proto3 has it.
  'gemini count': { passThrough: gemini.countPassThrough, answers: ['{"totalTokens": 7}', '{}'] },
};

const NO_ANSWERS = [
  '{}',
  '{"error":"overloaded"}',
  '{"message":"Internal error","code":500}',
  '{"detail":"Not allowed"}',
  '{"object":"error","message":"Internal error","code":500}',
  '{"choices":null,"content":"x","output":"x","candidates":{},"data":7,"embedding":0,"totalTokens":"7","input_tokens":null}',
  '{"x":{"choices":[]}}',
  '{whatever}',
];

for (const [door, { passThrough, answers }] of Object.entries(DOORS)) {
  test(`${door}: a 200 that is no answer is a failure`, () => {
    for (const body of NO_ANSWERS.filter((one) => !answers.includes(one))) {
      const failure = passThrough.readFailure(Buffer.from(body));
      assert.equal(failure?.kind, 'upstream_unavailable', body);
    }
    for (const body of answers) {
      assert.equal(passThrough.readFailure(Buffer.from(body)), undefined, body.slice(0, 60));
    }
  });
}

test('what it says instead of an answer is told', () => {
  for (const { passThrough } of Object.values(DOORS)) {
    const said = (body: string) => passThrough.readFailure(Buffer.from(body))?.message;
    assert.match(String(said('{"error":"overloaded"}')), /overloaded/);
    assert.match(String(said('{"message":"Internal error","code":500}')), /Internal error/);
  }
});
