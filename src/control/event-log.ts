import { type JsonObject, type JsonValue, tryParseJson } from '../conversation/json.ts';
import { GrowingIds } from '../store/growing-ids.ts';
import type { EventRow } from '../store/schema.ts';
import type { Store } from '../store/store.ts';

export interface Event {
  id: string;
  /** Unix milliseconds. */
  createdAt: number;
  kind: string;
  severity: EventRow['severity'];
  message: string;
  details: JsonValue;
}

/** Runs a task once after a delay; the function given back calls it off. */
export type Schedule = (task: () => void, delayMs: number) => () => void;

export interface EventLogOptions {
  store: Pick<Store, 'db'>;
  /** Unix milliseconds. */
  now: () => number;
  /** Viewers read events: they hold no secret, whoever quotes one. */
  redact<T extends JsonValue>(value: T): T;
  schedule: Schedule;
  /** Who is to be sent events, and notes that in the transaction that one is written in. */
  outbox?: {
    note(db: Store['db'], event: EventRow): Promise<void>;
    /** An event was written. */
    wake(): void;
  };
  /** The store takes no events: told once, until it does. `lost`: events that are in the log alone. */
  onFailure: (error: unknown, lost: number) => void;
}

/** What waits for a store that is away; some hundred kilobytes. */
const MOST_PENDING = 1_000;
const RETRY_MS = 5_000;

/** What happened that an operator may want to know of, in the store: all instances share it. */
export class EventLog {
  readonly #db: Store['db'];
  readonly #options: EventLogOptions;
  readonly #ids: GrowingIds;
  readonly #pending: EventRow[] = [];
  #lost = 0;
  #writing: Promise<void> | undefined;
  #isFailing = false;
  #cancelRetry: (() => void) | undefined;

  constructor(options: EventLogOptions) {
    this.#db = options.store.db;
    this.#options = options;
    this.#ids = new GrowingIds(options.now);
  }

  /** Notes an event; it is written later, in order. */
  note(kind: string, severity: Event['severity'], message: string, details: JsonObject = {}): void {
    if (this.#pending.length >= MOST_PENDING) {
      this.#lost += 1;
      return;
    }
    const { now, redact } = this.#options;
    this.#pending.push({
      id: this.#ids.next(),
      created_at: now(),
      kind,
      severity,
      message: redact(message),
      details: JSON.stringify(redact(details)),
    });
    // While the store fails it is asked now and then.
    if (!this.#cancelRetry) void this.flush();
  }

  /** Newest first; those before the event `before`. One more than `limit` where there are more. What was noted here is among them. */
  async list(before: string | undefined, limit: number): Promise<Event[]> {
    await this.flush();
    let query = this.#options.store.db.selectFrom('events').selectAll();
    if (before !== undefined) query = query.where('id', '<', before);
    const rows = await query
      .orderBy('id', 'desc')
      .limit(limit + 1)
      .execute();
    return rows.map(({ created_at, details, ...row }) => ({
      ...row,
      createdAt: Number(created_at),
      details: tryParseJson(details) ?? null,
    }));
  }

  /** Resolves when what was noted so far is written, or could not be. */
  flush(): Promise<void> {
    if (this.#pending.length === 0) return Promise.resolve();
    this.#writing ??= this.#write();
    return this.#writing;
  }

  /** Writes what it can; what is left then is in the log alone. */
  async close(): Promise<void> {
    await this.flush();
    this.#cancelRetry?.();
    const left = this.#pending.length + this.#lost;
    if (left > 0) this.#options.onFailure(new Error('the store is away'), left);
  }

  /** Never rejects. There is something to write when it is called, so that it does not end before it is known to have begun. */
  async #write(): Promise<void> {
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
    try {
      for (let row = this.#pending[0]; row; row = this.#pending[0]) {
        await this.#insert(row);
        this.#pending.shift();
      }
      this.#isFailing = false;
    } catch (error) {
      if (!this.#isFailing) this.#options.onFailure(error, this.#lost);
      this.#isFailing = true;
      this.#cancelRetry = this.#options.schedule(() => void this.flush(), RETRY_MS);
    }
    this.#writing = undefined;
  }

  async #insert(event: EventRow): Promise<void> {
    const { outbox } = this.#options;
    if (!outbox) {
      await insertEvent(this.#db, event);
      return;
    }
    await this.#db.transaction().execute(async (db) => {
      if (await insertEvent(db, event)) await outbox.note(db, event);
    });
    outbox.wake();
  }
}

/** Gives whether it was not there: a commit whose confirmation was lost may have brought it. */
async function insertEvent(db: Store['db'], event: EventRow): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('events')
    .values(event)
    .onConflict((conflict) => conflict.column('id').doNothing())
    .executeTakeFirst();
  return numInsertedOrUpdatedRows === 1n;
}
