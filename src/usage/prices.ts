import { calcPrice } from '@pydantic/genai-prices';
import { compileGlob } from '../config/glob.ts';
import type { Usage } from '../conversation/usage.ts';
import { priceUsage, type Rates, ratesOfModelPrice, ratesOfPrices, type TokenPrices } from './rates.ts';

/** Our adapters whose prices `@pydantic/genai-prices` publishes, and its name for each. */
export const PRICE_LIST_NAMES: ReadonlyMap<string, string> = new Map([
  ['anthropic', 'anthropic'],
  ['azure-openai', 'azure'],
  ['bedrock', 'aws'],
  ['cerebras', 'cerebras'],
  ['cohere', 'cohere'],
  ['deepseek', 'deepseek'],
  ['fireworks', 'fireworks'],
  ['gemini', 'google'],
  ['groq', 'groq'],
  ['mistral', 'mistral'],
  ['moonshot', 'moonshotai'],
  ['openai', 'openai'],
  ['openrouter', 'openrouter'],
  ['perplexity', 'perplexity'],
  ['together', 'together'],
  ['vertex', 'google'],
  ['xai', 'x-ai'],
  ['zai', 'zai'],
]);

export interface PriceBookOptions {
  /** From the config: targets or patterns of targets, the first that matches counts and replaces the published price. */
  prices?: Readonly<Record<string, TokenPrices>>;
  /** The adapter of each configured provider; a provider that is not there is its own. */
  adapters?: Readonly<Record<string, string>>;
  /** Told once for each target and reason why it has no cost, where one could be expected. */
  onUnknownPrice?: (target: string, reason: string) => void;
}

/** Targets come from callers too (`provider/model` can be called directly): neither may fill the memory. */
const MAX_REMEMBERED_TARGETS = 1_000;
const MAX_REPORTS = 1_000;
/** Published prices may change by the day or the hour; every window of theirs begins and ends with a minute. */
const WINDOW_MS = 60_000;

interface RememberedRates {
  /** `null`: no price is to be expected (a model of one's own). */
  rates: Rates | null;
  /** The window that they were looked up for, where they change with time. */
  window: number | null;
}

/** What calls cost. Configured prices go before published ones; what has neither costs `null`, never 0. */
export class PriceBook {
  readonly #configured: { matches: (target: string) => boolean; rates: Rates }[];
  readonly #adapters: ReadonlyMap<string, string>;
  readonly #onUnknownPrice: (target: string, reason: string) => void;
  readonly #remembered = new Map<string, RememberedRates>();
  readonly #reported = new Set<string>();

  constructor({ prices = {}, adapters = {}, onUnknownPrice = () => {} }: PriceBookOptions = {}) {
    this.#configured = Object.entries(prices).map(([pattern, price]) => ({
      matches: compileGlob(pattern),
      rates: ratesOfPrices(price),
    }));
    this.#adapters = new Map(Object.entries(adapters));
    this.#onUnknownPrice = onUnknownPrice;
  }

  /** The cost of a call of `target` (`provider/model-version`) at a Unix millisecond, in micro-dollars and fractions of them; `null`: not known. */
  costMicroUsd(target: string, usage: Usage, at: number): number | null {
    try {
      const rates = this.#findRates(target, at);
      return rates && roundCost(priceUsage(rates, usage));
    } catch (error) {
      this.#report(target, error instanceof Error ? error.message : String(error));
      return null;
    }
  }

  #findRates(target: string, at: number): Rates | null {
    const window = Math.floor(at / WINDOW_MS);
    const known = this.#remembered.get(target);
    if (known && (known.window === null || known.window === window)) return known.rates;
    const found = this.#lookUp(target, at);
    if (this.#remembered.size >= MAX_REMEMBERED_TARGETS) this.#remembered.clear();
    this.#remembered.set(target, { rates: found.rates, window: found.changes ? window : null });
    return found.rates;
  }

  #lookUp(target: string, at: number): { rates: Rates | null; changes: boolean } {
    const configured = this.#configured.find(({ matches }) => matches(target));
    if (configured) return { rates: configured.rates, changes: false };
    const slash = target.indexOf('/');
    const provider = target.slice(0, Math.max(slash, 0));
    const providerId = PRICE_LIST_NAMES.get(this.#adapters.get(provider) ?? provider);
    if (providerId === undefined) return { rates: null, changes: false };
    // The library finds the entry; the arithmetic is ours, because its own takes 10 to 20 µs a call (and ours 0.2).
    const published = calcPrice({}, target.slice(slash + 1), { providerId, timestamp: new Date(at) });
    if (!published) {
      this.#report(target, 'the published price list does not have it');
      return { rates: null, changes: false };
    }
    const { model, model_price: price } = published;
    return { rates: ratesOfModelPrice(price), changes: Array.isArray(model.prices) };
  }

  #report(target: string, reason: string): void {
    const report = `${target}: ${reason}`;
    if (this.#reported.has(report) || this.#reported.size >= MAX_REPORTS) return;
    this.#reported.add(report);
    this.#onUnknownPrice(target, reason);
  }
}

/**
 * To millionths of a micro-dollar: cheap calls cost less than one, and must add up. Prices have decimals that doubles
 * do not have; this takes the trifle away that their sums and products are off.
 */
export function roundCost(microUsd: number): number {
  return Math.round(microUsd * 1e6) / 1e6;
}
