import { type ExpressionBuilder, type SqlBool, sql } from 'kysely';

import type { Database } from '../store/schema.ts';
import type { SUM_TABLES } from '../store/usage-sums.ts';
import type { CallOutcome } from './record.ts';
import type { RolloutNote } from './rollout-note.ts';

/** Which calls are meant: those that meet every filter given. */
export interface CallFilters {
  /** Unix milliseconds; the first that count. */
  from?: number | undefined;
  /** Unix milliseconds; the first that do not count any more. */
  to?: number | undefined;
  tenant?: string;
  key?: string;
  model?: string;
  target?: string;
  /** As usage names it; `standard` for calls of none. */
  tier?: string;
  /** `NAME`: of all its versions; `NAME@VERSION` of one. */
  prompt?: string;
  /** `failed` is everything but `ok`. */
  outcome?: 'failed' | CallOutcome;
}

/** Of calls alone: their sums know nothing of rollouts. */
export interface RolloutFilters {
  /** Calls that it had a say in. */
  rollout?: string;
  /** Of that rollout. */
  side?: RolloutNote['side'];
}

/** What the tier of calls is called that are of none. No tier has this name (`dialects/tiers.ts`). */
export const STANDARD_TIER = 'standard';

/** `write`: a name as the table has it. */
export function meetFilters<Table extends 'calls' | keyof typeof SUM_TABLES>(
  builder: ExpressionBuilder<Database, Table>,
  time: 'started_at' | 'span',
  filters: CallFilters & RolloutFilters,
  write: (name: string | null) => string | null,
) {
  const { from, to, outcome } = filters;
  const row = builder as unknown as ExpressionBuilder<Database, 'calls'>;
  const began = sql<number>`${sql.ref(time)}`;
  const conditions = [];
  if (from !== undefined) conditions.push(row(began, '>=', from));
  if (to !== undefined) conditions.push(row(began, '<', to));
  for (const column of ['tenant', 'key', 'model', 'target'] as const) {
    const wanted = filters[column];
    if (wanted !== undefined) conditions.push(row(column, '=', write(wanted)));
  }
  if (filters.tier !== undefined) {
    const wanted = write(filters.tier === STANDARD_TIER ? null : filters.tier);
    conditions.push(wanted === null ? row('tier', 'is', null) : row('tier', '=', wanted));
  }
  if (filters.prompt !== undefined) {
    const wanted = write(filters.prompt) ?? '';
    const isWhole = row('prompt', '=', wanted);
    const start = `${wanted}@`;
    const isVersion = sql<SqlBool>`substr(prompt, 1, ${sql.lit(start.length)}) = ${start}`;
    conditions.push(row.or([isWhole, isVersion]));
  }
  if (time === 'started_at' && filters.rollout !== undefined) {
    // What a note begins with, as `writeRolloutNote` has it.
    const start = `${filters.rollout}=${filters.side ?? ''}`;
    conditions.push(sql<SqlBool>`substr(rollout, 1, ${sql.lit(start.length)}) = ${start}`);
  }
  if (outcome === 'failed') conditions.push(row('outcome', '<>', 'ok'));
  else if (outcome !== undefined) conditions.push(row('outcome', '=', outcome));
  return row.and(conditions);
}
