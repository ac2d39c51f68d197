import type { Kysely } from 'kysely';
import type { Database, EventRow, WebhookDeliveryRow } from '../store/schema.ts';

export interface Delivery {
  webhook: string;
  attempts: number;
  event: EventRow;
}

/** How many deliveries wait for one webhook; beyond that the oldest are given up. */
export const MOST_WAITING = 1_000;

/**
 * What is still to be delivered, in the store: written in one transaction with the event, so that it outlives the process, and taken by
 * one instance at a time.
 */
export class Outbox {
  readonly #db: Kysely<Database>;

  constructor(db: Kysely<Database>) {
    this.#db = db;
  }

  /** Gives the names of webhooks, of `webhooks`, for which the oldest had to be given up. `db`: the transaction that the event is written in. */
  async add(
    db: Kysely<Database>,
    eventId: string,
    webhooks: readonly string[],
    dueAt: number,
  ): Promise<string[]> {
    const full: string[] = [];
    for (const webhook of webhooks) {
      const row: WebhookDeliveryRow = { webhook, event_id: eventId, attempts: 0, due_at: dueAt };
      await db
        .insertInto('webhook_deliveries')
        .values(row)
        .onConflict((conflict) => conflict.columns(['webhook', 'event_id']).doNothing())
        .execute();
      const oldestKept = await db
        .selectFrom('webhook_deliveries')
        .select('event_id')
        .where('webhook', '=', webhook)
        .orderBy('event_id', 'desc')
        .offset(MOST_WAITING - 1)
        .limit(1)
        .executeTakeFirst();
      if (!oldestKept) continue;
      const { numDeletedRows } = await db
        .deleteFrom('webhook_deliveries')
        .where('webhook', '=', webhook)
        .where('event_id', '<', oldestKept.event_id)
        .executeTakeFirst();
      if (numDeletedRows > 0n) full.push(webhook);
    }
    return full;
  }

  /** Takes up to `limit` deliveries that are due, the oldest events first: until `leaseUntil` no other instance does. */
  async take(webhook: string, now: number, leaseUntil: number, limit: number): Promise<Delivery[]> {
    const due = await this.#db
      .selectFrom('webhook_deliveries')
      .innerJoin('events', 'events.id', 'webhook_deliveries.event_id')
      .selectAll('events')
      .select(['webhook_deliveries.attempts', 'webhook_deliveries.due_at'])
      .where('webhook', '=', webhook)
      .where('due_at', '<=', now)
      .orderBy('event_id')
      .limit(limit)
      .execute();
    const taken: Delivery[] = [];
    for (const { attempts, due_at, ...event } of due) {
      const { numUpdatedRows } = await this.#db
        .updateTable('webhook_deliveries')
        .set({ due_at: leaseUntil })
        .where('webhook', '=', webhook)
        .where('event_id', '=', event.id)
        .where('due_at', '=', due_at)
        .executeTakeFirst();
      if (numUpdatedRows === 1n) taken.push({ webhook, attempts, event });
    }
    return taken;
  }

  /** It was delivered, or is given up. */
  async remove({ webhook, event }: Delivery): Promise<void> {
    await this.#db
      .deleteFrom('webhook_deliveries')
      .where('webhook', '=', webhook)
      .where('event_id', '=', event.id)
      .execute();
  }

  /** It is to be sent at another time. */
  async putOff({ webhook, event }: Delivery, attempts: number, dueAt: number): Promise<void> {
    await this.#db
      .updateTable('webhook_deliveries')
      .set({ attempts, due_at: dueAt })
      .where('webhook', '=', webhook)
      .where('event_id', '=', event.id)
      .execute();
  }

  /** Forgets what is for webhooks that are not there, and was due by then: this instance may not know of a new one yet. */
  async keepOnly(webhooks: readonly string[], dueBy: number): Promise<void> {
    const old = this.#db.deleteFrom('webhook_deliveries').where('due_at', '<', dueBy);
    await (webhooks.length === 0 ? old : old.where('webhook', 'not in', [...webhooks])).execute();
  }
}
