import { compileGlob } from '../config/glob.ts';
import type { Config, LimitsConfig } from '../config/resolve.ts';
import { appendAll } from '../conversation/append-all.ts';
import type { CounterBook } from './counters.ts';
import { Limit, type LimitKind, NANO_USD, type Scope } from './limit.ts';
import type { Period } from './period.ts';

const NONE: readonly Limit[] = [];

/** The limits of a configuration, found by who calls what. */
export interface LimitBook {
  /** `undefined` where nothing that this key could call has a limit. */
  ofKey(tenant: string, key: string): CallerLimits | undefined;
  /** Every limit that there is. */
  readonly all: readonly Limit[];
}

/** The limits that the calls of one key meet. */
export class CallerLimits {
  readonly #own: readonly Limit[];
  readonly #onModels: TenantModelLimits | undefined;
  readonly #ofModels: ReadonlyMap<string, readonly Limit[]>;

  constructor(
    own: readonly Limit[],
    onModels: TenantModelLimits | undefined,
    ofModels: ReadonlyMap<string, readonly Limit[]>,
  ) {
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

/** Compiles the limits of a configuration. Counters that exist already are taken over. */
export function compileLimits(
  { tenants, models }: Pick<Config, 'tenants' | 'models'>,
  counters: CounterBook,
): LimitBook {
  const all: Limit[] = [];
  const compile = (config: LimitsConfig | undefined, scope: Scope): Limit[] => {
    const limits = config
      ? listLimits(config).map(({ kind, max, period }) => new Limit(kind, scope, max, period, counters))
      : [];
    appendAll(all, limits);
    return limits;
  };
  const ofModels = new Map<string, readonly Limit[]>();
  for (const [model, { limits }] of Object.entries(models)) {
    const compiled = compile(limits, { kind: 'model', model });
    if (compiled.length > 0) ofModels.set(model, compiled);
  }
  // Of a key without limits of its own, or of none at all, these are shared.
  const ofAnyone = ofModels.size > 0 ? new CallerLimits(NONE, undefined, ofModels) : undefined;
  const ofTenants = new Map<string, CallerLimits>();
  const ofKeys = new Map<string, Map<string, CallerLimits>>();
  for (const [tenant, { limits, modelLimits, keys }] of Object.entries(tenants)) {
    const ofTenant = compile(limits, { kind: 'tenant', tenant });
    const entries = Object.entries(modelLimits ?? {}).map(([pattern, written]) => ({
      pattern,
      limits: compile(written, { kind: 'tenant_model', tenant, models: pattern }),
    }));
    const onModels = entries.length > 0 ? new TenantModelLimits(entries) : undefined;
    if (ofTenant.length > 0 || onModels)
      ofTenants.set(tenant, new CallerLimits(ofTenant, onModels, ofModels));
    const own = new Map<string, CallerLimits>();
    for (const { name: key, limits: ofKey } of keys) {
      const compiled = compile(ofKey, { kind: 'key', tenant, key });
      if (compiled.length > 0) own.set(key, new CallerLimits([...compiled, ...ofTenant], onModels, ofModels));
    }
    if (own.size > 0) ofKeys.set(tenant, own);
  }
  return {
    all,
    ofKey: (tenant, key) => ofKeys.get(tenant)?.get(key) ?? ofTenants.get(tenant) ?? ofAnyone,
  };
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
