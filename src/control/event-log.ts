import { randomUUIDv7 } from 'node:crypto';
import { type JsonObject, type JsonValue, tryParseJson } from '../conversation/json.ts';
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

/** What happened that an operator may want to know of, in the store: all instances share it. */
export class EventLog {
  readonly #db: Store['db'];
  readonly #now: () => number;
  readonly #onFailure: (error: unknown) => void;
  #writing: Promise<void> = Promise.resolve();

  constructor(store: Pick<Store, 'db'>, now: () => number, onFailure: (error: unknown) => void) {
    this.#db = store.db;
    this.#now = now;
    this.#onFailure = onFailure;
  }

  /** Notes an event; it is written later, in order. */
  note(kind: string, severity: Event['severity'], message: string, details: JsonObject = {}): void {
    const row: EventRow = {
      id: randomUUIDv7(),
      created_at: this.#now(),
      kind,
      severity,
      message,
      details: JSON.stringify(details),
    };
    this.#writing = this.#writing.then(async () => {
      await this.#db.insertInto('events').values(row).execute();
    });
    this.#writing = this.#writing.catch(this.#onFailure);
  }

  /** Newest first; those before the event `before`. One more than `limit` where there are more. What was noted here is among them. */
  async list(before: string | undefined, limit: number): Promise<Event[]> {
    await this.flush();
    let query = this.#db.selectFrom('events').selectAll();
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

  /** Resolves when what was noted so far is written. */
  flush(): Promise<void> {
    return this.#writing;
  }
}
