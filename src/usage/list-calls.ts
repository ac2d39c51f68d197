import { setImmediate } from 'node:timers/promises';
import { type SelectQueryBuilder, sql } from 'kysely';
import { appendAll } from '../conversation/append-all.ts';
import type { CallRow, Database } from '../store/schema.ts';
import type { Store } from '../store/store.ts';
import { encodeName, MS_PER_DAY, MS_PER_HOUR, type SUM_TABLES } from '../store/usage-sums.ts';
import { fromCallRow } from './call-row.ts';
import type { CallCursor } from './cursor.ts';
import { type CallFilters, meetFilters, type RolloutFilters } from './filters.ts';
import type { UsageRecord } from './record.ts';

export interface CallsQuery extends CallFilters, RolloutFilters {
  limit: number;
  /** Where the page before this one ended. */
  cursor?: CallCursor | undefined;
}

export interface CallPage {
  /** Newest first. May be fewer than asked for, also where there are more. */
  calls: UsageRecord[];
  /** What to ask for the calls before these; `null` where there are none. */
  nextCursor: CallCursor | null;
}

/** For one page no more than so many hours are searched for calls that are rare: it ends where they do. */
const MOST_HOURS = 24;
/** Days are looked for so many at a time, newest first: most pages need one. */
const DAYS_AT_A_TIME = 4;

const UNCHANGED = (name: string | null) => name;

/**
 * A page of the calls that meet the filters, newest first. The place in the list is a call, not a number, so calls
 * that are written meanwhile neither shift a page nor come twice.
 */
export async function listCalls(store: Store, query: CallsQuery): Promise<CallPage> {
  const { key, model, target, tier, prompt, outcome, rollout } = query;
  // An index has the calls in order, and a tenant's.
  const isIndexed = [key, model, target, tier, prompt, outcome, rollout].every(
    (filter) => filter === undefined,
  );
  const wanted = query.limit + 1;
  const found = isIndexed
    ? { rows: await selectCalls(store, { ...query, limit: wanted }).execute(), searchedTo: null }
    : await searchCalls(store, query, wanted);
  const calls = found.rows.slice(0, query.limit).map(fromCallRow);
  const last = calls.at(-1);
  if (found.rows.length > query.limit && last) {
    return { calls, nextCursor: { startedAt: last.startedAt, id: last.id } };
  }
  return { calls, nextCursor: found.searchedTo === null ? null : { startedAt: found.searchedTo, id: '' } };
}

const EXPORT_PAGE = 500;

/** All calls that meet the filters, newest first, page by page as they are asked for. What is written meanwhile may be missing. */
export async function* listAllCalls(
  store: Store,
  filters: CallFilters & RolloutFilters,
): AsyncGenerator<UsageRecord[]> {
  let cursor: CallCursor | null | undefined;
  while (cursor !== null) {
    const page: CallPage = await listCalls(store, {
      ...filters,
      limit: EXPORT_PAGE,
      ...(cursor && { cursor }),
    });
    yield page.calls;
    cursor = page.nextCursor;
  }
}

/** The query behind `listCalls`: calls that meet the filters, newest first, from the cursor on. */
export function selectCalls(store: Store, query: CallsQuery) {
  const select = store.db
    .selectFrom('calls')
    .selectAll()
    .where((calls) => meetFilters(calls, 'started_at', query, UNCHANGED))
    .orderBy('started_at', 'desc')
    .orderBy('id', 'desc')
    .limit(query.limit);
  const { cursor } = query;
  if (!cursor) return select;
  return select.where(({ eb, refTuple, tuple }) =>
    eb(refTuple('started_at', 'id'), '<', tuple(cursor.startedAt, cursor.id)),
  );
}

/**
 * Calls that no index finds. The tables of sums tell in which hours there are any, and only those are read.
 *
 * @returns `searchedTo`: before which moment nothing was looked for; null where all was
 */
async function searchCalls(
  store: Store,
  query: CallsQuery,
  wanted: number,
): Promise<{ rows: CallRow[]; searchedTo: number | null }> {
  const rows: CallRow[] = [];
  let hoursLeft = MOST_HOURS;
  let before = Math.min(query.to ?? Number.MAX_SAFE_INTEGER, beginOf(query.cursor));
  for (;;) {
    const days = await findSpans(store, 'usage_by_day', MS_PER_DAY, { ...query, to: before }, DAYS_AT_A_TIME);
    for (const day of days) {
      const ofDay = {
        ...query,
        from: Math.max(day, query.from ?? day),
        to: Math.min(before, day + MS_PER_DAY),
      };
      for (const hour of await findSpans(store, 'usage_by_hour', MS_PER_HOUR, ofDay, 24)) {
        if (hoursLeft === 0) return { rows, searchedTo: before };
        hoursLeft -= 1;
        const ofHour = { from: Math.max(hour, ofDay.from), to: Math.min(ofDay.to, hour + MS_PER_HOUR) };
        const found = await selectCalls(store, {
          ...query,
          ...ofHour,
          limit: wanted - rows.length,
        }).execute();
        appendAll(rows, found);
        if (rows.length >= wanted) return { rows, searchedTo: before };
        before = hour;
        // SQLite reads on the thread that serves calls: they have their turn between two hours.
        await setImmediate();
      }
      before = Math.min(before, day);
    }
    if (days.length < DAYS_AT_A_TIME) return { rows, searchedTo: null };
  }
}

/** Before which moment the calls behind a cursor began. Its own moment may hold more, unless it is where a search ended. */
function beginOf(cursor: CallCursor | undefined): number {
  if (!cursor) return Number.MAX_SAFE_INTEGER;
  return cursor.id === '' ? cursor.startedAt : cursor.startedAt + 1;
}

/** The newest hours or days of a period that have calls which meet the filters, newest first, each by its first moment. */
async function findSpans(
  store: Store,
  table: keyof typeof SUM_TABLES,
  spanMs: number,
  query: CallsQuery,
  most: number,
): Promise<number[]> {
  const { from, to } = query;
  // The span in which the period begins counts, too.
  const began = { ...query, from: from === undefined ? undefined : from - (from % spanMs) };
  const summed = await store.db
    .selectFrom(table)
    .select('span')
    .where((sums) => meetFilters(sums, 'span', began, encodeName))
    .groupBy('span')
    .orderBy('span', 'desc')
    .limit(most)
    .execute();
  const spans = new Set(summed.map(({ span }) => span));
  if (store.unsummedCalls !== null) {
    const calls = store.db.selectFrom(store.unsummedCalls) as unknown as SelectQueryBuilder<
      Database,
      'calls',
      object
    >;
    const span = sql<number>`started_at - started_at % ${sql.lit(spanMs)}`;
    const unsummed = await calls
      .select(span.as('span'))
      .distinct()
      .where((call) => meetFilters(call, 'started_at', { ...query, from, to }, UNCHANGED))
      .orderBy('span', 'desc')
      .limit(most)
      .execute();
    for (const row of unsummed) spans.add(row.span);
  }
  return [...spans].toSorted((a, b) => b - a).slice(0, most);
}
