import { type Kysely, sql } from 'kysely';
import { MIGRATIONS } from '../../src/store/migrations.ts';
import type { Database } from '../../src/store/schema.ts';

const TABLES = [
  ...['calls', 'keys', 'responses', 'upstream_objects', 'revisions', 'revision_changes', 'config_entries'],
  ...['events', 'sealing', 'captures', 'access_requests', 'tenant_ends', 'usage_by_hour', 'usage_by_day'],
  ...['usage_summed', 'uncounted_spendings', 'webhook_deliveries', 'rollouts', 'rollout_calls'],
  ...['releases', 'told_once', 'prompt_versions', 'prompt_labels', 'prompt_changes'],
  ...['rollout_scores', 'feedback'],
];

/** Makes of a store that is open an empty one as a version left it that knew only the migrations before this one. */
export async function makeEarlier(db: Kysely<Database>, before: string): Promise<void> {
  for (const table of TABLES) await db.schema.dropTable(table).ifExists().execute();
  for (const [name, { up }] of Object.entries(MIGRATIONS)) if (name < before) await up(db);
  await sql`delete from kysely_migration where name >= ${before}`.execute(db);
}
