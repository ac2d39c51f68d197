import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { type Kysely, sql } from 'kysely';
import { rolloutOf } from '../rollouts.ts';
import { CALL_COLUMNS, type CallRow, type Database } from '../schema.ts';
import { RefusedRows, type Store } from '../store.ts';
import { SumsWriter, UNSUMMED_CALLS } from './sums-writer.ts';

/** Values that are 0 of most calls. Each that need not be bound saves 0.06 µs. The texts that most have none of go with them. */
const RARE_TEXTS: ReadonlySet<keyof CallRow> = new Set([
  ...(['tier', 'rollout', 'prompt', 'saved_tokens', 'saved_micro_usd', 'side'] as const),
]);
const RARELY_USED: ReadonlySet<keyof CallRow> = new Set([
  'input_audio_tokens',
  'cache_read_tokens',
  'cache_write_tokens',
  'cache_write_1h_tokens',
  'output_audio_tokens',
  'reasoning_tokens',
  'usage_estimated',
  'tier',
  'rollout',
  'prompt',
  'saved_tokens',
  'saved_micro_usd',
  'side',
]);

/**
 * Measured, CPU per row in batches of 500 with three indices and random ids: one prepared statement in one
 * transaction 10 to 14 µs, twenty rows to a statement 16 to 20, `insert … select … from json_each(?)` 24 to 29.
 * Ids that grow with time (UUIDv7) nearly halve it: the indices are then written at their ends only.
 */
const INSERT_CALL = writeInsert('?');
const INSERT_PLAIN_CALL = writeInsert('0');
const INSERT_ROLLOUT_CALL = 'insert into rollout_calls (rollout, started_at, call) values (?, ?, ?)';

/** `rare`: what stands for the values that are rarely used, behind all others. */
function writeInsert(rare: '?' | '0'): string {
  const plain = CALL_COLUMNS.filter((column) => !RARELY_USED.has(column));
  const columns = [...plain, ...RARELY_USED].map((column) => `"${column}"`);
  const rarely = [...RARELY_USED].map((column) => (rare === '0' && RARE_TEXTS.has(column) ? 'null' : rare));
  const values = [...plain.map(() => '?'), ...rarely];
  return `insert into calls (${columns.join(', ')}) values (${values.join(', ')})
    on conflict (started_at, id) do nothing`;
}

export class SqliteStore implements Store {
  readonly db: Kysely<Database>;
  readonly #database: DatabaseSync;
  readonly #insertCall: StatementSync;
  readonly #insertPlainCall: StatementSync;
  readonly #insertRolloutCall: StatementSync;
  readonly #sums: SumsWriter;
  readonly unsummedCalls = sql<CallRow>`${sql.raw(UNSUMMED_CALLS)}`.as<'calls'>(sql.ref('calls'));

  constructor(database: DatabaseSync, db: Kysely<Database>, mostUnsummed?: number) {
    this.#database = database;
    this.#insertCall = database.prepare(INSERT_CALL);
    this.#insertPlainCall = database.prepare(INSERT_PLAIN_CALL);
    this.#insertRolloutCall = database.prepare(INSERT_ROLLOUT_CALL);
    this.#sums = new SumsWriter(database, mostUnsummed);
    this.db = db;
  }

  insertCalls(rows: readonly CallRow[]): Promise<void> {
    // Through Kysely's queue: another transaction may be open on the one connection.
    return this.db.connection().execute(async () => this.#insertAll(rows));
  }

  #insertAll(rows: readonly CallRow[]): void {
    const added: CallRow[] = [];
    this.#database.exec('begin immediate');
    try {
      for (const row of rows) {
        if (!this.#insert(row)) continue;
        added.push(row);
        if (row.rollout !== null) this.#insertRolloutCall.run(rolloutOf(row.rollout), row.started_at, row.id);
      }
      this.#database.exec('commit');
    } catch (error) {
      // A full disk makes SQLite roll back by itself.
      if (this.#database.isTransaction) this.#database.exec('rollback');
      throw isRefusal(error) ? new RefusedRows(error) : error;
    }
    this.#sums.add(added);
  }

  /** Whether it was not there yet. */
  #insert(row: CallRow): boolean {
    const { changes } = isPlain(row)
      ? this.#insertPlainCall.run(...plainValues(row))
      : this.#insertCall.run(...plainValues(row), ...rareValues(row));
    return changes === 1;
  }

  close(): Promise<void> {
    return this.db.destroy();
  }
}

/** SQLite's result codes of what a value is to blame for: SQLITE_TOOBIG, SQLITE_CONSTRAINT, SQLITE_MISMATCH. */
const REFUSALS: ReadonlySet<unknown> = new Set([18, 19, 20]);

function isRefusal(error: unknown): boolean {
  // The lowest byte; those above it say more of the same.
  return (
    error instanceof Error &&
    'errcode' in error &&
    typeof error.errcode === 'number' &&
    REFUSALS.has(error.errcode & 0xff)
  );
}

/** In the order of `CALL_COLUMNS`, without those that are rarely used. Written out, because reading the columns by their names takes a microsecond a row. */
function plainValues(row: CallRow): (string | number | null)[] {
  return [
    row.id,
    row.started_at,
    row.tenant,
    row.key,
    row.dialect,
    row.operation,
    row.model,
    row.target,
    row.stream,
    row.input_tokens,
    row.output_tokens,
    row.cost_micro_usd,
    row.outcome,
    row.status,
    row.latency_ms,
    row.first_token_ms,
    row.attempts,
  ];
}

/** In the order of `RARELY_USED`. */
function rareValues(row: CallRow): (string | number | null)[] {
  return [
    row.input_audio_tokens,
    row.cache_read_tokens,
    row.cache_write_tokens,
    row.cache_write_1h_tokens,
    row.output_audio_tokens,
    row.reasoning_tokens,
    row.usage_estimated,
    row.tier,
    row.rollout,
    row.prompt,
    row.saved_tokens,
    row.saved_micro_usd,
    row.side,
  ];
}

/** Whether the values that are rarely used are all 0, and there is no tier and no prompt; those of a call without usage are null. */
function isPlain(row: CallRow): boolean {
  return (
    row.input_audio_tokens === 0 &&
    row.cache_read_tokens === 0 &&
    row.cache_write_tokens === 0 &&
    row.cache_write_1h_tokens === 0 &&
    row.output_audio_tokens === 0 &&
    row.reasoning_tokens === 0 &&
    row.usage_estimated === 0 &&
    row.tier === null &&
    row.rollout === null &&
    row.prompt === null
  );
}
