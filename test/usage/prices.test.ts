import assert from 'node:assert/strict';
import { test } from 'node:test';
import { calcPrice, findProvider } from '@pydantic/genai-prices';
import fc from 'fast-check';
import { inputTokens, NO_USAGE, outputTokens, type Usage } from '../../src/conversation/usage.ts';
import { PRICE_LIST_NAMES, PriceBook } from '../../src/usage/prices.ts';
import type { TokenPrices } from '../../src/usage/rates.ts';
import { anyUsage } from '../support/usage-records.ts';

const AT = Date.parse('2026-11-23T12:00:00Z');

interface PublishedCase {
  target: string;
  usage: Partial<Usage>;
  /** Worked out by hand from the vendor's price page, in dollars per million tokens. */
  costMicroUsd: number;
  because: string;
}

const PUBLISHED: PublishedCase[] = [
  {
    target: 'openai/gpt-4.1-2025-04-14',
    usage: { input: 1000, output: 500 },
    costMicroUsd: 6000,
    because: 'input is 2, output 8',
  },
  {
    target: 'openai/gpt-4.1-2025-04-14',
    usage: { input: 200, cacheRead: 800, output: 500 },
    costMicroUsd: 4800,
    because: 'cached input is 0.50 and counted once',
  },
  {
    target: 'openai/gpt-5',
    usage: { input: 100, output: 20, reasoning: 480 },
    costMicroUsd: 5125,
    because: 'input is 1.25, output 10, and reasoning is output',
  },
  {
    target: 'openai/text-embedding-3-small',
    usage: { input: 5_000_000 },
    costMicroUsd: 100_000,
    because: 'input is 0.02',
  },
  {
    target: 'anthropic/claude-opus-4-5',
    usage: { input: 10, cacheRead: 2000, cacheWrite: 1000, cacheWrite1h: 500, output: 100 },
    costMicroUsd: 50 + 1000 + 6250 + 5000 + 2500,
    because: 'input is 5, cache reads 0.50, writes 6.25, writes for an hour 10, output 25',
  },
  {
    target: 'anthropic/claude-sonnet-4-5',
    usage: { input: 100_000, cacheRead: 90_000, cacheWrite: 10_000, output: 1000 },
    costMicroUsd: 300_000 + 27_000 + 37_500 + 15_000,
    because: 'the whole input, cached and not, is 200,000 tokens and so not above the tier',
  },
  {
    target: 'anthropic/claude-sonnet-4-5',
    usage: { input: 100_000, cacheRead: 90_000, cacheWrite: 10_001, output: 1000 },
    costMicroUsd: 600_000 + 54_000 + 75_007.5 + 22_500,
    because: 'one token more puts every token of the call into the higher tier',
  },
  {
    target: 'gemini/gemini-2.5-pro',
    usage: { input: 200_001, output: 1000, reasoning: 2000 },
    costMicroUsd: 500_002.5 + 45_000,
    because: 'above 200,000 tokens input is 2.50 and output, thoughts included, 15',
  },
  {
    target: 'gemini/gemini-2.5-flash',
    usage: { input: 1000, inputAudio: 1000, output: 100 },
    costMicroUsd: 300 + 1000 + 250,
    because: 'audio input is 1, other input 0.30, output 2.50',
  },
];

for (const { target, usage, costMicroUsd, because } of PUBLISHED) {
  test(`${target} with ${JSON.stringify(usage)} costs ${costMicroUsd} µ$: ${because}`, () => {
    assert.equal(new PriceBook().costMicroUsd(target, { ...NO_USAGE, ...usage }, AT), costMicroUsd);
  });
}

test('every provider of the table is one that the price list has', () => {
  for (const name of PRICE_LIST_NAMES.values()) assert.equal(findProvider({ providerId: name })?.id, name);
});

test('our arithmetic gives what the price list itself gives, for each of its models and any usage', () => {
  const targets = [...PRICE_LIST_NAMES].flatMap(([provider, name]) =>
    (findProvider({ providerId: name })?.models ?? []).map((model) => ({ provider, name, model: model.id })),
  );
  assert.ok(targets.length > 300);
  const book = new PriceBook();
  for (const [{ provider, name, model }, usage] of targets.map(
    (target, index) => [target, fc.sample(anyUsage, { numRuns: 1, seed: index })[0]] as const,
  )) {
    assert.ok(usage);
    const theirs = calcPrice(inclusiveSums(usage), model, { providerId: name, timestamp: new Date(AT) });
    const ours = book.costMicroUsd(`${provider}/${model}`, usage, AT);
    // The list has entries without any price per token: they cost 0 there, and are not known here.
    if (ours === null) {
      assert.ok(!theirs || theirs.input_price === 0 || theirs.output_price === 0, `${name}/${model}`);
    } else {
      assert.ok(Math.abs(ours - (theirs?.total_price ?? 0) * 1e6) <= 1e-6 + ours * 1e-12, `${name}/${model}`);
    }
  }
});

/** The library's units contain each other: cached tokens are input tokens too. */
function inclusiveSums(usage: Usage): Record<string, number> {
  return {
    input_tokens: inputTokens(usage),
    input_audio_tokens: usage.inputAudio,
    cache_read_tokens: usage.cacheRead,
    cache_write_tokens: usage.cacheWrite + usage.cacheWrite1h,
    cache_write_1h_tokens: usage.cacheWrite1h,
    cache_audio_read_tokens: 0,
    cache_audio_write_tokens: 0,
    cache_audio_write_1h_tokens: 0,
    output_tokens: outputTokens(usage),
    output_audio_tokens: usage.outputAudio,
    output_reasoning_tokens: usage.reasoning,
    output_audio_reasoning_tokens: 0,
  };
}

test('a price that changes with the hour is that of the time of the call', () => {
  const book = new PriceBook();
  const usage = { ...NO_USAGE, input: 1_000_000 };
  const at = (time: string) =>
    book.costMicroUsd('deepseek/deepseek-chat', usage, Date.parse(`2026-11-23T${time}Z`));
  assert.equal(at('00:29:59.999'), 135_000);
  assert.equal(at('00:30:00'), 270_000);
  assert.equal(at('16:29:59.999'), 270_000);
  assert.equal(at('16:30:00'), 135_000);
});

test('a model of an adapter with another name has the price of that adapter', () => {
  const book = new PriceBook({ adapters: { 'openai-eu': 'openai' } });
  const usage = { ...NO_USAGE, input: 1000 };
  assert.equal(book.costMicroUsd('openai-eu/gpt-4.1', usage, AT), 2000);
});

test('what has no price costs null, not 0, and is reported once where a price could be expected', () => {
  const reports: string[] = [];
  const onUnknownPrice = (target: string, reason: string) => reports.push(`${target}: ${reason}`);
  const book = new PriceBook({ onUnknownPrice, adapters: { openai: 'openai', local: 'openai-compatible' } });
  const usage = { ...NO_USAGE, input: 10, output: 10 };
  for (const target of ['echo/echo', 'local/llama3:8b', 'nowhere', '__proto__/x', 'openai/no-such-model']) {
    assert.equal(book.costMicroUsd(target, usage, AT), null, target);
    assert.equal(book.costMicroUsd(target, usage, AT), null, target);
  }
  assert.deepEqual(reports, ['openai/no-such-model: the published price list does not have it']);
});

test('a kind of token without a price makes the cost unknown, and its reason is told once', () => {
  const reports: string[] = [];
  const book = new PriceBook({
    prices: { 'local/*': { input: 1 } },
    onUnknownPrice: (target, reason) => reports.push(`${target}: ${reason}`),
  });
  const cost = (usage: Partial<Usage>) => book.costMicroUsd('local/llama', { ...NO_USAGE, ...usage }, AT);
  assert.equal(cost({ input: 7 }), 7);
  assert.equal(cost({ input: 7, output: 1 }), null);
  assert.equal(cost({ input: 7, output: 2 }), null);
  assert.deepEqual(reports, ['local/llama: there is no price for output tokens']);
});

test('counts that are none make the cost unknown instead of an error', () => {
  const book = new PriceBook();
  for (const input of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
    assert.equal(book.costMicroUsd('openai/gpt-4.1', { ...NO_USAGE, input }, AT), null);
  }
});

test('configured prices go before published ones, the first pattern that matches first', () => {
  const book = new PriceBook({
    prices: { 'openai/gpt-4.1*': { input: 1, output: 2 }, 'openai/*': { input: 10, output: 20 } },
  });
  const usage = { ...NO_USAGE, input: 100, output: 10 };
  assert.equal(book.costMicroUsd('openai/gpt-4.1-2025-04-14', usage, AT), 120);
  assert.equal(book.costMicroUsd('openai/gpt-5', usage, AT), 1200);
  assert.equal(book.costMicroUsd('anthropic/claude-opus-4-5', usage, AT), 750);
});

test('each kind of token has the configured price, or that of the kind that it is a part of', () => {
  const all: TokenPrices = {
    input: 1,
    inputAudio: 2,
    cacheRead: 3,
    cacheWrite: 4,
    cacheWrite1h: 5,
    output: 6,
    outputAudio: 7,
    reasoning: 8,
  };
  const some: TokenPrices = { input: 1, output: 6, cacheWrite: 4 };
  const cost = (price: TokenPrices, usage: Partial<Usage>) =>
    new PriceBook({ prices: { '*': price } }).costMicroUsd('a/b', { ...NO_USAGE, ...usage }, AT);
  const expected: [keyof TokenPrices, number, number][] = [
    ['input', 1, 1],
    ['inputAudio', 2, 1],
    ['cacheRead', 3, 1],
    ['cacheWrite', 4, 4],
    ['cacheWrite1h', 5, 4],
    ['output', 6, 6],
    ['outputAudio', 7, 6],
    ['reasoning', 8, 6],
  ];
  for (const [kind, own, inherited] of expected) {
    assert.equal(cost(all, { [kind]: 1000 }), own * 1000, `${kind}, all prices given`);
    assert.equal(cost(some, { [kind]: 1000 }), inherited * 1000, `${kind}, some prices given`);
  }
});

test('fractions of a micro-dollar count; what doubles make of decimals does not', () => {
  const cost = (input: number, usage: Partial<Usage>) =>
    new PriceBook({ prices: { 'a/*': { input, output: input } } }).costMicroUsd(
      'a/b',
      { ...NO_USAGE, ...usage },
      AT,
    );
  assert.equal(cost(0.02, { input: 4 }), 0.08);
  assert.equal(cost(0.49, { input: 1 }), 0.49);
  assert.equal(cost(0.1, { input: 1, output: 2 }), 0.3, '0.1 + 0.2 is a trifle more as doubles');
  assert.equal(cost(1.005, { input: 100 }), 100.5, '1.005 × 100 is a trifle less');
});

test('the cost is the sum of what each kind of token costs, and grows with each of them', () => {
  const prices = { 'a/*': { input: 2, inputAudio: 9, cacheRead: 1, cacheWrite: 3, output: 8, reasoning: 7 } };
  const book = new PriceBook({ prices });
  const cost = (usage: Usage) => book.costMicroUsd('a/b', usage, AT) ?? Number.NaN;
  fc.assert(
    fc.property(anyUsage, anyUsage, (one, other) => {
      const sum = { ...NO_USAGE };
      let ofKinds = 0;
      for (const kind of Object.keys(NO_USAGE) as (keyof TokenPrices)[]) {
        sum[kind] = one[kind] + other[kind];
        ofKinds += cost({ ...NO_USAGE, [kind]: sum[kind] });
        assert.ok(cost({ ...one, [kind]: one[kind] + 1 }) > cost(one));
      }
      assert.equal(cost(sum), cost(one) + cost(other));
      assert.equal(cost(sum), ofKinds);
    }),
  );
});
