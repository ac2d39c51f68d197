import { type SelectQueryBuilder, sql } from 'kysely';
import { dayOf } from '../config/days.ts';
import type { Database, UsageSumRow } from '../store/schema.ts';
import type { Store } from '../store/store.ts';
import {
  ADDEND_SQL,
  decodeName,
  encodedNameSql,
  encodeName,
  MS_PER_DAY,
  SUM_NUMBERS,
  type SUM_TABLES,
} from '../store/usage-sums.ts';
import { mapTokens, TOKEN_COLUMNS, type TokenCounts } from './call-row.ts';
import { type CallFilters, meetFilters } from './filters.ts';
import { roundCost } from './prices.ts';
import { splitPeriod } from './spans.ts';

export const GROUPINGS = ['tenant', 'key', 'model', 'target', 'tier', 'prompt', 'side', 'day'] as const;
export type Grouping = (typeof GROUPINGS)[number];

export interface UsageQuery extends CallFilters {
  /** Empty: one sum of everything. */
  groupBy: readonly Grouping[];
}

/** A sum over calls, named by what they have in common. `null` is a group too: calls without a key, a target, … */
export interface UsageSum {
  tenant?: string | null;
  key?: string | null;
  model?: string | null;
  target?: string | null;
  /** `null`: the standard one. */
  tier?: string | null;
  /** `NAME` or `NAME@VERSION`; `null`: calls of no prompt. */
  prompt?: string | null;
  /** `ROLLOUT=stable`, `candidate`, `copy` or `judge`; `null`: calls that no rollout learned from. */
  side?: string | null;
  /** The day (UTC) on which the calls began, `YYYY-MM-DD`. */
  day?: string;
  calls: number;
  failed: number;
  tokens: TokenCounts;
  /** Of the calls whose cost is known; `null` where it is of none. */
  costMicroUsd: number | null;
  /** Calls that a provider may bill and whose cost is not known: what `costMicroUsd` lacks. */
  unpricedCalls: number;
  /** Calls that were answered with an earlier answer of their prompt, and what asking again would have cost; absent where there are none. */
  cachedCalls?: number;
  savedMicroUsd?: number;
}

/** The columns that sums are added up from, of single calls and of the tables of sums. */
type Addend = Omit<UsageSumRow, 'span'> & { day: number };

/** Sums of the calls that meet the filters, in the order of their groups. A key's sum names its tenant too. */
export async function sumUsage(store: Store, query: UsageQuery): Promise<UsageSum[]> {
  const groupings = completeGroupings(query.groupBy);
  return readSums(await selectSums(store, query, groupings).execute(), groupings);
}

/** Where the calls of a tenant begin that count. */
export interface TenantStart {
  tenant: string;
  /** Unix milliseconds. */
  from: number;
}

/** Sums of the calls of some tenants by key, model and prompt, of each from a moment of its own up to one. Of the calls themselves: for short periods. */
export async function sumTenantsFrom(
  store: Store,
  starts: readonly TenantStart[],
  to: number | undefined,
): Promise<UsageSum[]> {
  const groupings = ['tenant', 'key', 'model', 'prompt'] as const;
  const calls = store.db
    .selectFrom('calls')
    .where(({ or, and, eb }) =>
      or(starts.map(({ tenant, from }) => and([eb('tenant', '=', tenant), eb('started_at', '>=', from)]))),
    );
  const parts = selectFromCalls(calls as SelectQueryBuilder<Database, 'calls', object>, { to }, groupings);
  return readSums(await addUp(store, parts, groupings).execute(), groupings);
}

function readSums(
  rows: readonly (Addend & { failed: number })[],
  groupings: readonly Grouping[],
): UsageSum[] {
  return rows.map((row) => {
    const sum: UsageSum = {
      calls: row.calls,
      failed: row.failed,
      tokens: mapTokens((kind) => row[TOKEN_COLUMNS[kind]]),
      costMicroUsd: row.priced_calls === 0 ? null : roundCost(row.cost_micro_usd),
      unpricedCalls: row.unpriced_calls,
    };
    if (row.cached_calls > 0) {
      sum.cachedCalls = row.cached_calls;
      sum.savedMicroUsd = roundCost(row.saved_micro_usd);
    }
    for (const grouping of groupings) {
      if (grouping === 'day') sum.day = dayOf(row.day);
      else sum[grouping] = decodeName(row[grouping]);
    }
    return sum;
  });
}

/** When the first call began that there is a record or a sum of; `undefined` where there is none. */
export async function firstCallMs(store: Store): Promise<number | undefined> {
  const { min } = store.db.fn;
  const call = await store.db.selectFrom('calls').select(min('started_at').as('at')).executeTakeFirst();
  const sum = await store.db.selectFrom('usage_by_day').select(min('span').as('at')).executeTakeFirst();
  const ats = [call?.at, sum?.at].filter((at) => at !== null && at !== undefined).map(Number);
  return ats.length > 0 ? ats.reduce((first, at) => Math.min(first, at)) : undefined;
}

/**
 * The query behind `sumUsage`: whole days and hours from the tables of sums, the edges of the period and what is not summed yet from
 * the calls themselves. One statement, so that no call is summed between two of its parts.
 */
export function selectSums(store: Store, query: UsageQuery, groupings: readonly Grouping[]) {
  const { days, hours, rest } = splitPeriod(query);
  const whole = [...days, ...hours];
  const parts = [
    ...days.map((period) => selectFromTable(store, 'usage_by_day', { ...query, ...period }, groupings)),
    ...hours.map((period) => selectFromTable(store, 'usage_by_hour', { ...query, ...period }, groupings)),
    ...rest.map((period) =>
      selectFromCalls(store.db.selectFrom('calls'), { ...query, ...period }, groupings),
    ),
  ];
  const { unsummedCalls } = store;
  if (unsummedCalls !== null) {
    const select = () =>
      store.db.selectFrom(unsummedCalls) as unknown as SelectQueryBuilder<Database, 'calls', object>;
    for (const period of whole) parts.push(selectFromCalls(select(), { ...query, ...period }, groupings));
  }
  const [first, ...others] = parts;
  if (!first) throw new Error('a period has no parts');
  const all = others.reduce((union, part) => union.unionAll(part), first);
  return addUp(store, all, groupings);
}

function addUp(
  store: Store,
  parts: SelectQueryBuilder<Database, never, Addend>,
  groupings: readonly Grouping[],
) {
  let select = store.db
    .selectFrom(parts.as('parts'))
    .select(groupings)
    .select(
      ['calls', 'failed', ...ADDED].map((column) =>
        sql<number>`coalesce(sum(${sql.ref(column)}), 0)`.as(column),
      ),
    );
  for (const grouping of groupings) select = select.groupBy(grouping).orderBy(grouping);
  return select as unknown as SelectQueryBuilder<Database, never, Addend & { failed: number }>;
}

const ADDED = SUM_NUMBERS.filter((number) => number !== 'calls');

const FAILED = sql`outcome <> 'ok'`;

function selectFromTable(
  store: Store,
  table: keyof typeof SUM_TABLES,
  filters: CallFilters,
  groupings: readonly Grouping[],
) {
  const names = groupings.filter((grouping) => grouping !== 'day');
  if (table === 'usage_by_day' && names.length === 0 && groupings.length > 0)
    return selectDays(store, filters);
  let select = store.db
    .selectFrom(table)
    .select(names)
    .select(['calls', sql<number>`case when ${FAILED} then calls else 0 end`.as('failed'), ...ADDED])
    .where((sums) => meetFilters(sums, 'span', filters, encodeName));
  if (groupings.includes('day')) select = select.select(startOfDay('span'));
  return select as unknown as SelectQueryBuilder<Database, never, Addend>;
}

/** By nothing but days: they are the order of the table, so that what is a sort of all rows otherwise is one pass over them. */
function selectDays(store: Store, filters: CallFilters) {
  const select = store.db
    .selectFrom('usage_by_day')
    .select([
      sql<number>`sum(calls)`.as('calls'),
      sql<number>`sum(case when ${FAILED} then calls else 0 end)`.as('failed'),
      ...ADDED.map((number) => sql<number>`sum(${sql.ref(number)})`.as(number)),
      'span as day',
    ])
    .where((sums) => meetFilters(sums, 'span', filters, encodeName))
    .groupBy('span');
  return select as unknown as SelectQueryBuilder<Database, never, Addend>;
}

function selectFromCalls(
  calls: SelectQueryBuilder<Database, 'calls', object>,
  filters: CallFilters,
  groupings: readonly Grouping[],
) {
  const names = groupings.filter((grouping) => grouping !== 'day');
  let select = calls
    .select(names.map((name) => sql<string>`${sql.raw(encodedNameSql(name))}`.as(name)))
    .select([
      sql<number>`1`.as('calls'),
      sql<number>`case when ${FAILED} then 1 else 0 end`.as('failed'),
      ...ADDED.map((number) => sql<number>`${sql.raw(ADDEND_SQL[number])}`.as(number)),
    ])
    .where((call) => meetFilters(call, 'started_at', filters, (name) => name));
  if (groupings.includes('day')) select = select.select(startOfDay('started_at'));
  return select as unknown as SelectQueryBuilder<Database, never, Addend>;
}

function startOfDay(column: 'span' | 'started_at') {
  return sql<number>`${sql.ref(column)} - ${sql.ref(column)} % ${sql.lit(MS_PER_DAY)}`.as('day');
}

/** Two tenants may both have a key `app`: their sums are kept apart. */
export function completeGroupings(groupBy: readonly Grouping[]): Grouping[] {
  return [
    ...new Set(groupBy.flatMap((grouping) => (grouping === 'key' ? (['tenant', 'key'] as const) : grouping))),
  ];
}
