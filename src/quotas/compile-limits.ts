import { compileGlob } from '../config/glob.ts';
import type { Config, LimitsConfig, TenantConfig } from '../config/resolve.ts';
import { appendAll } from '../conversation/append-all.ts';
import type { CounterBook } from './counters.ts';
import { Limit, type LimitKind, NANO_USD, type Scope } from './limit.ts';
import type { Period } from './period.ts';

const NONE: readonly Limit[] = [];

/** The limits of a tenant, found by its keys. */
export interface TenantLimits {
  /** Those that its configuration has. */
  readonly own: readonly Limit[];
  /** Of callers without limits of their own. */
  readonly ofAnyKey: CallerLimits | undefined;
  /** `undefined` where nothing that this key could call has a limit. */
  ofKey(key: string): CallerLimits | undefined;
}

/** The limits that the calls of one key meet. */
export class CallerLimits {
  readonly #own: readonly Limit[];
  readonly #onModels: TenantModelLimits | undefined;
  readonly #ofModels: ModelLimits;

  constructor(own: readonly Limit[], onModels: TenantModelLimits | undefined, ofModels: ModelLimits) {
    this.#own = own;
    this.#onModels = onModels;
    this.#ofModels = ofModels;
  }

  /** Those of a call to a model by its public name; without one, of a call about something else. */
  find(model: string | undefined): readonly Limit[] {
    if (model === undefined) return this.#own;
    const onModel = this.#onModels?.find(model) ?? NONE;
    const ofModel = this.#ofModels.get(model) ?? NONE;
    if (onModel.length === 0 && ofModel.length === 0) return this.#own;
    return [...this.#own, ...onModel, ...ofModel];
  }
}

/** Names of models come from callers: no more are remembered of one tenant. */
const MAX_REMEMBERED = 200;

/** A tenant's limits on models by name or pattern; all entries that a name meets hold. */
class TenantModelLimits {
  readonly #entries: { matches: (model: string) => boolean; limits: Limit[] }[];
  readonly #remembered = new Map<string, readonly Limit[]>();

  constructor(entries: { pattern: string; limits: Limit[] }[]) {
    this.#entries = entries.map(({ pattern, limits }) => ({ matches: compileGlob(pattern), limits }));
  }

  find(model: string): readonly Limit[] {
    const known = this.#remembered.get(model);
    if (known) return known;
    const found = this.#entries.flatMap(({ matches, limits }) => (matches(model) ? limits : []));
    if (this.#remembered.size >= MAX_REMEMBERED) this.#remembered.clear();
    this.#remembered.set(model, found);
    return found;
  }
}

/** The limits on models themselves, by their names. */
export type ModelLimits = ReadonlyMap<string, readonly Limit[]>;

/** Counters that exist already are taken over, here and for tenants. */
export function compileModelLimits(models: Config['models'], counters: CounterBook): ModelLimits {
  const ofModels = new Map<string, readonly Limit[]>();
  for (const [model, { limits }] of Object.entries(models)) {
    const compiled = compileLimits(limits, { kind: 'model', model }, counters);
    if (compiled.length > 0) ofModels.set(model, compiled);
  }
  return ofModels;
}

/** The limits that a tenant and its keys have, and those of models on their calls. */
export function compileTenantLimits(
  tenant: string,
  { limits, modelLimits, keys }: Pick<TenantConfig, 'limits' | 'modelLimits' | 'keys'>,
  ofModels: ModelLimits,
  counters: CounterBook,
): TenantLimits {
  const ofTenant = compileLimits(limits, { kind: 'tenant', tenant }, counters);
  const own = [...ofTenant];
  const entries = Object.entries(modelLimits ?? {}).map(([pattern, written]) => ({
    pattern,
    limits: compileLimits(written, { kind: 'tenant_model', tenant, models: pattern }, counters),
  }));
  for (const entry of entries) appendAll(own, entry.limits);
  const onModels = entries.length > 0 ? new TenantModelLimits(entries) : undefined;
  const hasAny = ofTenant.length > 0 || onModels !== undefined || ofModels.size > 0;
  // Keys without limits of their own share these.
  const ofAnyKey = hasAny ? new CallerLimits(ofTenant, onModels, ofModels) : undefined;
  const ofKeys = new Map<string, CallerLimits>();
  for (const { name: key, limits: ofKey } of keys) {
    const compiled = compileLimits(ofKey, { kind: 'key', tenant, key }, counters);
    if (compiled.length === 0) continue;
    appendAll(own, compiled);
    ofKeys.set(key, new CallerLimits([...compiled, ...ofTenant], onModels, ofModels));
  }
  return { own, ofAnyKey, ofKey: (key) => ofKeys.get(key) ?? ofAnyKey };
}

function compileLimits(config: LimitsConfig | undefined, scope: Scope, counters: CounterBook): Limit[] {
  if (!config) return [];
  return listLimits(config).map(({ kind, max, period }) => new Limit(kind, scope, max, period, counters));
}

interface WrittenLimit {
  kind: LimitKind;
  max: number;
  period?: Period;
}

function listLimits({
  requestsPerMinute,
  tokensPerMinute,
  concurrentCalls,
  budgets = [],
}: LimitsConfig): WrittenLimit[] {
  const written: WrittenLimit[] = [];
  if (requestsPerMinute !== undefined) written.push({ kind: 'requests', max: requestsPerMinute });
  if (tokensPerMinute !== undefined) written.push({ kind: 'tokens', max: tokensPerMinute });
  if (concurrentCalls !== undefined) written.push({ kind: 'concurrent', max: concurrentCalls });
  for (const { usd, tokens, per } of budgets) {
    if (usd !== undefined) written.push({ kind: 'usdBudget', max: Math.round(usd * NANO_USD), period: per });
    if (tokens !== undefined) written.push({ kind: 'tokenBudget', max: tokens, period: per });
  }
  return budgets.length > 1 ? withoutLooser(written) : written;
}

/** Of two budgets of one kind and period the smaller one holds; both would count in one counter. */
function withoutLooser(written: WrittenLimit[]): WrittenLimit[] {
  const tightest = new Map<string, WrittenLimit>();
  for (const limit of written) {
    const kind = `${limit.kind}:${limit.period}`;
    const known = tightest.get(kind);
    if (!known || limit.max < known.max) tightest.set(kind, limit);
  }
  return [...tightest.values()];
}
