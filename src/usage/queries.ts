import { type ExpressionBuilder, type RawBuilder, sql } from 'kysely';
import type { Database } from '../store/schema.ts';
import type { Store } from '../store/store.ts';
import { fromCallRow, mapTokens, TOKEN_COLUMNS, type TokenCounts } from './call-row.ts';
import type { CallCursor } from './cursor.ts';
import { roundCost } from './prices.ts';
import type { CallOutcome, UsageRecord } from './record.ts';

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
  outcome?: 'failed' | CallOutcome;
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

const MS_PER_DAY = 86_400_000;

const GROUP_COLUMNS = {
  tenant: sql<string | null>`${sql.ref('tenant')}`.as('tenant'),
  key: sql<string | null>`${sql.ref('key')}`.as('key'),
  model: sql<string | null>`${sql.ref('model')}`.as('model'),
  target: sql<string | null>`${sql.ref('target')}`.as('target'),
  // Days since 1970: integers divided give an integer.
  day: sql<number>`${sql.ref('started_at')} / ${sql.lit(MS_PER_DAY)}`.as('day'),
};

/** Sums of the calls that meet the filters, in the order of their groups. A key's sum names its tenant too. */
export async function sumUsage(store: Store, query: UsageQuery): Promise<UsageSum[]> {
  const groupings = completeGroupings(query.groupBy);
  let select = store.db
    .selectFrom('calls')
    .where((calls) => meetFilters(calls, query))
    .select(groupings.map((grouping) => GROUP_COLUMNS[grouping]))
    .select((calls) => [
      calls.fn.countAll<number>().as('calls'),
      countWhere(sql`outcome <> 'ok'`).as('failed'),
      countWhere(sql`cost_micro_usd is null and (outcome = 'ok' or input_tokens is not null)`).as('unpriced'),
      calls.fn.sum<number | null>('cost_micro_usd').as('cost_micro_usd'),
      ...Object.values(TOKEN_COLUMNS).map((column) =>
        sql<number>`coalesce(sum(${sql.ref(column)}), 0)`.as(column),
      ),
    ]);
  for (const grouping of groupings) select = select.groupBy(grouping).orderBy(grouping);
  const rows = await select.execute();
  return rows.map((row) => {
    const sum: UsageSum = {
      calls: row.calls,
      failed: row.failed,
      tokens: mapTokens((kind) => row[TOKEN_COLUMNS[kind]]),
      costMicroUsd: row.cost_micro_usd === null ? null : roundCost(row.cost_micro_usd),
      unpricedCalls: row.unpriced,
    };
    for (const grouping of groupings) {
      if (grouping === 'day') sum.day = new Date(row.day * MS_PER_DAY).toISOString().slice(0, 10);
      else sum[grouping] = row[grouping];
    }
    return sum;
  });
}

/** Two tenants may both have a key `app`: their sums are kept apart. */
function completeGroupings(groupBy: readonly Grouping[]): Grouping[] {
  return [
    ...new Set(groupBy.flatMap((grouping) => (grouping === 'key' ? (['tenant', 'key'] as const) : grouping))),
  ];
}

function countWhere(condition: RawBuilder<unknown>): RawBuilder<number> {
  return sql<number>`count(case when ${condition} then 1 end)`;
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
    .where((calls) => meetFilters(calls, query))
    .orderBy('started_at', 'desc')
    .orderBy('id', 'desc')
    .limit(limit + 1);
  if (!cursor) return select;
  return select.where(({ eb, refTuple, tuple }) =>
    eb(refTuple('started_at', 'id'), '<', tuple(cursor.startedAt, cursor.id)),
  );
}

function meetFilters(calls: ExpressionBuilder<Database, 'calls'>, filters: CallFilters) {
  const { from, to, outcome } = filters;
  const conditions = [];
  if (from !== undefined) conditions.push(calls('started_at', '>=', from));
  if (to !== undefined) conditions.push(calls('started_at', '<', to));
  for (const column of ['tenant', 'key', 'model', 'target'] as const) {
    const wanted = filters[column];
    if (wanted !== undefined) conditions.push(calls(column, '=', wanted));
  }
  if (outcome === 'failed') conditions.push(calls('outcome', '<>', 'ok'));
  else if (outcome !== undefined) conditions.push(calls('outcome', '=', outcome));
  return calls.and(conditions);
}
