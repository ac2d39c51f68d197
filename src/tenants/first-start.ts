import type { KeyRow } from '../store/schema.ts';
import type { Store } from '../store/store.ts';
import { hashSecret, type KeyKind, makeSecret } from './keys.ts';

/** Secrets that exist nowhere else: they are to be shown once. */
export interface FirstSecrets {
  tenant?: string;
  admin?: string;
}

/** Whose the first tenant key is. */
export const FIRST_TENANT = 'default';
export const FIRST_KEY = 'first';

/**
 * Makes, where nobody configured one and the store has none from before, a tenant key (of tenant `default`) and an
 * admin key, an owner's. Only their hashes are stored. Gives the secrets of those made, `undefined` where none was.
 */
export async function ensureFirstKeys(
  store: Store,
  configured: { hasTenants: boolean; hasOwner: boolean },
  now: () => number,
): Promise<FirstSecrets | undefined> {
  const secrets: FirstSecrets = {};
  // In one transaction: a start that fails here leaves no key whose secret nobody saw.
  await store.db.transaction().execute(async (db) => {
    const makeKey = async (kind: KeyKind, tenant: string | null) => {
      const secret = makeSecret(kind);
      const row: KeyRow = { hash: hashSecret(secret), kind, tenant, name: FIRST_KEY, created_at: now() };
      const result = await db
        .insertInto('keys')
        .values(row)
        // The unique index on the name decides, also between two processes that start at once.
        .onConflict((conflict) => conflict.doNothing())
        .executeTakeFirst();
      if (result.numInsertedOrUpdatedRows === 1n) secrets[kind] = secret;
    };
    if (!configured.hasTenants) await makeKey('tenant', FIRST_TENANT);
    if (!configured.hasOwner) await makeKey('admin', null);
  });
  return secrets.tenant === undefined && secrets.admin === undefined ? undefined : secrets;
}
