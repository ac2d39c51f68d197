import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { JsonObject } from '../../src/conversation/json.ts';
import type { CallerDialectName } from '../../src/dialects/dialect.ts';
import { effortOfBudget, type SteppedEffort } from '../../src/dialects/effort-words.ts';
import { DIALECTS } from '../../src/dialects/registry.ts';

const EFFORTS: readonly SteppedEffort[] = ['minimal', 'low', 'medium', 'high', 'xhigh', 'max'];

/** The request of one dialect as a provider of another gets it. */
function translate(
  from: CallerDialectName,
  body: JsonObject,
  to: CallerDialectName,
  model: string,
): JsonObject {
  const conversation = DIALECTS[from].decodeRequest(body, { model, stream: false });
  return DIALECTS[to].encodeRequest(conversation, model).body;
}

const HI = [{ role: 'user', content: 'Hi' }];
const asking = (effort: string): JsonObject => ({ model: 'm', messages: HI, reasoning_effort: effort });

/** What comes back of each effort that does not come back as itself, and why. */
const LOST: Record<string, { why: string; comesBack: Partial<Record<SteppedEffort, string>> }> = {
  'claude-sonnet-4-5': {
    why: 'its least budget is 1,024 tokens; chat models know no budget beyond high for sure',
    comesBack: { minimal: 'low', xhigh: 'high', max: 'high' },
  },
  'claude-opus-4-7': { why: 'its least effort is low', comesBack: { minimal: 'low' } },
  'gemini-2.5-flash': { why: 'its most is a budget of 24,576', comesBack: { xhigh: 'high', max: 'high' } },
  'gemini-2.5-pro': {
    why: 'its most is a budget of 32,768, and chat models know no budget beyond high for sure',
    comesBack: { xhigh: 'high', max: 'high' },
  },
  'gemini-3-flash-preview': { why: 'its highest level is high', comesBack: { xhigh: 'high', max: 'high' } },
};

describe('an effort that goes to a model in the words of its dialect comes back as itself', () => {
  for (const [dialect, model] of [
    ['messages', 'claude-sonnet-4-5'],
    ['messages', 'claude-opus-4-7'],
    ['gemini', 'gemini-2.5-flash'],
    ['gemini', 'gemini-2.5-pro'],
    ['gemini', 'gemini-3-flash-preview'],
    ['responses', undefined],
  ] as const) {
    for (const effort of EFFORTS) {
      const back = LOST[model ?? '']?.comesBack[effort] ?? effort;
      test(`${effort} by way of ${model ?? 'the same model'} is ${back}`, () => {
        // Between them these two know every effort.
        const knows = effort === 'minimal' ? 'gpt-5' : 'gpt-5.6';
        const there = translate('chat', asking(effort), dialect, model ?? knows);
        const here = translate(dialect, there, 'chat', knows);
        assert.equal(here['reasoning_effort'], back, JSON.stringify(there));
      });
    }
  }
});

describe('a budget', () => {
  const budgets = fc.integer({ min: 1, max: 100_000 });

  test('of more tokens is never less effort', () => {
    fc.assert(
      fc.property(budgets, budgets, (one, other) => {
        const [less, more] = one < other ? [one, other] : [other, one];
        assert.ok(EFFORTS.indexOf(effortOfBudget(less)) <= EFFORTS.indexOf(effortOfBudget(more)));
      }),
    );
  });

  const ways = [
    [
      'messages',
      'claude-opus-4-7',
      (tokens: number): JsonObject => ({ thinking: { type: 'enabled', budget_tokens: tokens } }),
    ],
    [
      'gemini',
      'gemini-2.5-pro',
      (tokens: number): JsonObject => ({ generationConfig: { thinkingConfig: { thinkingBudget: tokens } } }),
    ],
  ] as const;
  for (const [dialect, model, fieldsOf] of ways) {
    test(`that became an effort stays that effort, however often it goes to ${model} and back`, () => {
      fc.assert(
        fc.property(budgets, (tokens) => {
          const content =
            dialect === 'gemini'
              ? { contents: [{ role: 'user', parts: [{ text: 'Hi' }] }] }
              : { model, max_tokens: 120_000, messages: HI };
          const first = translate(dialect, { ...content, ...fieldsOf(tokens) }, 'chat', 'gpt-5');
          const there = translate(
            'chat',
            { model: 'm', messages: HI, reasoning_effort: first['reasoning_effort'] ?? 'low' },
            dialect,
            model,
          );
          const second = translate(dialect, there, 'chat', 'gpt-5');
          const least = dialect === 'messages' && first['reasoning_effort'] === 'minimal';
          assert.equal(second['reasoning_effort'], least ? 'low' : first['reasoning_effort']);
        }),
      );
    });
  }

  test('of Google’s own for an effort is that effort at Claude and back', () => {
    for (const tokens of [1_024, 8_192, 24_576]) {
      const body = {
        contents: [{ role: 'user', parts: [{ text: 'Hi' }] }],
        generationConfig: { thinkingConfig: { thinkingBudget: tokens } },
      };
      const there = translate('gemini', body, 'messages', 'claude-opus-4-7');
      const back = translate('messages', there, 'gemini', 'gemini-2.5-flash');
      const config = back['generationConfig'] as { thinkingConfig: JsonObject };
      assert.equal(config.thinkingConfig['thinkingBudget'], tokens);
    }
  });
});
