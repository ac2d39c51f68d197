import type { UpstreamObjectRow } from '../store/schema.ts';
import type { Store } from '../store/store.ts';
import type { Owner } from './owner.ts';

export type UpstreamObject = UpstreamObjectRow;
/** What can be asked for at a door of its own. */
export type ObjectKind = 'file' | 'batch';

/** What an account of a provider knows by an id. */
const ID = ['id', 'provider', 'account'] as const;

export type ObjectPlace = Pick<UpstreamObject, 'tenant' | 'life' | 'kind' | 'id' | 'provider' | 'account'>;

export interface ListRequest extends Owner {
  kind: ObjectKind;
  /** The id behind which the page begins. */
  after?: string | undefined;
  limit: number;
  order: 'asc' | 'desc';
  /** Of files: only those uploaded for this. */
  purpose?: string | undefined;
}

/**
 * What providers keep for tenants (files, batches, what calls leave behind), and whose it is. Everything that a tenant is
 * told of is asked for by the tenant, too.
 */
export class UpstreamObjects {
  readonly #db: Store['db'];
  readonly #now: () => number;

  /** `now`: Unix milliseconds. */
  constructor({ db }: Pick<Store, 'db'>, now: () => number) {
    this.#db = db;
    this.#now = now;
  }

  /** Of several that accounts gave the same id, the one that was made last: what the tenant was last told of by this name. */
  find({ tenant, life }: Owner, kind: ObjectKind, id: string): Promise<UpstreamObject | undefined> {
    return this.#db
      .selectFrom('upstream_objects')
      .selectAll()
      .where('id', '=', id)
      .where('tenant', '=', tenant)
      .where('life', '=', life)
      .where('kind', '=', kind)
      .orderBy('created_at', 'desc')
      .executeTakeFirst();
  }

  /**
   * Those of these ids that are any tenant's, be it one that was taken away: to be told only whether they are the caller's
   * own.
   */
  async ofAll(ids: readonly string[]): Promise<UpstreamObject[]> {
    const rows = await this.#db.selectFrom('upstream_objects').selectAll().where('id', 'in', ids).execute();
    const now = this.#now();
    return rows.filter(({ expires_at: expiresAt }) => expiresAt === null || expiresAt > now);
  }

  /**
   * Binds objects to their tenants. One that is bound stays so, unless that has expired; what it looks like, when it
   * expires and what last answered in it is brought up to date.
   */
  async bind(objects: readonly UpstreamObject[]): Promise<void> {
    const rows = [
      ...new Map(
        objects.map((object) => [JSON.stringify([object.id, object.provider, object.account]), object]),
      ).values(),
    ];
    if (rows.length === 0) return;
    if (rows.some(({ expires_at: expiresAt }) => expiresAt !== null)) await this.#deleteExpired();
    await this.#db
      .insertInto('upstream_objects')
      .values(rows)
      .onConflict((conflict) =>
        conflict
          .columns(ID)
          .doUpdateSet(({ fn, ref }) => ({
            object: fn.coalesce(ref('excluded.object'), ref('upstream_objects.object')),
            expires_at: ref('excluded.expires_at'),
            target: fn.coalesce(ref('excluded.target'), ref('upstream_objects.target')),
          }))
          .whereRef('upstream_objects.tenant', '=', 'excluded.tenant')
          .whereRef('upstream_objects.life', '=', 'excluded.life'),
      )
      .execute();
  }

  async #deleteExpired(): Promise<void> {
    await this.#db.deleteFrom('upstream_objects').where('expires_at', '<=', this.#now()).execute();
  }

  async forget({ tenant, life, kind, id, provider, account }: ObjectPlace): Promise<void> {
    await this.#db
      .deleteFrom('upstream_objects')
      .where('provider', '=', provider)
      .where('account', '=', account)
      .where('id', '=', id)
      .where('tenant', '=', tenant)
      .where('life', '=', life)
      .where('kind', '=', kind)
      .execute();
  }

  /** A page of what a tenant has, by age; one more than `limit` where there are more. */
  async list({ kind, after, limit, order, purpose, ...owner }: ListRequest): Promise<UpstreamObject[]> {
    const from = after === undefined ? undefined : await this.find(owner, kind, after);
    const beyond = order === 'asc' ? '>' : '<';
    let query = this.#db
      .selectFrom('upstream_objects')
      .selectAll()
      .where('tenant', '=', owner.tenant)
      .where('life', '=', owner.life)
      .where('kind', '=', kind)
      .where('object', 'is not', null);
    if (purpose !== undefined) query = query.where('object', 'like', `%"purpose":"${purpose}"%`);
    if (from) {
      query = query.where(({ eb, refTuple, tuple }) =>
        eb(refTuple('created_at', 'id'), beyond, tuple(from.created_at, from.id)),
      );
    }
    return query
      .orderBy('created_at', order)
      .orderBy('id', order)
      .limit(limit + 1)
      .execute();
  }
}
