import type { Kysely } from 'kysely';

/** What callers say of the answers that they got (`usage/feedback.ts`), and of which calls a rollout learns from that (`rollouts/rollout-store.ts`). */
export async function addFeedback(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('feedback')
    .addColumn('call', 'text', (column) => column.notNull())
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('key', 'text', (column) => column.notNull())
    .addColumn('score', 'double precision', (column) => column.notNull())
    .addColumn('comment', 'text')
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('updated_at', 'bigint', (column) => column.notNull())
    // Ids of calls grow with time.
    .addPrimaryKeyConstraint('feedback_primary_key', ['call', 'name'])
    .execute();
  await db.schema
    .createTable('rollout_scores')
    .addColumn('rollout', 'text', (column) => column.notNull())
    .addColumn('started_at', 'bigint', (column) => column.notNull())
    .addColumn('call', 'text', (column) => column.notNull())
    .addColumn('learned', 'integer', (column) => column.notNull())
    .addPrimaryKeyConstraint('rollout_scores_primary_key', ['rollout', 'started_at', 'call'])
    .execute();
  await db.schema
    .createIndex('rollout_scores_to_learn')
    .on('rollout_scores')
    .columns(['rollout', 'learned'])
    .execute();
}
