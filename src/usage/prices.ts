import { calcPrice } from '@pydantic/genai-prices';
import { compileGlob } from '../config/glob.ts';
import { isPaidOtherwise, type OtherUsage, type Usage } from '../conversation/usage.ts';
import {
  type AskedKind,
  hasPrices,
  priceDearest,
  priceUsage,
  type Rates,
  ratesOfModelPrice,
  ratesOfPrices,
  type TargetPrices,
} from './rates.ts';
import { publishedMultiple } from './tier-prices.ts';

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

/** Adapters whose answers say in dollars what they cost: OpenRouter's `usage.cost`, of whichever models it chose. */
const SAY_COSTS: ReadonlySet<string> = new Set(['openrouter']);

export interface PriceBookOptions {
  /**
   * From the config: targets or patterns of targets, the first that matches counts and replaces the published price; one that
   * holds tiers alone leaves the rest of it.
   */
  prices?: Readonly<Record<string, TargetPrices>>;
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

/** What a tier costs: rates of its own, or as many times the standard ones. */
type TierPrice = { times: number } | { rates: Rates };

interface ConfiguredPrice {
  matches: (target: string) => boolean;
  rates: Rates | null;
  tiers: ReadonlyMap<string, TierPrice>;
}

/** What calls cost. Configured prices go before published ones; what has neither costs `null`, never 0. */
export class PriceBook {
  readonly #configured: ConfiguredPrice[];
  readonly #adapters: ReadonlyMap<string, string>;
  readonly #onUnknownPrice: (target: string, reason: string) => void;
  readonly #remembered = new Map<string, RememberedRates>();
  /** By tier and target; `null`: not known. */
  readonly #rememberedTiers = new Map<string, TierPrice | null>();
  readonly #reported = new Set<string>();

  constructor({ prices = {}, adapters = {}, onUnknownPrice = () => {} }: PriceBookOptions = {}) {
    this.#configured = Object.entries(prices).map(([pattern, price]) => ({
      matches: compileGlob(pattern),
      rates: hasPrices(price) ? ratesOfPrices(price) : null,
      tiers: new Map(
        Object.entries(price.tiers ?? {}).map(([tier, written]) => [inOrder(tier), readTier(written)]),
      ),
    }));
    this.#adapters = new Map(Object.entries(adapters));
    this.#onUnknownPrice = onUnknownPrice;
  }

  /**
   * The cost of a call of `target` (`provider/model-version`) at a Unix millisecond, in micro-dollars and fractions of them, in the tier
   * that its usage names, at the price of the model that used it, and with what others of the provider used beside it at theirs; `null`: not
   * known. Where the provider says the cost, that is it, unless the config has a price. `isOwnKind`: its tokens are of kinds that the published
   * prices are not for (images): only a configured one counts.
   */
  costMicroUsd(target: string, usage: Usage, at: number, isOwnKind = false): number | null {
    // Nearly all calls end here.
    if (!isPaidOtherwise(usage)) return this.#ownCost(target, usage, at, isOwnKind);
    const { model, beside = [], saidMicroUsd } = usage;
    const name = model === undefined ? target : siblingOf(target, model);
    if (saidMicroUsd !== undefined && !this.isConfigured(name) && this.#saysCosts(target))
      return roundCost(saidMicroUsd);
    let sum = this.#ownCost(name, usage, at, isOwnKind);
    for (const other of beside) {
      const cost = this.#otherCost(target, other, at);
      sum = sum === null || cost === null ? null : sum + cost;
    }
    return sum === null ? null : roundCost(sum);
  }

  #otherCost(target: string, other: OtherUsage, at: number): number | null {
    const { model, ofImages } = other;
    const name = model === undefined ? undefined : siblingOf(target, model);
    if (name !== undefined && (!ofImages || this.isConfigured(name))) return this.#ownCost(name, other, at);
    this.#report(target, `there is no price for what ${name ?? 'another model'} used beside it`);
    return null;
  }

  #saysCosts(target: string): boolean {
    return SAY_COSTS.has(this.#split(target).adapter);
  }

  /** Whether the config says what its tokens cost. */
  isConfigured(target: string): boolean {
    return Boolean(this.#configured.find(({ matches }) => matches(target))?.rates);
  }

  #ownCost(target: string, usage: Usage, at: number, isOwnKind = false): number | null {
    try {
      if (isOwnKind && !this.#configured.find(({ matches }) => matches(target))?.rates) return null;
      const rates = this.#findRates(target, at);
      if (usage.tier !== undefined) return rates && this.#costInTier(target, rates, usage, usage.tier);
      return rates && roundCost(priceUsage(rates, usage));
    } catch (error) {
      return this.#unknown(target, error);
    }
  }

  /**
   * What so many tokens come to at most, in the tier that is named: each at the dearest rate of the kinds that the call reaches; `null`: not known.
   */
  mostMicroUsd(
    target: string,
    { input, output, tier }: Pick<Usage, 'input' | 'output' | 'tier'>,
    at: number,
    reaches: (kind: AskedKind) => boolean,
  ): number | null {
    try {
      const rates = this.#findRates(target, at);
      if (!rates) return null;
      const most = roundCost(priceDearest(rates, input, output, reaches));
      if (tier === undefined) return most;
      const price = this.#findTier(target, tier);
      if (price && 'rates' in price) return roundCost(priceDearest(price.rates, input, output, reaches));
      return price ? roundCost(most * price.times) : this.#costUntold(target, most, tier);
    } catch (error) {
      return this.#unknown(target, error);
    }
  }

  #costInTier(target: string, standard: Rates, usage: Usage, tier: string): number | null {
    const price = this.#findTier(target, tier);
    if (price && 'rates' in price) return roundCost(priceUsage(price.rates, usage));
    const cost = priceUsage(standard, usage);
    return price ? roundCost(cost * price.times) : this.#costUntold(target, cost, tier);
  }

  #costUntold(target: string, standard: number, tier: string): number | null {
    // What costs nothing (a server of one's own) does so however it serves.
    if (standard === 0) return 0;
    this.#report(target, `there is no price for the tier '${tier}'`);
    return null;
  }

  #unknown(target: string, error: unknown): null {
    this.#report(target, error instanceof Error ? error.message : String(error));
    return null;
  }

  #findTier(target: string, tier: string): TierPrice | null {
    // No tier has a space.
    const key = `${tier} ${target}`;
    const known = this.#rememberedTiers.get(key);
    if (known !== undefined) return known;
    const found = this.#lookUpTier(target, tier);
    if (this.#rememberedTiers.size >= MAX_REMEMBERED_TARGETS) this.#rememberedTiers.clear();
    this.#rememberedTiers.set(key, found);
    return found;
  }

  /** Of several tiers at once (`fast+us`) the multiples are multiplied, unless the whole has a price. */
  #lookUpTier(target: string, tier: string): TierPrice | null {
    const { adapter, model } = this.#split(target);
    const configured = this.#configured.find(({ matches }) => matches(target))?.tiers;
    const whole = configured && findOwn(configured, adapter, inOrder(tier));
    if (whole) return whole;
    let times = 1;
    for (const word of tier.split('+')) {
      const own = configured && findOwn(configured, adapter, word);
      // Nothing says what another tier makes of it.
      if (own && 'rates' in own) return null;
      const multiple = own?.times ?? publishedMultiple(adapter, model, word);
      if (multiple === undefined) return null;
      times *= multiple;
    }
    return { times };
  }

  #split(target: string): { adapter: string; model: string } {
    const slash = target.indexOf('/');
    const provider = target.slice(0, Math.max(slash, 0));
    return { adapter: this.#adapters.get(provider) ?? provider, model: target.slice(slash + 1) };
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
    if (configured?.rates) return { rates: configured.rates, changes: false };
    const { adapter, model: name } = this.#split(target);
    const providerId = PRICE_LIST_NAMES.get(adapter);
    if (providerId === undefined) return { rates: null, changes: false };
    // The library finds the entry; the arithmetic is ours, because its own takes 10 to 20 µs a call (and ours 0.2).
    const published = calcPrice({}, name, { providerId, timestamp: new Date(at) });
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

/** Several tiers at once are the same in any order. */
function inOrder(tier: string): string {
  return tier.includes('+') ? tier.split('+').toSorted().join('+') : tier;
}

/** Where `fast` and `priority` are two tiers; elsewhere OpenAI's API is spoken, which has two words for one. */
const TELLS_FAST_APART: ReadonlySet<string> = new Set(['anthropic', 'bedrock', 'gemini', 'vertex']);

function findOwn(
  tiers: ReadonlyMap<string, TierPrice>,
  adapter: string,
  tier: string,
): TierPrice | undefined {
  const own = tiers.get(tier);
  return own ?? (tier === 'priority' && !TELLS_FAST_APART.has(adapter) ? tiers.get('fast') : undefined);
}

/** Another model of the provider. */
function siblingOf(target: string, model: string): string {
  return `${target.slice(0, target.indexOf('/'))}/${model}`;
}

function readTier(written: NonNullable<TargetPrices['tiers']>[string]): TierPrice {
  return typeof written === 'number' ? { times: written } : { rates: ratesOfPrices(written) };
}

/**
 * To millionths of a micro-dollar: cheap calls cost less than one, and must add up. Prices have decimals that doubles
 * do not have; this takes the trifle away that their sums and products are off.
 */
export function roundCost(microUsd: number): number {
  return Math.round(microUsd * 1e6) / 1e6;
}
