import type { Kysely } from 'kysely';
import type { Database, UncountedSpendingRow } from '../store/schema.ts';
import type { Store } from '../store/store.ts';
import { LEFT } from './script-calls.ts';

/*
 * What was spent of budgets and is not in the shared counters yet.
 *
 * The rule. Of each spending there is one account: the shared counters once it is in them, and until then a row here, beside the usage
 * record. A row is written before the records that it comes from (`save`), and taken away after the counters have it. So the records
 * less these rows are never more than the counters have been told or were told of once: that is all that the records may raise a
 * counter to, and what the rows say is added to it, by whoever comes first. Each row has a name by which the counters know whether they
 * have it: a part (all that one instance counted alone between two times that they were there; of a part that grew they take what is
 * new), or a call that was held there when it began. So an instance, all others, and those who start later may all bring it in, in any
 * order, and it counts once; the instance itself has it in memory, too, and needs no store for it.
 */

/** A spending by the key of its counter and its own name. */
type Place = Pick<UncountedSpendingRow, 'counter' | 'source'>;

const ROWS_AT_ONCE = 200;

export class Uncounted {
  readonly #db: Kysely<Database>;
  readonly #instance: string;
  #noted = new Map<string, UncountedSpendingRow>();
  #dropped = new Map<string, Place>();
  #saving: Promise<void> = Promise.resolve();

  constructor({ db }: Pick<Store, 'db'>, instance: string) {
    this.#db = db;
    this.#instance = instance;
  }

  /** `amount`: all of it up to now. */
  note(counter: string, source: string, amount: number, expiresAt: number): void {
    const place = `${counter} ${source}`;
    this.#dropped.delete(place);
    this.#noted.set(place, { counter, source, instance: this.#instance, amount, expires_at: expiresAt });
  }

  /** The counters have it. */
  drop(counter: string, source: string): void {
    const place = `${counter} ${source}`;
    this.#noted.delete(place);
    this.#dropped.set(place, { counter, source });
  }

  /** Resolves when the store has all that was noted and dropped up to now; rejects where it fails, and keeps it for the next time. */
  save(): Promise<void> {
    const saved = this.#saving.then(() => this.#saveNoted());
    this.#saving = saved.catch(() => {});
    return saved;
  }

  /** What other instances noted, those aside whose budgets are over. */
  async readOthers(nowMs: number): Promise<UncountedSpendingRow[]> {
    await this.#db.deleteFrom('uncounted_spendings').where('expires_at', '<=', nowMs).execute();
    const rows = await this.#db
      .selectFrom('uncounted_spendings')
      .selectAll()
      .where('instance', '<>', this.#instance)
      .orderBy('counter')
      .execute();
    return rows.map((row) => ({ ...row, amount: Number(row.amount), expires_at: Number(row.expires_at) }));
  }

  /** Those that are as they were read: what came to them since is not in the counters. */
  async remove(rows: readonly UncountedSpendingRow[]): Promise<void> {
    await this.#delete(rows.map(({ counter, source, amount }) => ({ counter, source, amount })));
  }

  /**
   * Of all instances, by the key of the counter. Calls that a process left and this one recovers are not among them: the counters are
   * told of these before they are told what the records say.
   */
  async sum(): Promise<Map<string, number>> {
    const { sum } = this.#db.fn;
    const rows = await this.#db
      .selectFrom('uncounted_spendings')
      .select(['counter', sum('amount').as('amount')])
      .where(({ or, eb }) => or([eb('instance', '<>', this.#instance), eb('source', 'not like', `${LEFT}%`)]))
      .groupBy('counter')
      .execute();
    return new Map(rows.map(({ counter, amount }) => [counter, Number(amount)]));
  }

  async #saveNoted(): Promise<void> {
    const [noted, dropped] = [this.#noted, this.#dropped];
    if (noted.size === 0 && dropped.size === 0) return;
    this.#noted = new Map();
    this.#dropped = new Map();
    try {
      await this.#write([...noted.values()]);
      await this.#delete([...dropped.values()]);
    } catch (error) {
      // What is newer stays.
      for (const [place, row] of noted) {
        if (!this.#noted.has(place) && !this.#dropped.has(place)) this.#noted.set(place, row);
      }
      for (const [place, row] of dropped) {
        if (!this.#noted.has(place)) this.#dropped.set(place, row);
      }
      throw error;
    }
  }

  async #write(rows: readonly UncountedSpendingRow[]): Promise<void> {
    for (let at = 0; at < rows.length; at += ROWS_AT_ONCE) {
      await this.#db
        .insertInto('uncounted_spendings')
        .values(rows.slice(at, at + ROWS_AT_ONCE))
        .onConflict((conflict) =>
          conflict
            .columns(['counter', 'source'])
            .doUpdateSet((row) => ({ amount: row.ref('excluded.amount') })),
        )
        .execute();
    }
  }

  /** Those that have these values. */
  async #delete(rows: readonly (Place | (Place & { amount: number }))[]): Promise<void> {
    for (let at = 0; at < rows.length; at += ROWS_AT_ONCE) {
      const some = rows.slice(at, at + ROWS_AT_ONCE);
      await this.#db
        .deleteFrom('uncounted_spendings')
        .where(({ and, or }) => or(some.map((row) => and(row))))
        .execute();
    }
  }
}
