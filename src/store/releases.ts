import type { Kysely } from 'kysely';

/** The releases that models have stood on or were to move to, and what rollouts began as and wait for. */
export async function addReleases(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('releases')
    .addColumn('model', 'text', (column) => column.notNull())
    .addColumn('number', 'integer', (column) => column.notNull())
    .addColumn('hash', 'text', (column) => column.notNull())
    .addColumn('release', 'text', (column) => column.notNull())
    .addColumn('first_seen', 'bigint', (column) => column.notNull())
    .addColumn('revision', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('releases_primary_key', ['model', 'number'])
    .addUniqueConstraint('releases_by_hash', ['model', 'hash'])
    .execute();
  await db.schema.alterTable('rollouts').addColumn('origin', 'text').execute();
  await db.schema.alterTable('rollouts').addColumn('approval', 'text').execute();
}
