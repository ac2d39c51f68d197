import { sql } from 'kysely';
import type { JsonObject } from '../conversation/json.ts';
import type { ReleaseRow } from '../store/rollout-rows.ts';
import type { Store } from '../store/store.ts';
import { hashRelease, type NumberedRelease } from './release.ts';

/** A release of a model, as it is kept for good. */
export interface KeptRelease extends NumberedRelease {
  /** SHA-256 of what it is, in hex. */
  hash: string;
  /** Unix milliseconds. */
  firstSeen: number;
  /** The revision that was in force then. */
  revision: number;
}

/** Every release that a model has stood on or was to move to, numbered from 1 by model. None is ever changed or taken away. */
export class ReleaseStore {
  readonly #db: Store['db'];
  readonly #now: () => number;
  readonly #numbers = new Map<string, number>();

  /** `now`: Unix milliseconds. */
  constructor({ db }: Pick<Store, 'db'>, now: () => number) {
    this.#db = db;
    this.#now = now;
  }

  /** The number of a release, which is given one where it has none. */
  async numberOf(model: string, release: JsonObject, revision: number): Promise<number> {
    const hash = hashRelease(release);
    for (;;) {
      const known = this.#numbers.get(keyOf(model, hash)) ?? (await this.#find(model, hash));
      if (known !== undefined) {
        this.#numbers.set(keyOf(model, hash), known);
        return known;
      }
      await this.#add(model, hash, release, revision);
    }
  }

  /** The number of a release, where this instance has met it. */
  known(model: string, release: JsonObject): number | undefined {
    return this.#numbers.get(keyOf(model, hashRelease(release)));
  }

  /** Newest first, those before a number where one is given. One more than `limit` where there are more. */
  async list(model: string, before: number | undefined, limit: number): Promise<KeptRelease[]> {
    let query = this.#db.selectFrom('releases').selectAll().where('model', '=', model);
    if (before !== undefined) query = query.where('number', '<', before);
    const rows = await query
      .orderBy('number', 'desc')
      .limit(limit + 1)
      .execute();
    return rows.map(readRow);
  }

  async find(model: string, number: number): Promise<KeptRelease | undefined> {
    const row = await this.#db
      .selectFrom('releases')
      .selectAll()
      .where('model', '=', model)
      .where('number', '=', number)
      .executeTakeFirst();
    return row && readRow(row);
  }

  async #find(model: string, hash: string): Promise<number | undefined> {
    const row = await this.#db
      .selectFrom('releases')
      .select('number')
      .where('model', '=', model)
      .where('hash', '=', hash)
      .executeTakeFirst();
    return row && Number(row.number);
  }

  /** Under the next number. Where another instance is faster, nothing is added. */
  async #add(model: string, hash: string, release: JsonObject, revision: number): Promise<void> {
    const last = await this.#db
      .selectFrom('releases')
      .select(sql<number>`coalesce(max(number), 0)`.as('number'))
      .where('model', '=', model)
      .executeTakeFirstOrThrow();
    const row: ReleaseRow = {
      ...{ model, hash, revision, number: Number(last.number) + 1 },
      release: JSON.stringify(release),
      first_seen: this.#now(),
    };
    await this.#db
      .insertInto('releases')
      .values(row)
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }
}

function keyOf(model: string, hash: string): string {
  return `${model}\0${hash}`;
}

function readRow({ number, hash, release, first_seen, revision }: ReleaseRow): KeptRelease {
  return {
    number: Number(number),
    hash,
    release: JSON.parse(release) as JsonObject,
    firstSeen: Number(first_seen),
    revision: Number(revision),
  };
}
