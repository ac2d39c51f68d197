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

/** An event that is not written yet. `once`: only where nothing was told under this key; `takesBack`: only where something was. */
interface Pending {
  row: EventRow;
  once?: string;
  takesBack?: string;
}

/** What waits for a store that is away; some hundred kilobytes. */
const MOST_PENDING = 1_000;
const RETRY_MS = 5_000;

/** What happened that an operator may want to know of, in the store: all instances share it. */
export class EventLog {
  readonly #db: Store['db'];
  readonly #options: EventLogOptions;
  readonly #ids: GrowingIds;
  readonly #pending: Pending[] = [];
  #lost = 0;
  #writing: Promise<void> | undefined;
  #isFailing = false;
  #cancelRetry: (() => void) | undefined;

  constructor(options: EventLogOptions) {
    this.#db = options.store.db;
    this.#options = options;
    this.#ids = new GrowingIds(options.now);
  }

  /**
   * Notes an event; it is written later, in order. `by`: a key that says whether, over all instances and starts: `once` under it, or
   * to take back what was told `once` (`told_once` has the keys).
   */
  note(
    kind: string,
    severity: Event['severity'],
    message: string,
    details: JsonObject = {},
    by: Omit<Pending, 'row'> = {},
  ): void {
    if (this.#pending.length >= MOST_PENDING) {
      this.#lost += 1;
      return;
    }
    const { now, redact } = this.#options;
    const row: EventRow = {
      id: this.#ids.next(),
      created_at: now(),
      kind,
      severity,
      message: redact(message),
      details: JSON.stringify(redact(details)),
    };
    this.#pending.push({ row, ...by });
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
      for (let next = this.#pending[0]; next; next = this.#pending[0]) {
        await this.#insert(next);
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

  /** The keys under which something was told once, and not taken back, that begin so; without that beginning. */
  async toldUnder(prefix: string): Promise<string[]> {
    const rows = await this.#db.selectFrom('told_once').select('key').execute();
    return rows.flatMap(({ key }) => (key.startsWith(prefix) ? [key.slice(prefix.length)] : []));
  }

  async #insert({ row, once, takesBack }: Pending): Promise<void> {
    const { outbox } = this.#options;
    if (!outbox && once === undefined && takesBack === undefined) {
      await insertEvent(this.#db, row);
      return;
    }
    await this.#db.transaction().execute(async (db) => {
      if (once !== undefined && !(await claimKey(db, once, row.created_at))) return;
      if (takesBack !== undefined && !(await forgetKey(db, takesBack))) return;
      if (await insertEvent(db, row)) await outbox?.note(db, row);
    });
    outbox?.wake();
  }
}

/** Gives whether nothing was told under the key. */
export async function claimKey(db: Store['db'], key: string, toldAt: number): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('told_once')
    .values({ key, told_at: toldAt })
    .onConflict((conflict) => conflict.column('key').doNothing())
    .executeTakeFirst();
  return numInsertedOrUpdatedRows === 1n;
}

async function forgetKey(db: Store['db'], key: string): Promise<boolean> {
  const { numDeletedRows } = await db.deleteFrom('told_once').where('key', '=', key).executeTakeFirst();
  return numDeletedRows === 1n;
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
