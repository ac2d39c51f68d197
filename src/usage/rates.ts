import type { ModelPrice } from '@pydantic/genai-prices';
import { inputTokens, type Usage } from '../conversation/usage.ts';
import type { TokenCounts } from './call-row.ts';

/** Dollars per million tokens, which is micro-dollars per token. */
type Rate = number | TieredRate;

/** A rate that depends on the size of the call's whole input; the tier that is met holds for all of its tokens. */
interface TieredRate {
  base: number;
  /** Sorted; a tier is met by more input tokens than `start`. */
  tiers: { start: number; price: number }[];
}

/** What a call costs at one target: a rate for each kind of token, absent where it is not known. */
export interface Rates {
  tokens: Partial<Record<keyof TokenCounts, Rate>>;
  /** Dollars per thousand calls, which is thousands of micro-dollars per call. */
  perThousandCalls: Rate;
}

/** Prices as the config writes them, in dollars per million tokens. */
export type TokenPrices = { [Kind in keyof TokenCounts]?: number };

/** Each kind of token, the library's word for its price, and which kind it costs like where it has no price of its own. */
const KINDS = {
  input: { priceKey: 'input_mtok', costsLike: null },
  inputAudio: { priceKey: 'input_audio_mtok', costsLike: 'input' },
  cacheRead: { priceKey: 'cache_read_mtok', costsLike: 'input' },
  cacheWrite: { priceKey: 'cache_write_mtok', costsLike: 'input' },
  cacheWrite1h: { priceKey: 'cache_write_1h_mtok', costsLike: 'cacheWrite' },
  output: { priceKey: 'output_mtok', costsLike: null },
  outputAudio: { priceKey: 'output_audio_mtok', costsLike: 'output' },
  reasoning: { priceKey: 'output_reasoning_mtok', costsLike: 'output' },
} as const satisfies Record<keyof TokenCounts, { priceKey: string; costsLike: keyof TokenCounts | null }>;
const KIND_ENTRIES = Object.entries(KINDS) as [keyof TokenCounts, (typeof KINDS)[keyof TokenCounts]][];

/** Rates from prices as the config writes them. */
export function ratesOfPrices(prices: TokenPrices): Rates {
  const tokens: Rates['tokens'] = {};
  // `KINDS` names a kind before those that cost like it.
  for (const [kind, { costsLike }] of KIND_ENTRIES) {
    const rate = prices[kind] ?? (costsLike ? tokens[costsLike] : undefined);
    if (rate !== undefined) tokens[kind] = rate;
  }
  return { tokens, perThousandCalls: 0 };
}

/** Rates from a price entry of `@pydantic/genai-prices`. */
export function ratesOfModelPrice(price: ModelPrice): Rates {
  const tokens: Rates['tokens'] = {};
  for (const [kind, { priceKey, costsLike }] of KIND_ENTRIES) {
    const rate = readRate(price[priceKey]) ?? (costsLike ? tokens[costsLike] : undefined);
    if (rate !== undefined) tokens[kind] = rate;
  }
  return { tokens, perThousandCalls: readRate(price['requests_kcount']) ?? 0 };
}

function readRate(price: ModelPrice[string]): Rate | undefined {
  if (price === undefined || typeof price === 'number') return price;
  return { base: price.base, tiers: price.tiers.toSorted((a, b) => a.start - b.start) };
}

/**
 * The cost in micro-dollars, not rounded. Throws where a kind of token that was used has no rate, or where a count
 * is none: both make the cost unknown.
 */
export function priceUsage(rates: Rates, usage: Usage): number {
  const input = inputTokens(usage);
  let microUsd = 1000 * rateFor(rates.perThousandCalls, input);
  for (const [kind] of KIND_ENTRIES) {
    const count = usage[kind];
    if (count === 0) continue;
    if (!(count > 0 && Number.isFinite(count))) throw new Error(`${count} is no count of ${kind} tokens`);
    const rate = rates.tokens[kind];
    if (rate === undefined) throw new Error(`there is no price for ${kind} tokens`);
    microUsd += count * rateFor(rate, input);
  }
  return microUsd;
}

function rateFor(rate: Rate, input: number): number {
  if (typeof rate === 'number') return rate;
  let met = rate.base;
  for (const { start, price } of rate.tiers) {
    if (input > start) met = price;
  }
  return met;
}
