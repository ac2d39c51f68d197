import type { AliasedExpression, Kysely } from 'kysely';
import type { CallRow, Database } from './schema.ts';

/**
 * One database. To add a kind of database is to add a folder that fills this interface, and a line in `open.ts`.
 * Queries are written once, against `db`; what must be fast or differs between databases is a method.
 */
export interface Store {
  readonly db: Kysely<Database>;
  /** Adds the calls (by start and id) that are not there yet: all of them, or none and it rejects (`RefusedRows`, or the store fails). */
  insertCalls(rows: readonly CallRow[]): Promise<void>;
  /** The calls that the tables of sums do not hold yet, to be selected from; null where they always hold all. */
  readonly unsummedCalls: AliasedExpression<CallRow, 'calls'> | null;
  close(): Promise<void>;
}

/** The database works, and refuses for ever what one of the rows holds. */
export class RefusedRows extends Error {
  constructor(cause: unknown) {
    super(`the database refuses a row: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

export interface OpenOptions {
  /** Asked before a database of an earlier version is changed: where it rejects, nothing is, and that is what opening rejects with. */
  beforeUpgrade?: (db: Kysely<Database>) => Promise<void>;
  /** Reads beside a running gateway; the database must exist and be of this version. */
  readOnly?: boolean;
  /** SQLite: how many calls may wait for their sums (`sqlite/sums-writer.ts`). */
  mostUnsummed?: number;
  /** What relative paths start from; the process's working directory where absent. */
  cwd?: string;
}
