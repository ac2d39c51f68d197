import type { Kysely } from 'kysely';

/** The name of the rollout in what a call's row says of it (`usage/rollout-note.ts`). */
export function rolloutOf(note: string): string {
  return note.slice(0, note.indexOf('='));
}

/** Where rollouts stand, which calls were of one, and which of those it has not learned from yet. */
export async function addRollouts(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('calls').addColumn('rollout', 'text').execute();
  await db.schema
    .createTable('rollouts')
    .addColumn('name', 'text', (column) => column.primaryKey())
    .addColumn('release', 'text', (column) => column.notNull())
    .addColumn('phase', 'text', (column) => column.notNull())
    .addColumn('step', 'integer', (column) => column.notNull())
    .addColumn('since', 'bigint', (column) => column.notNull())
    .addColumn('held_ms', 'bigint', (column) => column.notNull())
    .addColumn('calls_before', 'bigint', (column) => column.notNull())
    .addColumn('evidence', 'text', (column) => column.notNull())
    .addColumn('reason', 'text')
    .addColumn('version', 'bigint', (column) => column.notNull())
    .execute();
  await db.schema
    .createTable('rollout_calls')
    .addColumn('rollout', 'text', (column) => column.notNull())
    .addColumn('started_at', 'bigint', (column) => column.notNull())
    .addColumn('call', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('rollout_calls_primary_key', ['rollout', 'started_at', 'call'])
    .execute();
}

/** How many calls a candidate has had stands beside what is known of it, which is long: every instance asks for the one twice a second. */
export async function addCandidateCalls(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .alterTable('rollouts')
    .addColumn('candidate_calls', 'bigint', (column) => column.notNull().defaultTo(0))
    .execute();
  const rollouts = db as Kysely<{ rollouts: { name: string; evidence: string; candidate_calls: number } }>;
  for (const { name, evidence } of await rollouts
    .selectFrom('rollouts')
    .select(['name', 'evidence'])
    .execute()) {
    const { candidates } = JSON.parse(evidence) as { candidates: number };
    await rollouts
      .updateTable('rollouts')
      .set({ candidate_calls: candidates })
      .where('name', '=', name)
      .execute();
  }
}
