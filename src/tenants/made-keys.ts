import type { KeyRow } from '../store/schema.ts';
import type { Store } from '../store/store.ts';
import type { HashedKey, TenantKey } from './keys.ts';

/** A key that the gateway itself made, without what finds it. */
export interface MadeKey {
  /** Null for an admin key. */
  tenant: string | null;
  name: string;
  /** Unix milliseconds. */
  createdAt: number;
}

/** The keys that the gateway itself made, at this start or an earlier one. The store has them: all instances share them. */
export class MadeKeys {
  readonly #store: Store;
  #rows: KeyRow[] = [];

  constructor(store: Store) {
    this.#store = store;
  }

  get tenantKeys(): TenantKey[] {
    return this.#rows.flatMap(({ hash, tenant, name }) =>
      tenant === null ? [] : [{ hash, tenant, key: name }],
    );
  }

  /** All of them are an owner's. */
  get adminKeys(): HashedKey[] {
    return this.#rows.flatMap(({ hash, tenant, name }) => (tenant === null ? [{ hash, key: name }] : []));
  }

  /** Those of a tenant; `null` for those of the admin API. */
  list(tenant: string | null): MadeKey[] {
    return this.#rows
      .filter((row) => row.tenant === tenant)
      .map(({ name, created_at }) => ({ tenant, name, createdAt: Number(created_at) }));
  }

  /** Reads them (again); gives whether they are others than before. */
  async refresh(): Promise<boolean> {
    const rows = await this.#store.db.selectFrom('keys').selectAll().orderBy('hash').execute();
    const isSame =
      rows.length === this.#rows.length && rows.every(({ hash }, at) => hash === this.#rows[at]?.hash);
    this.#rows = rows;
    return !isSame;
  }

  /** Takes one out of the store; here it is gone after the next `refresh`. */
  async revoke(tenant: string | null, name: string): Promise<void> {
    const row = this.#rows.find((one) => one.tenant === tenant && one.name === name);
    if (!row) return;
    await this.#store.db.deleteFrom('keys').where('hash', '=', row.hash).execute();
  }

  /** Takes those of tenants away for good. Here they are at once, whatever the store says. */
  async endTenantKeys(): Promise<void> {
    this.#rows = this.#rows.filter(({ tenant }) => tenant === null);
    await this.#store.db.deleteFrom('keys').where('kind', '=', 'tenant').execute();
  }
}

/** Whether a tenant was ever configured, be it gone by now: then the first start is over. */
export async function hadTenants({ db }: Pick<Store, 'db'>): Promise<boolean> {
  const row = await db
    .selectFrom('revision_changes')
    .select('revision')
    .where('kind', '=', 'tenants')
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}
