import type { Store } from '../store/store.ts';
import { type Schedule, scheduleTimeout } from '../usage/ledger.ts';
import type { KeptResponse, ResponseOwner } from './kept-response.ts';
import { fromResponseRow, toResponseRow } from './response-row.ts';

/** What an operator has to know. Each deserves a line in the log at the level of errors. */
export type ArchiveProblem =
  /** The responses wait and are tried again; `null` where it was the last time, and they are lost. */
  | { kind: 'write_failed'; error: unknown; pendingResponses: number; retryInMs: number | null }
  /** There was no room to keep it until the store works again. */
  | { kind: 'response_lost'; id: string }
  | { kind: 'sweep_failed'; error: unknown };

export interface ArchiveOptions {
  store: Pick<Store, 'db'>;
  onProblem: (problem: ArchiveProblem) => void;
  /** Unix milliseconds. */
  now: () => number;
  schedule?: Schedule;
  /** How many responses are kept in memory while the store fails. */
  maxPending?: number;
}

/** As many are written in one statement: they may be large, and other calls wait for it. */
const BATCH_SIZE = 20;
const MAX_PENDING = 1_000;
const FIRST_RETRY_MS = 100;
const LONGEST_RETRY_MS = 30_000;
const CLOSE_ATTEMPTS = 3;
/** How often what has expired is deleted; nobody gets it from its very moment on. */
const SWEEP_MS = 10 * 60_000;
const SWEEP_ROWS = 500;

/** What may be done at once is done behind what this turn of the event loop brings: its answers share one commit. */
const scheduleSoon: Schedule = (task, delayMs) => {
  if (delayMs > 0) return scheduleTimeout(task, delayMs);
  const immediate = setImmediate(task);
  return () => clearImmediate(immediate);
};

/**
 * The responses that clients may go on from. One that was handed over is found at once: it waits in memory until the
 * store has it, which is in the next turn of the event loop unless the store fails. A store that fails is tried again,
 * with growing pauses.
 */
export class ResponseArchive {
  readonly #db: Store['db'];
  readonly #onProblem: ArchiveOptions['onProblem'];
  readonly #now: () => number;
  readonly #schedule: Schedule;
  readonly #maxPending: number;
  /** By owner and id, oldest first. */
  readonly #pending = new Map<string, KeptResponse>();
  #writing: Promise<void> | undefined;
  #cancelWrite: (() => void) | undefined;
  #cancelSweep: (() => void) | undefined;
  #sweeping: Promise<void> | undefined;
  #failuresInARow = 0;
  #closed = false;

  constructor(options: ArchiveOptions) {
    this.#db = options.store.db;
    this.#onProblem = options.onProblem;
    this.#now = options.now;
    this.#schedule = options.schedule ?? scheduleSoon;
    this.#maxPending = options.maxPending ?? MAX_PENDING;
    this.#sweepAfter(0);
  }

  /** Takes a response; it is found from here on. One of the same owner and id is replaced. */
  keep(kept: KeptResponse): void {
    if (this.#closed || this.#pending.size >= this.#maxPending) {
      this.#onProblem({ kind: 'response_lost', id: kept.id });
      return;
    }
    this.#pending.set(keyOf(kept, kept.id), kept);
    if (!this.#writing && !this.#cancelWrite) this.#writeAfter(0);
  }

  /** A tenant's response; `undefined` where it has none of this id, or it has expired. Rejects where the store fails. */
  async find(owner: ResponseOwner, id: string): Promise<KeptResponse | undefined> {
    const pending = this.#pending.get(keyOf(owner, id));
    const kept = pending ?? (await this.#read(owner, id));
    return kept && kept.expiresAt > this.#now() ? kept : undefined;
  }

  /** Forgets a tenant's response. Rejects where the store fails. */
  async remove(owner: ResponseOwner, id: string): Promise<void> {
    this.#pending.delete(keyOf(owner, id));
    // What is being written now would come back behind the deletion; whether it succeeds does not matter here.
    await this.#writing?.catch(() => undefined);
    const { tenant, life } = owner;
    await this.#db
      .deleteFrom('responses')
      .where('tenant', '=', tenant)
      .where('life', '=', life)
      .where('id', '=', id)
      .execute();
  }

  /** Takes nothing more and writes what is left. What the store refuses even then is reported. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelWrite?.();
    this.#cancelSweep?.();
    await this.#sweeping;
    let failures = 0;
    while (this.#pending.size > 0) {
      try {
        await this.#writeBatch();
      } catch (error) {
        failures += 1;
        const retryInMs = failures === CLOSE_ATTEMPTS ? null : this.#retryDelayMs();
        this.#report(error, retryInMs);
        if (retryInMs === null) return;
        await new Promise<void>((resolve) => this.#schedule(resolve, retryInMs));
      }
    }
  }

  async #read({ tenant, life }: ResponseOwner, id: string): Promise<KeptResponse | undefined> {
    const row = await this.#db
      .selectFrom('responses')
      .selectAll()
      .where('tenant', '=', tenant)
      .where('life', '=', life)
      .where('id', '=', id)
      .executeTakeFirst();
    return row && fromResponseRow(row);
  }

  #writeAfter(delayMs: number): void {
    this.#cancelWrite = this.#schedule(() => {
      this.#cancelWrite = undefined;
      void this.#write();
    }, delayMs);
  }

  /** Writes a batch and sets the timer for what is left. Never rejects. */
  async #write(): Promise<void> {
    let delayMs = 0;
    try {
      await this.#writeBatch();
    } catch (error) {
      delayMs = this.#retryDelayMs();
      this.#report(error, delayMs);
    }
    if (this.#pending.size > 0 && !this.#closed && !this.#cancelWrite) this.#writeAfter(delayMs);
  }

  #writeBatch(): Promise<void> {
    this.#writing ??= this.#insertOldest().finally(() => {
      this.#writing = undefined;
    });
    return this.#writing;
  }

  async #insertOldest(): Promise<void> {
    const batch = [...this.#pending].slice(0, BATCH_SIZE);
    if (batch.length === 0) return;
    try {
      await this.#db
        .insertInto('responses')
        .values(batch.map(([, kept]) => toResponseRow(kept)))
        .onConflict((conflict) =>
          conflict.columns(['tenant', 'life', 'id']).doUpdateSet((row) => ({
            key: row.ref('excluded.key'),
            created_at: row.ref('excluded.created_at'),
            expires_at: row.ref('excluded.expires_at'),
            target: row.ref('excluded.target'),
            account: row.ref('excluded.account'),
            input: row.ref('excluded.input'),
            response: row.ref('excluded.response'),
          })),
        )
        .execute();
    } catch (error) {
      this.#failuresInARow += 1;
      throw error;
    }
    this.#failuresInARow = 0;
    // Unless it was replaced or removed meanwhile.
    for (const [key, kept] of batch) if (this.#pending.get(key) === kept) this.#pending.delete(key);
  }

  #sweepAfter(delayMs: number): void {
    this.#cancelSweep = this.#schedule(() => {
      this.#sweeping = this.#sweep();
    }, delayMs);
  }

  /** Deletes what has expired. Never rejects. */
  async #sweep(): Promise<void> {
    let delayMs = SWEEP_MS;
    try {
      const deleted = await this.#deleteExpired();
      if (deleted === SWEEP_ROWS) delayMs = 0;
    } catch (error) {
      this.#onProblem({ kind: 'sweep_failed', error });
    }
    if (!this.#closed) this.#sweepAfter(delayMs);
  }

  /** The oldest rows only, so that nobody waits long. @returns how many they were */
  async #deleteExpired(): Promise<number> {
    const expired = await this.#db
      .selectFrom('responses')
      .select('expires_at')
      .where('expires_at', '<=', this.#now())
      .orderBy('expires_at')
      .limit(SWEEP_ROWS)
      .execute();
    const last = expired.at(-1);
    if (last) await this.#db.deleteFrom('responses').where('expires_at', '<=', last.expires_at).execute();
    return expired.length;
  }

  #report(error: unknown, retryInMs: number | null): void {
    this.#onProblem({ kind: 'write_failed', error, pendingResponses: this.#pending.size, retryInMs });
  }

  #retryDelayMs(): number {
    return Math.min(FIRST_RETRY_MS * 2 ** this.#failuresInARow, LONGEST_RETRY_MS);
  }
}

function keyOf({ tenant, life }: ResponseOwner, id: string): string {
  return JSON.stringify([tenant, life, id]);
}
