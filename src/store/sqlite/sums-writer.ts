import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { CallRow, UsageSumRow } from '../schema.ts';
import { addSumsSql, CallSums, MS_PER_DAY, MS_PER_HOUR, SUM_COLUMNS, sumCallsSql } from '../usage-sums.ts';

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
const SUMMED_UP_TO = 'update usage_summed set summed_to = ?';

/**
 * Brings the tables of sums up to the calls. How far they are stands in the database and moves with them, in one transaction: whatever
 * is killed when, queries are right.
 */
export class SumsWriter {
  readonly #database: DatabaseSync;
  readonly #mostUnsummed: number;
  readonly #sums: AddSums;
  /** Of the calls that this process inserted since the tables held those up to `#summedTo`. */
  #waiting = new CallSums();
  #summedTo: number;

  constructor(database: DatabaseSync, mostUnsummed = MOST_UNSUMMED) {
    this.#mostUnsummed = mostUnsummed;
    this.#database = database;
    this.#summedTo = readUnsummed(database).from;
    this.#sums = new AddSums(database);
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
      if (from === this.#summedTo && to - from === waiting.calls) this.#sums.add(waiting.rows());
      else sumFromCalls(database, this.#sums, from, to);
      database.prepare(SUMMED_UP_TO).run(to);
      database.exec('commit');
      this.#summedTo = to;
    } catch (error) {
      if (database.isTransaction) database.exec('rollback');
      throw error;
    }
  }
}

/** Sums what a process that was killed left unsummed. Inside a transaction of the caller. */
export function sumWhatIsLeft(database: DatabaseSync): void {
  const { from, to } = readUnsummed(database);
  if (to === from) return;
  sumFromCalls(database, new AddSums(database), from, to);
  database.prepare(SUMMED_UP_TO).run(to);
}

/** Adds sums by hour to both tables. */
class AddSums {
  readonly #toHour: StatementSync;
  readonly #toDay: StatementSync;

  constructor(database: DatabaseSync) {
    const values = `values (${SUM_COLUMNS.map(() => '?').join(', ')})`;
    this.#toHour = database.prepare(addSumsSql('usage_by_hour', values));
    this.#toDay = database.prepare(addSumsSql('usage_by_day', values));
  }

  add(sums: Iterable<UsageSumRow>): void {
    for (const sum of sums) {
      this.#toHour.run(...SUM_COLUMNS.map((column) => sum[column]));
      sum.span -= sum.span % MS_PER_DAY;
      this.#toDay.run(...SUM_COLUMNS.map((column) => sum[column]));
    }
  }
}

function readUnsummed(database: DatabaseSync): { from: number; to: number } {
  const from = Number(database.prepare(SUMMED_TO).get()?.['summed_to']);
  const last = database.prepare('select max(rowid) as last from calls').get()?.['last'];
  return { from, to: Math.max(from, Number(last ?? 0)) };
}

function sumFromCalls(database: DatabaseSync, sums: AddSums, from: number, to: number): void {
  const source = 'calls not indexed where rowid > ? and rowid <= ?';
  const read = database.prepare(sumCallsSql(MS_PER_HOUR, source));
  for (let start = from; start < to; start += MOST_SUMMED_AT_ONCE) {
    const rows = read.all(start, Math.min(to, start + MOST_SUMMED_AT_ONCE));
    sums.add(rows as unknown as UsageSumRow[]);
  }
}
