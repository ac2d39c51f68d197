import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { JsonObject, JsonValue } from '../../../src/conversation/json.ts';
import { inputTokens, NO_USAGE, outputTokens, type Usage } from '../../../src/conversation/usage.ts';
import { decodeUsage, encodeUsage, usageRest } from '../../../src/dialects/chat/usage.ts';

const SAID: [what: string, wire: JsonObject, usage: Partial<Usage>][] = [
  [
    "OpenAI's sums",
    {
      prompt_tokens: 100,
      completion_tokens: 50,
      total_tokens: 150,
      prompt_tokens_details: { cached_tokens: 60, audio_tokens: 10 },
      completion_tokens_details: { reasoning_tokens: 30, audio_tokens: 5 },
    },
    { input: 30, cacheRead: 60, inputAudio: 10, output: 15, reasoning: 30, outputAudio: 5 },
  ],
  [
    "OpenRouter's cache writes",
    {
      prompt_tokens: 100,
      completion_tokens: 1,
      prompt_tokens_details: { cached_tokens: 10, cache_write_tokens: 80 },
    },
    { input: 10, cacheRead: 10, cacheWrite: 80, output: 1 },
  ],
  [
    "DeepSeek's cache hits",
    { prompt_tokens: 100, completion_tokens: 1, prompt_cache_hit_tokens: 64, prompt_cache_miss_tokens: 36 },
    { input: 36, cacheRead: 64, output: 1 },
  ],
  [
    "Moonshot's cached_tokens",
    { prompt_tokens: 10, completion_tokens: 1, cached_tokens: 4 },
    { input: 6, cacheRead: 4, output: 1 },
  ],
  [
    'reasoning that xAI counts beside the completion',
    {
      prompt_tokens: 12,
      completion_tokens: 2,
      total_tokens: 334,
      completion_tokens_details: { reasoning_tokens: 320 },
    },
    { input: 12, output: 2, reasoning: 320 },
  ],
  [
    'more reasoning than completion, the total saying otherwise',
    {
      prompt_tokens: 43,
      completion_tokens: 10,
      total_tokens: 53,
      completion_tokens_details: { reasoning_tokens: 11 },
    },
    { input: 43, reasoning: 10 },
  ],
  [
    'more cached than there was',
    {
      prompt_tokens: 5,
      completion_tokens: 1,
      prompt_tokens_details: { cached_tokens: 9, cache_write_tokens: 9 },
    },
    { cacheRead: 5, output: 1 },
  ],
  [
    'negative and null parts',
    {
      prompt_tokens: 3,
      completion_tokens: 4,
      prompt_tokens_details: { cached_tokens: -1 },
      completion_tokens_details: null,
      total_tokens: null,
    },
    { input: 3, output: 4 },
  ],
  ['embeddings, which complete nothing', { prompt_tokens: 7, total_tokens: 7 }, { input: 7 }],
];

for (const [what, wire, usage] of SAID) {
  test(`usage is taken apart: ${what}`, () => {
    assert.deepEqual(decodeUsage(wire), { ...NO_USAGE, ...usage });
  });
}

const UNSAID: (JsonValue | undefined)[] = [
  undefined,
  null,
  'many',
  [],
  {},
  { prompt_tokens: null, completion_tokens: null },
  { prompt_tokens: -5, completion_tokens: '7' },
  { prompt_tokens: -5, completion_tokens: 7 },
  { prompt_tokens: 5, completion_tokens: '7' },
  { prompt_tokens: Number.POSITIVE_INFINITY, completion_tokens: 7 },
];

for (const value of UNSAID) {
  test(`${JSON.stringify(value)} says nothing of usage`, () => {
    assert.equal(decodeUsage(value), undefined);
  });
}

test('property: buckets are never negative and add up to the sums that were said', () => {
  const count = fc.oneof(fc.integer({ min: -5, max: 1000 }), fc.constant(null));
  const details = fc.record({ cached_tokens: count, audio_tokens: count, cache_write_tokens: count });
  const output = fc.record({ reasoning_tokens: count, audio_tokens: count });
  const wire = fc.record({
    prompt_tokens: fc.nat(),
    completion_tokens: fc.nat(),
    total_tokens: count,
    prompt_tokens_details: fc.oneof(details, fc.constant(null)),
    completion_tokens_details: fc.oneof(output, fc.constant(null)),
  });
  fc.assert(
    fc.property(wire, (said) => {
      const usage = decodeUsage(said);
      assert.ok(usage);
      for (const value of Object.values(usage)) assert.ok(value >= 0);
      assert.equal(inputTokens(usage), said.prompt_tokens);
      const beside = said.completion_tokens_details?.reasoning_tokens ?? 0;
      assert.ok([said.completion_tokens, said.completion_tokens + beside].includes(outputTokens(usage)));
    }),
  );
});

test('what usage says beyond the counts is kept and written back', () => {
  const wire = {
    cost: 0.1,
    prompt_tokens: 3,
    completion_tokens: 2,
    total_tokens: 5,
    prompt_tokens_details: { cached_tokens: 1, audio_tokens: 0, image_tokens: 2 },
    completion_tokens_details: { reasoning_tokens: 0, audio_tokens: 0, rejected_prediction_tokens: 1 },
  };
  const usage = decodeUsage(wire);
  assert.ok(usage);
  assert.deepEqual(usageRest(wire), {
    cost: 0.1,
    prompt_tokens_details: { image_tokens: 2 },
    completion_tokens_details: { rejected_prediction_tokens: 1 },
  });
  assert.deepEqual(encodeUsage(usage, usageRest(wire)), wire);
});

test('cache writes of both lifetimes are written as one count, within the prompt', () => {
  const usage: Usage = { ...NO_USAGE, input: 1, cacheWrite: 20, cacheWrite1h: 300 };
  const wire = encodeUsage(usage);
  assert.equal(wire['prompt_tokens'], 321);
  assert.deepEqual(wire['prompt_tokens_details'], {
    cached_tokens: 0,
    audio_tokens: 0,
    cache_write_tokens: 320,
  });
});
