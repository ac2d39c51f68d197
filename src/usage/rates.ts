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
export type TokenPrices = { [Kind in keyof TokenCounts]?: number | undefined };

/** Those of a target, and what it costs in tiers: a multiple of its price, or prices of the tier's own. */
export interface TargetPrices extends TokenPrices {
  tiers?: Readonly<Record<string, number | Readonly<TokenPrices>>> | undefined;
}

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

/** Whether they say what anything costs: an entry may hold tiers alone. */
export function hasPrices(prices: TokenPrices): boolean {
  return KIND_ENTRIES.some(([kind]) => prices[kind] !== undefined);
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
export function priceUsage({ tokens, perThousandCalls }: Rates, usage: Usage): number {
  const input = inputTokens(usage);
  // Written out: it is asked of every call, and a loop over the names of the kinds takes three times as long.
  return (
    1000 * rateFor(perThousandCalls, input) +
    priceTokens('input', usage.input, tokens.input, input) +
    priceTokens('inputAudio', usage.inputAudio, tokens.inputAudio, input) +
    priceTokens('cacheRead', usage.cacheRead, tokens.cacheRead, input) +
    priceTokens('cacheWrite', usage.cacheWrite, tokens.cacheWrite, input) +
    priceTokens('cacheWrite1h', usage.cacheWrite1h, tokens.cacheWrite1h, input) +
    priceTokens('output', usage.output, tokens.output, input) +
    priceTokens('outputAudio', usage.outputAudio, tokens.outputAudio, input) +
    priceTokens('reasoning', usage.reasoning, tokens.reasoning, input)
  );
}

const INPUT_KINDS = ['input', 'cacheRead', 'inputAudio', 'cacheWrite', 'cacheWrite1h'] as const;
const OUTPUT_KINDS = ['output', 'reasoning', 'outputAudio'] as const;

/** Kinds of tokens that cost more at some models, and that a call uses only where it asks for them. */
export type AskedKind = 'inputAudio' | 'cacheWrite' | 'cacheWrite1h' | 'outputAudio';

/**
 * What so many tokens cost at most, in micro-dollars, not rounded: each is taken to be of the dearest kind that the call reaches. Nothing is asked
 * of kinds that are no dearer. Throws where there is no price for input or output at all.
 */
export function priceDearest(
  { tokens, perThousandCalls }: Rates,
  input: number,
  output: number,
  reaches: (kind: AskedKind) => boolean,
): number {
  return (
    1000 * rateFor(perThousandCalls, input) +
    priceTokens('input', input, dearestRate(tokens, INPUT_KINDS, input, reaches), input) +
    priceTokens('output', output, dearestRate(tokens, OUTPUT_KINDS, input, reaches), input)
  );
}

function dearestRate(
  tokens: Rates['tokens'],
  kinds: typeof INPUT_KINDS | typeof OUTPUT_KINDS,
  input: number,
  reaches: (kind: AskedKind) => boolean,
): number | undefined {
  let dearest: number | undefined;
  for (const kind of kinds) {
    const rate = tokens[kind];
    if (rate === undefined) continue;
    const price = rateFor(rate, input);
    if (dearest !== undefined && price <= dearest) continue;
    const isAsked = kind !== 'input' && kind !== 'output' && kind !== 'cacheRead' && kind !== 'reasoning';
    if (!isAsked || reaches(kind)) dearest = price;
  }
  return dearest;
}

function priceTokens(kind: keyof TokenCounts, count: number, rate: Rate | undefined, input: number): number {
  if (count === 0) return 0;
  if (!(count > 0 && Number.isFinite(count))) throw new Error(`${count} is no count of ${kind} tokens`);
  if (rate === undefined) throw new Error(`there is no price for ${kind} tokens`);
  return count * rateFor(rate, input);
}

function rateFor(rate: Rate, input: number): number {
  if (typeof rate === 'number') return rate;
  let met = rate.base;
  for (const { start, price } of rate.tiers) {
    if (input > start) met = price;
  }
  return met;
}
