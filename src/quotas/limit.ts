import type { Counter, CounterBook } from './counters.ts';
import type { Period } from './period.ts';

/** What a limit counts, in whole numbers: calls, tokens, or billionths of a dollar. */
export type Measure = 'calls' | 'tokens' | 'nanoUsd';

/** On whom a limit is. */
export type Scope =
  | { kind: 'tenant'; tenant: string }
  | { kind: 'key'; tenant: string; key: string }
  /** `models`: a name or a pattern. */
  | { kind: 'tenant_model'; tenant: string; models: string }
  | { kind: 'model'; model: string }
  /** `prompts`: a name or a pattern. */
  | { kind: 'tenant_prompt'; tenant: string; prompts: string }
  | { kind: 'prompt'; prompt: string };

/** Whether it is on calls of all tenants together: what it leaves would tell one of the others. */
export function isShared(scope: Scope): scope is Extract<Scope, { kind: 'model' | 'prompt' }> {
  return scope.kind === 'model' || scope.kind === 'prompt';
}

/** Each kind of limit: what it counts of a call, and how it is counted. */
export const LIMIT_KINDS = {
  requests: { measure: 'calls', counts: 'window' },
  tokens: { measure: 'tokens', counts: 'window' },
  concurrent: { measure: 'calls', counts: 'slots' },
  tokenBudget: { measure: 'tokens', counts: 'budget' },
  usdBudget: { measure: 'nanoUsd', counts: 'budget' },
} as const satisfies Record<string, { measure: Measure; counts: 'window' | 'slots' | 'budget' }>;

export type LimitKind = keyof typeof LIMIT_KINDS;

/** One limit, compiled. There may be many of them, and most are never met: its name and its counter are made when it is. */
export class Limit {
  readonly kind: LimitKind;
  readonly measure: Measure;
  readonly scope: Scope;
  /** In the unit of its measure. */
  readonly max: number;
  /** Of budgets. */
  readonly period: Period | undefined;
  readonly #book: CounterBook;
  #id: string | undefined;
  #counter: Counter | undefined;

  constructor(kind: LimitKind, scope: Scope, max: number, period: Period | undefined, book: CounterBook) {
    this.kind = kind;
    this.measure = LIMIT_KINDS[kind].measure;
    this.scope = scope;
    this.max = max;
    this.period = period;
    this.#book = book;
  }

  /** Names its counter, whatever the limit is set to: `tenant:acme|usdBudget:month`. */
  get id(): string {
    this.#id ??= `${nameScope(this.scope, this.#book)}|${this.kind}${this.period ? `:${this.period}` : ''}`;
    return this.#id;
  }

  /** In this process. */
  get counter(): Counter {
    this.#counter ??= this.#book.get(this.id, this.kind, this.period);
    return this.#counter;
  }

  /** The counter, where there is one already. */
  get knownCounter(): Counter | undefined {
    return this.#counter ?? this.#book.find(this.id);
  }
}

/** Names hold no `/` and no `#`, but those of prompts and patterns do: they stand last. */
function nameScope(scope: Scope, book: CounterBook): string {
  if (scope.kind === 'model') return `model:${scope.model}`;
  if (scope.kind === 'prompt') return `prompt:${scope.prompt}`;
  const life = book.lifeOf(scope.tenant);
  const tenant = life === 0 ? scope.tenant : `${scope.tenant}#${life}`;
  switch (scope.kind) {
    case 'tenant':
      return `tenant:${tenant}`;
    case 'key':
      return `key:${tenant}/${scope.key}`;
    case 'tenant_model':
      return `tenant_model:${tenant}/${scope.models}`;
    case 'tenant_prompt':
      return `tenant_prompt:${tenant}/${scope.prompts}`;
  }
}

/** What a call takes of each measure. */
export interface Demand {
  readonly calls: 1;
  tokens: number;
  nanoUsd: number;
  /** It can cost something: a count, or a free call about a file, takes nothing of tokens and money, however spent they are. */
  readonly costs: boolean;
  /** What has to be left of tokens and money beside what is taken, in multiples of that: 0 but for bounds that had better be counted. */
  readonly spare: number;
}

/** What a limit has to leave when a call has taken of it. */
export function spareOf({ measure }: Limit, demand: Demand): number {
  return measure === 'calls' ? 0 : demand[measure] * demand.spare;
}

export const NANO_USD = 1e9;

/** Nano-dollars of micro-dollars, rounded up so that what is reserved is never less than what it stands for. */
export function reservedNanoUsd(microUsd: number): number {
  return Math.ceil(microUsd * 1000 - 1e-6);
}

/** Nano-dollars that were spent. */
export function spentNanoUsd(microUsd: number): number {
  return Math.round(microUsd * 1000);
}
