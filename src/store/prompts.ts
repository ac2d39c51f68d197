import type { Kysely } from 'kysely';

/** The versions of prompts and the labels that point at them. `change`: the last one that touched a row, from one count of all. */
export async function addPromptVersions(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('prompt_versions')
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('number', 'integer', (column) => column.notNull())
    .addColumn('hash', 'text', (column) => column.notNull())
    .addColumn('sources', 'text', (column) => column.notNull())
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('state_at', 'bigint', (column) => column.notNull())
    .addColumn('retires_at', 'bigint')
    .addColumn('successor', 'text')
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('author', 'text', (column) => column.notNull())
    .addColumn('change', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('prompt_versions_primary_key', ['name', 'number'])
    .addUniqueConstraint('prompt_versions_by_hash', ['name', 'hash'])
    .execute();
  await db.schema.createIndex('prompt_versions_by_change').on('prompt_versions').column('change').execute();
  await db.schema
    .createTable('prompt_labels')
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('label', 'text', (column) => column.notNull())
    .addColumn('number', 'integer', (column) => column.notNull())
    .addColumn('moved_at', 'bigint', (column) => column.notNull())
    .addColumn('author', 'text', (column) => column.notNull())
    .addColumn('change', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('prompt_labels_primary_key', ['name', 'label'])
    .execute();
  await db.schema.createIndex('prompt_labels_by_change').on('prompt_labels').column('change').execute();
  await db.schema
    .createTable('prompt_changes')
    .addColumn('id', 'integer', (column) => column.primaryKey())
    .addColumn('change', 'bigint', (column) => column.notNull())
    .execute();
}
