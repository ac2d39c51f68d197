import type { Kysely } from 'kysely';
import type { Migrator } from 'kysely/migration';
import type { Database } from './schema.ts';
import type { OpenOptions } from './store.ts';

/** Why a database of an earlier version is not to be changed. */
export class UpgradeRefused extends Error {
  constructor(cause: unknown) {
    super('the database stays as it is', { cause });
  }
}

/** @throws UpgradeRefused where whoever opens an earlier version's database does not want it changed */
export async function askBeforeUpgrade(
  db: Kysely<Database>,
  migrator: Migrator,
  { beforeUpgrade }: OpenOptions,
): Promise<void> {
  if (!beforeUpgrade) return;
  const migrations = await migrator.getMigrations();
  const done = migrations.filter(({ executedAt }) => executedAt !== undefined);
  if (done.length === 0 || done.length === migrations.length) return;
  try {
    await beforeUpgrade(db);
  } catch (cause) {
    throw new UpgradeRefused(cause);
  }
}
