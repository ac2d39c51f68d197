import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Conversation } from '../../../src/conversation/conversation.ts';
import { GatewayError } from '../../../src/conversation/gateway-error.ts';
import type { JsonObject } from '../../../src/conversation/json.ts';
import { conversation, encode, SONNET_4_5 } from './conversations.ts';

interface Row {
  name: string;
  given: Partial<Conversation>;
  model?: string;
  sent: JsonObject;
  dropped: string[];
}

/** The fields of the body that these tests are about. */
function sampling({ body }: { body: JsonObject }): JsonObject {
  const { model: _, messages: __, stream: ___, tools: ____, max_tokens: _____, ...rest } = body;
  return rest;
}

const ROWS: Row[] = [
  {
    name: 'what both know is sent under its own name',
    given: { parameters: { temperature: 0.5, topK: 3, stop: ['END'], endUser: 'u1' } },
    sent: { temperature: 0.5, top_k: 3, stop_sequences: ['END'], metadata: { user_id: 'u1' } },
    dropped: [],
  },
  {
    name: 'a temperature above 1 is clamped and named with what was sent',
    given: { parameters: { temperature: 1.7 } },
    sent: { temperature: 1 },
    dropped: ['temperature=1'],
  },
  {
    name: 'top_p gives way to temperature where a model takes only one',
    given: { parameters: { temperature: 0.5, topP: 0.9 } },
    sent: { temperature: 0.5 },
    dropped: ['top_p'],
  },
  {
    name: 'an older model takes both',
    given: { parameters: { temperature: 0.5, topP: 0.9 } },
    model: 'claude-3-haiku-20240307',
    sent: { temperature: 0.5, top_p: 0.9 },
    dropped: [],
  },
  {
    name: 'a model without sampling parameters gets none',
    given: { parameters: { temperature: 0.5, topP: 0.9, topK: 3 } },
    model: 'claude-opus-4-7',
    sent: {},
    dropped: ['temperature', 'top_p', 'top_k'],
  },
  {
    name: 'with thinking, sampling that it forbids is left out',
    given: { reasoning: { effort: 'low' }, parameters: { temperature: 0.5, topK: 3 } },
    sent: { thinking: { type: 'enabled', budget_tokens: 4096 } },
    dropped: ['temperature', 'top_k'],
  },
  {
    name: 'with thinking, a top_p near 1 stays',
    given: { reasoning: { effort: 'low' }, parameters: { topP: 0.97 } },
    sent: { thinking: { type: 'enabled', budget_tokens: 4096 }, top_p: 0.97 },
    dropped: [],
  },
  {
    name: 'an empty stop sequence says nothing: it is left out and named',
    given: { parameters: { stop: ['', 'END'] } },
    sent: { stop_sequences: ['END'] },
    dropped: ['stop[0]'],
  },
  {
    name: 'what the dialect has no word for is named in the caller’s words',
    given: { parameters: { seed: 1, frequencyPenalty: 0.1, logprobs: true, topLogprobs: 2, n: 1 } },
    sent: {},
    dropped: ['seed', 'frequency_penalty', 'logprobs', 'top_logprobs'],
  },
  {
    name: 'the default tier is the standard one',
    given: { parameters: { serviceTier: 'default' } },
    sent: { service_tier: 'standard_only' },
    dropped: [],
  },
  {
    name: 'a tier that is not known here is named as dropped',
    given: { parameters: { serviceTier: 'flex' } },
    sent: {},
    dropped: ['service_tier'],
  },
];
for (const { name, given, model, sent, dropped } of ROWS) {
  test(name, () => {
    const encoded = encode(given, model);
    assert.deepEqual(sampling(encoded), sent);
    assert.deepEqual(encoded.dropped, dropped);
  });
}

test('several choices are refused', () => {
  assert.throws(
    () => encode({ parameters: { n: 2 } }),
    (error) => error instanceof GatewayError && error.status === 400 && error.param === 'n',
  );
});

const LIMITS: [model: string, asked: number | undefined, sent: number, dropped: string[]][] = [
  [SONNET_4_5, undefined, 64_000, []],
  ['claude-opus-4-1-20250805', undefined, 32_000, []],
  ['claude-3-haiku-20240307', undefined, 4_096, []],
  ['claude-opus-4-8', undefined, 128_000, []],
  ['claude-opus-9', undefined, 128_000, []],
  ['some-other-model', undefined, 8_192, []],
  ['claude-3-haiku-20240307', 10_000, 4_096, ['max_completion_tokens=4096']],
  ['some-other-model', 10_000, 10_000, []],
  [SONNET_4_5, 100, 100, []],
];
for (const [model, asked, sent, dropped] of LIMITS) {
  test(`max_tokens of ${model}, ${asked ?? 'nothing'} asked: ${sent}`, () => {
    const encoded = encode({ parameters: asked === undefined ? {} : { maxOutputTokens: asked } }, model);
    assert.equal(encoded.body['max_tokens'], sent);
    assert.deepEqual(encoded.dropped, dropped);
  });
}

test('a caller of this dialect may go beyond the limit, by a beta', () => {
  const given = conversation({ dialect: 'messages', parameters: { maxOutputTokens: 200_000 } });
  assert.equal(encode(given).body['max_tokens'], 200_000);
});

test('fields that only this dialect knows are written back, merged with what we write', () => {
  const fields = { container: 'c1', metadata: { team: 'x' }, output_config: { task_budget: { total: 1 } } };
  const { body, dropped } = encode(
    {
      dialect: 'messages',
      parameters: { maxOutputTokens: 10, endUser: 'u' },
      reasoning: { effort: 'low' },
      extra: { dialect: 'messages', fields },
    },
    'claude-opus-4-7',
  );
  assert.equal(body['container'], 'c1');
  assert.deepEqual(body['metadata'], { team: 'x', user_id: 'u' });
  assert.deepEqual(body['output_config'], { task_budget: { total: 1 }, effort: 'low' });
  assert.deepEqual(dropped, []);
});
