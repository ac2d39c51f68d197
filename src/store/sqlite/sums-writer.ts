import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { CallRow, UsageSumRow } from '../schema.ts';
import { addSumsSql, CallSums, MS_PER_DAY, SUM_COLUMNS, SUM_TABLES, sumCallsSql } from '../usage-sums.ts';

/**
 * How many calls may wait for their sums. A sum costs as much to write as a record, and where many tenants call many models every call
 * of a batch may belong to another: only over many batches they come together. Queries add what waits (`UNSUMMED_CALLS`), so
 * more would make them slow.
 */
const MOST_UNSUMMED = 20_000;

/** They are sorted in memory. */
const MOST_SUMMED_AT_ONCE = 100_000;

/** The calls whose sums are not in the tables: those behind the last that was summed. Other indices would only mislead. */
export const UNSUMMED_CALLS =
  '(select * from calls not indexed where rowid > (select summed_to from usage_summed))';

const SUMMED_TO = 'select summed_to from usage_summed';

/**
 * Brings the tables of sums up to the calls. How far they are stands in the database and moves with them, in one transaction: whatever
 * is killed when, queries are right.
 */
export class SumsWriter {
  readonly #database: DatabaseSync;
  readonly #mostUnsummed: number;
  readonly #addSums: StatementSync[];
  /** Of the calls that this process inserted since the tables held those up to `#summedTo`. */
  #waiting = new CallSums();
  #summedTo: number;

  constructor(database: DatabaseSync, mostUnsummed = MOST_UNSUMMED) {
    this.#mostUnsummed = mostUnsummed;
    this.#database = database;
    this.#summedTo = readUnsummed(database).from;
    const values = `values (${SUM_COLUMNS.map(() => '?').join(', ')})`;
    this.#addSums = [
      database.prepare(addSumsSql('usage_by_hour', values)),
      database.prepare(addSumsSql('usage_by_day', values)),
    ];
  }

  /** Calls that were inserted and committed. */
  add(rows: readonly CallRow[]): void {
    for (const row of rows) this.#waiting.add(row);
    if (this.#waiting.calls >= this.#mostUnsummed) this.#write();
  }

  #write(): void {
    const waiting = this.#waiting;
    this.#waiting = new CallSums();
    const database = this.#database;
    // The calls are there: should this fail they stay unsummed, which queries know, and the next time includes them.
    database.exec('begin immediate');
    try {
      const { from, to } = readUnsummed(database);
      // Rows are numbered without gaps. Where there are others among them (another process writes, too), all are read again.
      if (from === this.#summedTo && to - from === waiting.calls) this.#addAll(waiting.rows());
      else sumFromCalls(database, from, to);
      database.prepare('update usage_summed set summed_to = ?').run(to);
      database.exec('commit');
      this.#summedTo = to;
    } catch (error) {
      if (database.isTransaction) database.exec('rollback');
      throw error;
    }
  }

  #addAll(sums: Iterable<UsageSumRow>): void {
    const [addToHour, addToDay] = this.#addSums;
    for (const sum of sums) {
      addToHour?.run(...SUM_COLUMNS.map((column) => sum[column]));
      sum.span -= sum.span % MS_PER_DAY;
      addToDay?.run(...SUM_COLUMNS.map((column) => sum[column]));
    }
  }
}

/** Sums what a process that was killed left unsummed. Inside a transaction of the caller. */
export function sumWhatIsLeft(database: DatabaseSync): void {
  database.exec('create table if not exists usage_summed (summed_to integer not null)');
  database.exec('insert into usage_summed select 0 where not exists (select * from usage_summed)');
  const { from, to } = readUnsummed(database);
  if (to === from) return;
  sumFromCalls(database, from, to);
  database.prepare('update usage_summed set summed_to = ?').run(to);
}

function readUnsummed(database: DatabaseSync): { from: number; to: number } {
  const from = Number(database.prepare(SUMMED_TO).get()?.['summed_to']);
  const last = database.prepare('select max(rowid) as last from calls').get()?.['last'];
  return { from, to: Math.max(from, Number(last ?? 0)) };
}

function sumFromCalls(database: DatabaseSync, from: number, to: number): void {
  const statements = (Object.entries(SUM_TABLES) as [keyof typeof SUM_TABLES, number][]).map(
    ([table, spanMs]) => {
      // "where true" as SQLite's parser wants it before "on conflict".
      const sums = sumCallsSql(spanMs, 'calls not indexed where rowid > ? and rowid <= ?');
      return database.prepare(addSumsSql(table, `select * from (${sums}) where true`));
    },
  );
  for (let start = from; start < to; start += MOST_SUMMED_AT_ONCE) {
    for (const statement of statements) statement.run(start, Math.min(to, start + MOST_SUMMED_AT_ONCE));
  }
}
