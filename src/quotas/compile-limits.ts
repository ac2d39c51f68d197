import { compileGlob } from '../config/glob.ts';
import type { Config, LimitsConfig, TenantConfig } from '../config/resolve.ts';
import { appendAll } from '../conversation/append-all.ts';
import { promptNameOf } from '../usage/record.ts';
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
  readonly #named: TenantNamedLimits;
  readonly #shared: SharedLimits;

  constructor(own: readonly Limit[], named: TenantNamedLimits, shared: SharedLimits) {
    this.#own = own;
    this.#named = named;
    this.#shared = shared;
  }

  /**
   * Those of a call to a model by its public name; without one, of a call about something else. `prompt`: the one that it is of, `NAME` or
   * `NAME@VERSION`.
   */
  find(model: string | undefined, prompt?: string): readonly Limit[] {
    if (prompt !== undefined) return [...this.find(model), ...this.#findPrompt(promptNameOf(prompt))];
    if (model === undefined) return this.#own;
    const onModel = this.#named.onModels?.find(model) ?? NONE;
    const ofModel = this.#shared.ofModels.get(model) ?? NONE;
    if (onModel.length === 0 && ofModel.length === 0) return this.#own;
    return [...this.#own, ...onModel, ...ofModel];
  }

  #findPrompt(name: string): readonly Limit[] {
    return [...(this.#named.onPrompts?.find(name) ?? NONE), ...(this.#shared.ofPrompts.get(name) ?? NONE)];
  }
}

/** What a tenant has on models and prompts by name or pattern. */
interface TenantNamedLimits {
  onModels: LimitsByPattern | undefined;
  onPrompts: LimitsByPattern | undefined;
}

/** Names come from callers: no more are remembered of one tenant. */
const MAX_REMEMBERED = 200;

/** Limits by name or pattern; all entries that a name meets hold. */
class LimitsByPattern {
  readonly #entries: { matches: (name: string) => boolean; limits: Limit[] }[];
  readonly #remembered = new Map<string, readonly Limit[]>();

  constructor(entries: { pattern: string; limits: Limit[] }[]) {
    this.#entries = entries.map(({ pattern, limits }) => ({ matches: compileGlob(pattern), limits }));
  }

  find(name: string): readonly Limit[] {
    const known = this.#remembered.get(name);
    if (known) return known;
    const found = this.#entries.flatMap(({ matches, limits }) => (matches(name) ? limits : []));
    if (this.#remembered.size >= MAX_REMEMBERED) this.#remembered.clear();
    this.#remembered.set(name, found);
    return found;
  }
}

/** The limits on models and prompts themselves, by their names: all tenants meet them together. */
export interface SharedLimits {
  readonly ofModels: ReadonlyMap<string, readonly Limit[]>;
  readonly ofPrompts: ReadonlyMap<string, readonly Limit[]>;
}

type SharedConfig = Pick<Config, 'models' | 'prompts'>;

export const NO_SHARED_LIMITS: SharedLimits = { ofModels: new Map(), ofPrompts: new Map() };

/** What the configuration says of them. */
export function listSharedLimits({ models, prompts }: SharedConfig): [Scope, LimitsConfig | undefined][] {
  return [
    ...Object.entries(models).map(([model, { limits }]): [Scope, typeof limits] => [
      { kind: 'model', model },
      limits,
    ]),
    ...Object.entries(prompts?.limits ?? {}).map(([prompt, limits]): [Scope, typeof limits] => [
      { kind: 'prompt', prompt },
      limits,
    ]),
  ];
}

/** Counters that exist already are taken over, here and for tenants. */
export function compileSharedLimits(config: SharedConfig, counters: CounterBook): SharedLimits {
  const ofModels = new Map<string, readonly Limit[]>();
  const ofPrompts = new Map<string, readonly Limit[]>();
  for (const [scope, limits] of listSharedLimits(config)) {
    const compiled = compileLimits(limits, scope, counters);
    if (compiled.length === 0) continue;
    if (scope.kind === 'model') ofModels.set(scope.model, compiled);
    if (scope.kind === 'prompt') ofPrompts.set(scope.prompt, compiled);
  }
  return { ofModels, ofPrompts };
}

/** The limits that a tenant and its keys have, and those that they share with others. */
export function compileTenantLimits(
  tenant: string,
  {
    limits,
    modelLimits,
    promptLimits,
    keys,
  }: Pick<TenantConfig, 'limits' | 'modelLimits' | 'promptLimits' | 'keys'>,
  shared: SharedLimits,
  counters: CounterBook,
): TenantLimits {
  const ofTenant = compileLimits(limits, { kind: 'tenant', tenant }, counters);
  const own = [...ofTenant];
  const byPattern = (
    written: Readonly<Record<string, LimitsConfig>> | undefined,
    scopeOf: (pattern: string) => Scope,
  ): LimitsByPattern | undefined => {
    const entries = Object.entries(written ?? {}).map(([pattern, config]) => ({
      pattern,
      limits: compileLimits(config, scopeOf(pattern), counters),
    }));
    for (const entry of entries) appendAll(own, entry.limits);
    return entries.length > 0 ? new LimitsByPattern(entries) : undefined;
  };
  const named: TenantNamedLimits = {
    onModels: byPattern(modelLimits, (models) => ({ kind: 'tenant_model', tenant, models })),
    onPrompts: byPattern(promptLimits, (prompts) => ({ kind: 'tenant_prompt', tenant, prompts })),
  };
  const hasShared = shared.ofModels.size > 0 || shared.ofPrompts.size > 0;
  const hasAny = own.length > 0 || hasShared;
  // Keys without limits of their own share these.
  const ofAnyKey = hasAny ? new CallerLimits(ofTenant, named, shared) : undefined;
  const ofKeys = new Map<string, CallerLimits>();
  for (const { name: key, limits: ofKey } of keys) {
    const compiled = compileLimits(ofKey, { kind: 'key', tenant, key }, counters);
    if (compiled.length === 0) continue;
    appendAll(own, compiled);
    ofKeys.set(key, new CallerLimits([...compiled, ...ofTenant], named, shared));
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
