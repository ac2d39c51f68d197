import type { Counter } from './counters.ts';
import type { Period } from './period.ts';

/** What a limit counts, in whole numbers: calls, tokens, or billionths of a dollar. */
export type Measure = 'calls' | 'tokens' | 'nanoUsd';

/** On whom a limit is. */
export type Scope =
  | { kind: 'tenant'; tenant: string }
  | { kind: 'key'; tenant: string; key: string }
  /** `models`: a name or a pattern. */
  | { kind: 'tenant_model'; tenant: string; models: string }
  | { kind: 'model'; model: string };

/** Each kind of limit: what it counts of a call, and how it is counted. */
export const LIMIT_KINDS = {
  requests: { measure: 'calls', counts: 'window' },
  tokens: { measure: 'tokens', counts: 'window' },
  concurrent: { measure: 'calls', counts: 'slots' },
  tokenBudget: { measure: 'tokens', counts: 'budget' },
  usdBudget: { measure: 'nanoUsd', counts: 'budget' },
} as const satisfies Record<string, { measure: Measure; counts: 'window' | 'slots' | 'budget' }>;

export type LimitKind = keyof typeof LIMIT_KINDS;

/** One limit, compiled. */
export interface Limit {
  /** Names its counter, whatever the limit is set to: `tenant:acme|usdBudget:month`. */
  readonly id: string;
  readonly kind: LimitKind;
  readonly measure: Measure;
  readonly scope: Scope;
  /** In the unit of its measure. */
  readonly max: number;
  /** Of budgets. */
  readonly period: Period | undefined;
  /** In this process. */
  readonly counter: Counter;
}

/** What a call takes of each measure. */
export interface Demand {
  readonly calls: 1;
  tokens: number;
  nanoUsd: number;
  /** It can cost something: a count, or a free call about a file, takes nothing of tokens and money, however spent they are. */
  readonly costs: boolean;
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
