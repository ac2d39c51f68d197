import { type Kysely, type SqlBool, sql } from 'kysely';
import { GatewayError } from '../conversation/gateway-error.ts';
import { GrowingIds } from '../store/growing-ids.ts';
import type { AccessRequestRow, Database } from '../store/schema.ts';
import type { Store } from '../store/store.ts';
import type { Owner } from './owner.ts';

/** A tenant's wish to call a model, and what became of it. Moments are Unix milliseconds. */
export interface AccessRequest {
  id: string;
  tenant: string;
  /** The name of the key that asked. */
  key: string;
  model: string;
  reason: string;
  state: AccessRequestRow['state'];
  createdAt: number;
  /** Absent while it is pending. */
  decision?: { at: number; by: string; note: string | null; until: number | null };
}

export interface Decision {
  state: 'approved' | 'denied';
  by: string;
  note: string | undefined;
  /** When an approval ends; absent where it does not. */
  until?: number | undefined;
}

export interface RequestFilters {
  tenant?: string | undefined;
  /** Of this tenant, and none of another one of its name. */
  asker?: Owner | undefined;
  state?: AccessRequest['state'] | undefined;
  model?: string | undefined;
  /** The id behind which the page begins. */
  before?: string | undefined;
  limit: number;
}

/** What a tenant may have pending: nobody shall fill the store before an operator looks. */
const MOST_PENDING = 100;

/** An id as we make it. What is no such id is looked for nowhere. */
export const REQUEST_ID = /^areq_[0-9a-f-]{36}$/;

/** What tenants ask for. That an approval is in force is not told here: it is a grant of the configuration. */
export class AccessRequests {
  readonly #db: Kysely<Database>;
  readonly #now: () => number;
  readonly #ids: GrowingIds;

  /** `now`: Unix milliseconds, as whole numbers. */
  constructor({ db }: Pick<Store, 'db'>, now: () => number) {
    this.#db = db;
    this.#now = now;
    this.#ids = new GrowingIds(now, 'areq_');
  }

  /**
   * Notes a request; gives the one that is pending already where the tenant asked for the model before.
   *
   * @throws GatewayError where too many are pending
   */
  async ask(
    asked: Owner & Pick<AccessRequest, 'key' | 'model' | 'reason'>,
  ): Promise<{ request: AccessRequest; isNew: boolean }> {
    const pending = await this.#findPending(asked);
    if (pending) return { request: pending, isNew: false };
    await this.#refuseTooMany(asked);
    const row: AccessRequestRow = {
      id: this.#ids.next(),
      ...asked,
      state: 'pending',
      created_at: this.#now(),
      decided_at: null,
      decided_by: null,
      note: null,
      until: null,
    };
    const result = await this.#db
      .insertInto('access_requests')
      .values(row)
      // The unique index decides between two that ask at the same time.
      .onConflict((conflict) => conflict.doNothing())
      .executeTakeFirst();
    if (result.numInsertedOrUpdatedRows === 1n) return { request: readRow(row), isNew: true };
    const other = await this.#findPending(asked);
    // Decided since: then it is the asker's to look at what was said.
    if (!other) throw decidedAlready();
    return { request: other, isNew: false };
  }

  async #findPending({ model, ...asker }: Owner & { model: string }): Promise<AccessRequest | undefined> {
    const [pending] = await this.list({ asker, model, state: 'pending', limit: 1 });
    return pending;
  }

  async #refuseTooMany({ tenant, life }: Owner): Promise<void> {
    const { pending } = await this.#db
      .selectFrom('access_requests')
      .select(({ fn }) => fn.countAll().as('pending'))
      .where('tenant', '=', tenant)
      .where('life', '=', life)
      .where('state', '=', 'pending')
      .executeTakeFirstOrThrow();
    if (Number(pending) < MOST_PENDING) return;
    throw new GatewayError(
      'invalid_request',
      `${MOST_PENDING} requests of your tenant wait for an answer already: ask your operator to look at them.`,
      { status: 409, code: 'too_many_pending' },
    );
  }

  /** `asker`: where given, only its own are found, and none of another tenant of its name. */
  async find(id: string, asker?: Owner): Promise<AccessRequest | undefined> {
    if (!REQUEST_ID.test(id)) return undefined;
    let query = this.#db.selectFrom('access_requests').selectAll().where('id', '=', id);
    if (asker) query = query.where('tenant', '=', asker.tenant).where('life', '=', asker.life);
    const row = await query.executeTakeFirst();
    return row && readRow(row);
  }

  /** Newest first. One more than `limit` where there are more. */
  async list({ tenant, asker, state, model, before, limit }: RequestFilters): Promise<AccessRequest[]> {
    let query = this.#db.selectFrom('access_requests').selectAll();
    if (tenant !== undefined) query = query.where('tenant', '=', tenant);
    if (asker) query = query.where('tenant', '=', asker.tenant).where('life', '=', asker.life);
    if (state !== undefined) query = query.where('state', '=', state);
    if (model !== undefined) query = query.where('model', '=', model);
    if (before !== undefined) query = query.where('id', '<', before);
    const rows = await query
      .orderBy('id', 'desc')
      .limit(limit + 1)
      .execute();
    return rows.map(readRow);
  }

  /**
   * Decides a request that is pending.
   *
   * @param db where an approval is written together with its grant
   * @throws GatewayError where somebody else was faster, or who would be granted something is not who asked
   */
  async decide(
    id: string,
    { state, by, note, until }: Decision,
    db: Kysely<Database> = this.#db,
  ): Promise<void> {
    let query = db
      .updateTable('access_requests')
      .set({ state, decided_at: this.#now(), decided_by: by, note: note ?? null, until: until ?? null })
      .where('id', '=', id)
      .where('state', '=', 'pending');
    if (state === 'approved') query = query.where(isOfThisTenant());
    const result = await query.executeTakeFirst();
    if (result.numUpdatedRows === 1n) return;
    const row = await db
      .selectFrom('access_requests')
      .select('state')
      .where('id', '=', id)
      .executeTakeFirst();
    throw row?.state === 'pending' ? askerGone() : decidedAlready();
  }
}

/** Whether a request is of the tenant that has its name now. */
function isOfThisTenant() {
  return sql<SqlBool>`life = coalesce((select max(revision) from tenant_ends where tenant_ends.tenant = access_requests.tenant), 0)`;
}

/** It may have asked while it was being taken away. */
function askerGone(): GatewayError {
  return new GatewayError(
    'invalid_request',
    'The tenant that asked was taken away, and the one that has its name now did not ask. Deny the request.',
    { status: 409, code: 'asker_gone' },
  );
}

export function decidedAlready(): GatewayError {
  return new GatewayError('invalid_request', 'This access request has been decided already.', {
    status: 409,
    code: 'already_decided',
  });
}

function readRow({
  life: _,
  created_at,
  decided_at,
  decided_by,
  note,
  until,
  ...row
}: AccessRequestRow): AccessRequest {
  return {
    ...row,
    createdAt: Number(created_at),
    ...(decided_at !== null &&
      decided_by !== null && {
        decision: {
          at: Number(decided_at),
          by: decided_by,
          note,
          until: until === null ? null : Number(until),
        },
      }),
  };
}
