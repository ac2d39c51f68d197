import type { UpdateResult } from 'kysely';
import type { Store } from '../store/store.ts';
import type { UpstreamObject } from './upstream-objects.ts';

type Place = Pick<UpstreamObject, 'id' | 'provider' | 'account'>;

/** What a batch used is recorded once: under this id and start. */
export interface BatchBill {
  recordId: string;
  /** Unix milliseconds. */
  spentAt: number;
}

/**
 * Which batches have been billed. The first who sees that one has ended sets the id and the start of its usage record, and the store takes
 * a record of one id and start once: so it is billed once, however many instances do it, and whenever one of them is killed meanwhile.
 */
export class BatchBills {
  readonly #db: Store['db'];

  constructor({ db }: Pick<Store, 'db'>) {
    this.#db = db;
  }

  /** A batch that is not billed yet. */
  async findUnbilled({ id, provider, account }: Place): Promise<UpstreamObject | undefined> {
    return await this.#db
      .selectFrom('upstream_objects')
      .selectAll()
      .where('id', '=', id)
      .where('provider', '=', provider)
      .where('account', '=', account)
      .where('kind', '=', 'batch')
      .where('billed', '=', 0)
      .executeTakeFirst();
  }

  /** The bill of a batch that has ended: `proposed`, unless somebody was earlier. */
  async begin(place: Place, proposed: BatchBill): Promise<BatchBill> {
    const { recordId, spentAt } = proposed;
    await this.#at(place, { record_id: recordId, spent_at: spentAt }).where('spent_at', 'is', null).execute();
    const row = await this.#db
      .selectFrom('upstream_objects')
      .select(['record_id', 'spent_at'])
      .where('id', '=', place.id)
      .where('provider', '=', place.provider)
      .where('account', '=', place.account)
      .executeTakeFirst();
    // A batch that was forgotten meanwhile is billed nevertheless.
    if (row?.record_id == null || row.spent_at == null) return proposed;
    return { recordId: row.record_id, spentAt: Number(row.spent_at) };
  }

  /** Its record is in the store. */
  async finish(place: Place): Promise<void> {
    await this.#at(place, { billed: 1 }).execute();
  }

  /**
   * Some of the batches that are not billed and that nobody looked at since a moment, those first that nobody looked at for longest.
   * Each is given to one instance.
   */
  async takeDue(since: number, nowMs: number, most: number): Promise<UpstreamObject[]> {
    const due = await this.#db
      .selectFrom('upstream_objects')
      .selectAll()
      .where('kind', '=', 'batch')
      .where('billed', '=', 0)
      .where('looked_at', '<=', since)
      .orderBy('looked_at')
      .limit(most)
      .execute();
    const taken: UpstreamObject[] = [];
    for (const batch of due) {
      const update = this.#at(batch, { looked_at: nowMs }).where('looked_at', '<=', since);
      const { numUpdatedRows }: UpdateResult = await update.executeTakeFirstOrThrow();
      if (numUpdatedRows > 0n) taken.push(batch);
    }
    return taken;
  }

  #at(
    { id, provider, account }: Place,
    values: { billed: number } | { looked_at: number } | { record_id: string; spent_at: number },
  ) {
    return this.#db
      .updateTable('upstream_objects')
      .set(values)
      .where('id', '=', id)
      .where('provider', '=', provider)
      .where('account', '=', account);
  }
}
