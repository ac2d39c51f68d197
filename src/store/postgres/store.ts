import type { Kysely } from 'kysely';
import pg from 'pg';
import { CALL_COLUMNS, type CallRow, type Database } from '../schema.ts';
import { RefusedRows, type Store } from '../store.ts';
import { addSumsSql, MS_PER_DAY, MS_PER_HOUR, sumCallsSql } from '../usage-sums.ts';

const COLUMNS = CALL_COLUMNS.map((column) => `"${column}"`).join(', ');

/**
 * One parameter and one round trip, however many rows: they come as JSON. What was not there yet is added to the sums in the same
 * statement. Everything is in order, so that two instances that write the same rows at once wait for each other and do
 * not lock each other out.
 */
const INSERT_CALLS = `with added as (
    insert into calls (${COLUMNS})
    select ${COLUMNS} from json_populate_recordset(null::calls, $1)
    order by started_at, id
    on conflict (started_at, id) do nothing
    returning *
  ), of_rollouts as (
    insert into rollout_calls (rollout, started_at, call)
    select split_part(rollout, '=', 1), started_at, id from added where rollout is not null
  ), added_by_hour as (
    ${addSumsSql('usage_by_hour', sumCallsSql(MS_PER_HOUR, 'added'))}
  )
  ${addSumsSql('usage_by_day', sumCallsSql(MS_PER_DAY, 'added'))}`;

export class PostgresStore implements Store {
  readonly db: Kysely<Database>;
  readonly unsummedCalls = null;
  /** Of its own, so that records do not wait for readers. */
  readonly #writer: pg.Pool;

  constructor(db: Kysely<Database>, writer: pg.Pool) {
    this.db = db;
    this.#writer = writer;
  }

  /** One statement: all of it is there or nothing. Written again after a commit that was not confirmed, it adds nothing. */
  async insertCalls(rows: readonly CallRow[]): Promise<void> {
    try {
      await this.#writer.query(INSERT_CALLS, [encodeRows(rows)]);
    } catch (error) {
      throw isRefusal(error) ? new RefusedRows(error) : error;
    }
  }

  async close(): Promise<void> {
    await this.#writer.end();
    await this.db.destroy();
  }
}

/** SQLSTATEs of what a value is to blame for: class 22 (data exception) and 23 (integrity constraint violation). */
function isRefusal(error: unknown): boolean {
  return error instanceof pg.DatabaseError && /^2[23]/.test(error.code ?? '');
}

/** PostgreSQL's JSON refuses what its texts cannot hold: U+0000 and halves of surrogate pairs. */
function encodeRows(rows: readonly CallRow[]): string {
  const json = JSON.stringify(rows);
  return json.includes('\\u') ? JSON.stringify(rows, toStorable) : json;
}

function toStorable(_key: string, value: unknown): unknown {
  return typeof value === 'string' ? value.toWellFormed().replaceAll('\0', '\ufffd') : value;
}
