import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { completionEvents } from '../../src/conversation/collect.ts';
import type { JsonObject } from '../../src/conversation/json.ts';
import { chat } from '../../src/dialects/chat/index.ts';
import { completions } from '../../src/dialects/completions/index.ts';
import { converse } from '../../src/dialects/converse/index.ts';
import type { CallerDialect, UpstreamDialect } from '../../src/dialects/dialect.ts';
import { gemini } from '../../src/dialects/gemini/index.ts';
import { messages } from '../../src/dialects/messages/index.ts';
import { responses } from '../../src/dialects/responses/index.ts';

const USAGE = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 };

/** Each: an answer with fields that only its provider's dialect has, and those that are worth a name. */
const ANSWERS: [provider: UpstreamDialect, answer: JsonObject, named: string[]][] = [
  [
    chat,
    {
      ...{ id: 'a', object: 'chat.completion', created: 1, model: 'm', usage: USAGE },
      ...{
        system_fingerprint: 'fp',
        service_tier: 'default',
        x_groq: { id: 'r' },
        related_questions: ['What?'],
      },
      choices: [
        {
          ...{ index: 0, finish_reason: 'stop', native_finish_reason: 'end', custom_rating: 5, empty: [] },
          message: {
            role: 'assistant',
            content: 'Hi',
            video: { url: 'u' },
            audio_url: 'x',
            channel: 'final',
            no: null,
          },
        },
      ],
    },
    ['answer.audio_url', 'answer.custom_rating', 'answer.related_questions', 'answer.video'],
  ],
  [
    messages,
    {
      ...{
        id: 'm',
        type: 'message',
        role: 'assistant',
        model: 'c',
        stop_reason: 'end_turn',
        stop_sequence: null,
      },
      usage: { input_tokens: 1, output_tokens: 1, service_tier: 'standard' },
      content: [
        { type: 'text', text: 'x' },
        { type: 'tool_use', id: 't', name: 'f', input: {}, caller: { type: 'direct' } },
      ],
      container: { id: 'c1', expires_at: 'later' },
      context_management: { applied_edits: [] },
    },
    ['answer.container', 'answer.context_management'],
  ],
  [
    gemini,
    {
      responseId: 'r',
      createTime: 'now',
      candidates: [
        {
          ...{ index: 0, finishReason: 'STOP', avgLogprobs: -0.5, safetyRatings: [{ category: 'x' }] },
          urlContextMetadata: { urlMetadata: [{ retrievedUrl: 'u' }] },
          content: { role: 'model', parts: [{ text: 'Hi' }] },
        },
      ],
    },
    ['answer.urlContextMetadata'],
  ],
  [
    converse,
    {
      output: { message: { role: 'assistant', content: [{ text: 'Hi' }] } },
      ...{ stopReason: 'end_turn', metrics: { latencyMs: 1 }, trace: { guardrail: { x: 1 } } },
      usage: { inputTokens: 1, outputTokens: 1, totalTokens: 2 },
    },
    ['answer.trace'],
  ],
  [
    responses,
    {
      ...{
        id: 'resp_1',
        object: 'response',
        status: 'completed',
        model: 'm',
        created_at: 1,
        store: true,
        tools: [],
      },
      ...{
        temperature: 1,
        top_p: 1,
        conversation: { id: 'conv_1' },
        usage: { input_tokens: 1, output_tokens: 1 },
      },
      output: [
        {
          ...{ type: 'message', id: 'msg_1', role: 'assistant', status: 'completed' },
          content: [{ type: 'output_text', text: 'Hi', annotations: [], logprobs: [] }],
        },
      ],
    },
    ['answer.conversation'],
  ],
];
const DOORS: [name: string, dialect: CallerDialect][] = [
  ['chat', chat],
  ['completions', completions],
  ['responses', responses],
  ['messages', messages],
  ['gemini', gemini],
];

describe('what of an answer only its provider’s dialect can say is named', () => {
  for (const [provider, answer, named] of ANSWERS) {
    for (const [door, dialect] of DOORS) {
      test(`from ${provider.name} at the ${door} door`, () => {
        const expected = door === provider.name ? [] : named;
        const completion = provider.decodeResponse(answer);
        const calls = door === 'completions' ? ['answer.tool_call'] : [];
        const fields = (dropped: string[]) => dropped.filter((name) => !calls.includes(name)).sort();
        const whole: string[] = [];
        dialect.encodeResponse(completion, undefined, whole);
        assert.deepEqual(fields(whole), expected);
        const streamed: string[] = [];
        const encoder = dialect.streamEncoder({ includeUsage: true, dropped: streamed });
        for (const event of completionEvents(completion)) encoder.push(event);
        assert.deepEqual(fields(streamed), expected);
      });
    }
  }
});
