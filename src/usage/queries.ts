import { type ExpressionBuilder, type SelectQueryBuilder, sql } from 'kysely';
import type { ErrorKind } from '../conversation/gateway-error.ts';
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
import { fromCallRow, mapTokens, TOKEN_COLUMNS, type TokenCounts } from './call-row.ts';
import type { CallCursor } from './cursor.ts';
import { roundCost } from './prices.ts';
import type { UsageRecord } from './record.ts';
import { splitPeriod } from './spans.ts';

/** Which calls are meant: those that meet every filter given. */
export interface CallFilters {
  /** Unix milliseconds; the first that count. */
  from?: number;
  /** Unix milliseconds; the first that do not count any more. */
  to?: number;
  tenant?: string;
  key?: string;
  model?: string;
  target?: string;
  /** `failed` is everything but `ok`. */
  outcome?: 'ok' | 'failed' | ErrorKind;
}

export const GROUPINGS = ['tenant', 'key', 'model', 'target', 'day'] as const;
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
  /** The day (UTC) on which the calls began, `YYYY-MM-DD`. */
  day?: string;
  calls: number;
  failed: number;
  tokens: TokenCounts;
  /** Of the calls whose cost is known; `null` where it is of none. */
  costMicroUsd: number | null;
  /** Calls that a provider may bill and whose cost is not known: what `costMicroUsd` lacks. */
  unpricedCalls: number;
}

/** The columns that sums are added up from, of single calls and of the tables of sums. */
type Addend = Omit<UsageSumRow, 'span'> & { day: number };

/** Sums of the calls that meet the filters, in the order of their groups. A key's sum names its tenant too. */
export async function sumUsage(store: Store, query: UsageQuery): Promise<UsageSum[]> {
  const groupings = completeGroupings(query.groupBy);
  const rows = await selectSums(store, query, groupings).execute();
  return rows.map((row) => {
    const sum: UsageSum = {
      calls: row.calls,
      failed: row.failed,
      tokens: mapTokens((kind) => row[TOKEN_COLUMNS[kind]]),
      costMicroUsd: row.priced_calls === 0 ? null : roundCost(row.cost_micro_usd),
      unpricedCalls: row.unpriced_calls,
    };
    for (const grouping of groupings) {
      if (grouping === 'day') sum.day = new Date(row.day).toISOString().slice(0, 10);
      else sum[grouping] = decodeName(row[grouping]);
    }
    return sum;
  });
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
    parts.push(...whole.map((period) => selectFromCalls(select(), { ...query, ...period }, groupings)));
  }
  const [first, ...others] = parts;
  if (!first) throw new Error('a period has no parts');
  const all = others.reduce((union, part) => union.unionAll(part), first);
  let select = store.db
    .selectFrom(all.as('parts'))
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
  let select = store.db
    .selectFrom(table)
    .select(names)
    .select(['calls', sql<number>`case when ${FAILED} then calls else 0 end`.as('failed'), ...ADDED])
    .where((sums) => meetFilters(sums, 'span', filters, encodeName));
  if (groupings.includes('day')) select = select.select(startOfDay('span'));
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
function completeGroupings(groupBy: readonly Grouping[]): Grouping[] {
  return [
    ...new Set(groupBy.flatMap((grouping) => (grouping === 'key' ? (['tenant', 'key'] as const) : grouping))),
  ];
}

export interface CallsQuery extends CallFilters {
  limit: number;
  /** Where the page before this one ended. */
  cursor?: CallCursor;
}

export interface CallPage {
  /** Newest first. */
  calls: UsageRecord[];
  /** What to ask for the calls before these; `null` where there are none. */
  nextCursor: CallCursor | null;
}

/**
 * A page of the calls that meet the filters, newest first. The place in the list is a call, not a number, so calls
 * that are written meanwhile neither shift a page nor come twice.
 */
export async function listCalls(store: Store, query: CallsQuery): Promise<CallPage> {
  const rows = await selectCalls(store, query).execute();
  const calls = rows.slice(0, query.limit).map(fromCallRow);
  const last = calls.at(-1);
  const more = rows.length > query.limit;
  return { calls, nextCursor: more && last ? { startedAt: last.startedAt, id: last.id } : null };
}

/** The query behind `listCalls`: the rows of a page, and one more that tells whether there is a next page. */
export function selectCalls(store: Store, query: CallsQuery) {
  const { limit, cursor } = query;
  const select = store.db
    .selectFrom('calls')
    .selectAll()
    .where((calls) => meetFilters(calls, 'started_at', query, (name) => name))
    .orderBy('started_at', 'desc')
    .orderBy('id', 'desc')
    .limit(limit + 1);
  if (!cursor) return select;
  return select.where(({ eb, refTuple, tuple }) =>
    eb(refTuple('started_at', 'id'), '<', tuple(cursor.startedAt, cursor.id)),
  );
}

/** `write`: a name as the table has it. */
function meetFilters<Table extends 'calls' | keyof typeof SUM_TABLES>(
  builder: ExpressionBuilder<Database, Table>,
  time: 'started_at' | 'span',
  filters: CallFilters,
  write: (name: string) => string,
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
  if (outcome === 'failed') conditions.push(row('outcome', '<>', 'ok'));
  else if (outcome !== undefined) conditions.push(row('outcome', '=', outcome));
  return row.and(conditions);
}
