import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { NO_USAGE, type Usage } from '../../src/conversation/usage.ts';
import { PriceBook } from '../../src/usage/prices.ts';
import type { TargetPrices } from '../../src/usage/rates.ts';
import { anyUsage } from '../support/usage-records.ts';

const AT = Date.parse('2026-11-23T12:00:00Z');
const USED: Usage = { ...NO_USAGE, input: 1000, output: 1000 };

/** Worked out by hand from the vendors' price pages. */
const PUBLISHED: [target: string, tier: string, costMicroUsd: number | null, because: string][] = [
  ['anthropic/claude-opus-4-6', 'fast', 180_000, 'fast is $30 and $150'],
  ['anthropic/claude-opus-4-6', 'us', 33_000, 'inference in the US is 1.1 times as dear'],
  ['anthropic/claude-opus-4-6', 'fast+us', 198_000, 'both are multiplied'],
  ['anthropic/claude-opus-4-6', 'batch', 15_000, 'a batch is half the price'],
  ['anthropic/claude-opus-4-8', 'fast', 60_000, 'fast is $10 and $50'],
  ['anthropic/claude-opus-5-5', 'fast', 48_000, 'fast is $8 and $40'],
  ['openrouter/google/gemini-2.5-flash', 'provisioned', 2800, 'how OpenRouter buys is not what it charges'],
  ['anthropic/claude-sonnet-4-5', 'fast', null, 'it has no fast mode'],
  ['anthropic/claude-opus-4-6', 'priority', null, 'it is had by commitment'],
  ['anthropic/claude-opus-4-6', 'fast+priority', null, 'of one of both nothing is known'],
  ['openai/gpt-5', 'priority', 22_500, 'priority is $2.50 and $20'],
  ['openai/gpt-5-2025-08-07', 'priority', 22_500, 'a version is the same model'],
  ['openai/gpt-5-mini-2025-08-07', 'priority', 4050, 'priority is $0.45 and $3.60'],
  ['openai/gpt-5', 'flex', 5625, 'flex is half the price'],
  ['openai/gpt-5', 'scale', null, 'it is had by contract'],
  ['openai/gpt-4o', 'constructor', null, 'what every object has is no tier'],
  ['gemini/gemini-2.5-flash', 'flex', 1400, 'flex is half the price'],
  ['gemini/gemini-2.5-flash', 'priority', null, 'Google names a range'],
  ['vertex/gemini-2.5-flash', 'flex', 1400, 'flex is half the price'],
];

for (const [target, tier, costMicroUsd, because] of PUBLISHED) {
  test(`${target} served in the tier ${tier} costs ${costMicroUsd} µ$ for 1000 tokens each: ${because}`, () => {
    assert.equal(new PriceBook().costMicroUsd(target, { ...USED, tier }, AT), costMicroUsd);
  });
}

test('a tier without a price is told once, with its target', () => {
  const reports: string[] = [];
  const book = new PriceBook({ onUnknownPrice: (target, reason) => reports.push(`${target}: ${reason}`) });
  const cost = (target: string, tier: string) => book.costMicroUsd(target, { ...USED, tier }, AT);
  assert.equal(cost('openai/gpt-5', 'scale'), null);
  assert.equal(cost('openai/gpt-5', 'scale'), null);
  assert.equal(cost('local/llama', 'scale'), null);
  assert.deepEqual(reports, ["openai/gpt-5: there is no price for the tier 'scale'"]);
});

function costWith(prices: Record<string, TargetPrices>) {
  const book = new PriceBook({ prices });
  return (target: string, tier?: string) =>
    book.costMicroUsd(target, tier === undefined ? USED : { ...USED, tier }, AT);
}

test('a configured multiple goes before the published one, on the configured price or the published', () => {
  const cost = costWith({
    'openai/gpt-5': { tiers: { priority: 3, scale: 0 } },
    'openai/*': { input: 1, output: 2, tiers: { priority: 4 } },
  });
  assert.equal(cost('openai/gpt-5'), 11_250, 'tiers alone leave the published price');
  assert.equal(cost('openai/gpt-5', 'priority'), 33_750);
  assert.equal(cost('openai/gpt-5', 'scale'), 0);
  assert.equal(cost('openai/gpt-5', 'flex'), 5625, 'what the config does not say is as published');
  assert.equal(cost('openai/gpt-4.1', 'priority'), 12_000);
  assert.equal(cost('openai/gpt-4.1', 'flex'), 1500, "a published multiple holds for a price of one's own");
});

test('a tier may have prices of its own, and several at once too', () => {
  const cost = costWith({
    'a/*': {
      input: 1,
      output: 2,
      tiers: { fast: { input: 5, output: 7 }, us: 2, 'fast+us': { input: 8, output: 9 } },
    },
  });
  assert.equal(cost('a/b', 'fast'), 12_000);
  assert.equal(cost('a/b', 'us'), 6000);
  assert.equal(cost('a/b', 'fast+us'), 17_000);
  assert.equal(cost('a/b', 'priority+fast'), null);
});

test('what costs nothing does so in every tier', () => {
  assert.equal(costWith({ 'local/*': { input: 0, output: 0 } })('local/llama', 'priority'), 0);
});

test('a tier costs as many times the standard price, whatever was used, and parts add up', () => {
  const prices = {
    'a/*': { input: 2, inputAudio: 9, cacheRead: 1, cacheWrite: 3, output: 8, tiers: { fast: 6 } },
  };
  const book = new PriceBook({ prices });
  const cost = (usage: Usage) => book.costMicroUsd('a/b', usage, AT) ?? Number.NaN;
  fc.assert(
    fc.property(anyUsage, (usage) => {
      assert.equal(cost({ ...usage, tier: 'fast' }), 6 * cost(usage));
      const { input, output, ...others } = usage;
      const parts = [
        { ...NO_USAGE, input, output },
        { ...NO_USAGE, ...others, input: 0, output: 0 },
      ];
      const sum = parts.reduce((total, part) => total + cost({ ...part, tier: 'fast' }), 0);
      assert.equal(sum, cost({ ...usage, tier: 'fast' }));
    }),
  );
});

test('a tier is found by each word that its provider has for it, and several in any order', () => {
  const openai = costWith({ 'openai/*': { input: 1, output: 1, tiers: { fast: 2 } } });
  const standard = openai('openai/x') ?? 0;
  assert.ok(standard > 0);
  assert.equal(openai('openai/x', 'priority'), 2 * standard);
  const anthropic = costWith({ 'anthropic/*': { input: 1, output: 1, tiers: { 'us+fast': 5, fast: 2 } } });
  assert.equal(anthropic('anthropic/x', 'fast+us'), 5 * standard);
  assert.equal(anthropic('anthropic/x', 'priority'), null, 'there it is another tier');
});
