import { type CreateTableBuilder, type Kysely, SqliteAdapter, sql } from 'kysely';
import type { Migration } from 'kysely/migration';
import { addBatchBills } from './batch-bills.ts';
import { addFeedback } from './feedback.ts';
import { addLives, createTenantEnds } from './lives.ts';
import { addPromptVersions } from './prompts.ts';
import { addPromptsToCalls } from './prompts-of-calls.ts';
import { addReleases } from './releases.ts';
import { addCandidateCalls, addRollouts } from './rollouts.ts';
import { addSidesToCalls } from './sides-of-calls.ts';
import { addTierToSums, FIRST_SUM_NUMBERS } from './sums-by-tier.ts';

/**
 * Every change of the tables, in order. One that was released is never edited: a later one mends it.
 * They run in the alphabetical order of their names, hence the numbers.
 */
export const MIGRATIONS: Record<string, Migration> = {
  '0001_calls_and_keys': { up: createCallsAndKeys },
  '0002_responses': { up: createResponses },
  '0003_upstream_objects': { up: createUpstreamObjects },
  '0004_upstream_object_expiry': { up: addUpstreamObjectExpiry },
  '0010_usage_sums': { up: createUsageSums },
  '0030_captures': { up: createCaptures },
  '0040_revisions': { up: createRevisions },
  '0050_access_requests': { up: createAccessRequests },
  '0060_sealing': { up: createSealing },
  '0070_usage_summed': { up: createUsageSummed },
  '0090_tenant_ends': { up: createTenantEnds },
  '0095_uncounted_spendings': { up: createUncountedSpendings },
  '0100_lives': { up: addLives },
  '0110_tiers': { up: addTiers },
  '0120_batch_bills': { up: addBatchBills },
  '0130_sums_by_tier': { up: addTierToSums },
  '0140_webhook_deliveries': { up: createWebhookDeliveries },
  '0150_rollouts': { up: addRollouts },
  '0155_releases': { up: addReleases },
  '0165_told_once': { up: createToldOnce },
  '0170_prompt_versions': { up: addPromptVersions },
  '0172_feedback': { up: addFeedback },
  '0175_candidate_calls': { up: addCandidateCalls },
  '0180_prompts_of_calls': { up: addPromptsToCalls },
  '0190_sides_of_calls': { up: addSidesToCalls },
  '0195_targets_of_threads': { up: addTargetsOfThreads },
};

/** What a conversation is gone on with by (`gateway/note-held.ts`). Of earlier ones it is not known until they are. */
async function addTargetsOfThreads(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('upstream_objects').addColumn('target', 'text').execute();
}

/** What is told once over all instances and starts (`control/event-log.ts`). */
async function createToldOnce(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('told_once')
    .addColumn('key', 'text', (column) => column.primaryKey())
    .addColumn('told_at', 'bigint', (column) => column.notNull())
    .execute();
}

/**
 * Calls are kept, found and paged by their time: it leads the primary key, so that no further index has to say it (a
 * written record costs a quarter less). A record that is written again has the same time. The indices are cheap to
 * write where a call's id grows with time (UUIDv7), too: an insert then touches their right edges only.
 */
async function createCallsAndKeys(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('calls')
    .addColumn('id', 'text', (column) => column.notNull())
    .addColumn('started_at', 'bigint', (column) => column.notNull())
    .addColumn('tenant', 'text')
    .addColumn('key', 'text')
    .addColumn('dialect', 'text', (column) => column.notNull())
    .addColumn('operation', 'text', (column) => column.notNull())
    .addColumn('model', 'text')
    .addColumn('target', 'text')
    .addColumn('stream', 'integer', (column) => column.notNull())
    .addColumn('input_tokens', 'bigint')
    .addColumn('input_audio_tokens', 'bigint')
    .addColumn('cache_read_tokens', 'bigint')
    .addColumn('cache_write_tokens', 'bigint')
    .addColumn('cache_write_1h_tokens', 'bigint')
    .addColumn('output_tokens', 'bigint')
    .addColumn('output_audio_tokens', 'bigint')
    .addColumn('reasoning_tokens', 'bigint')
    .addColumn('usage_estimated', 'integer', (column) => column.notNull())
    .addColumn('cost_micro_usd', 'double precision')
    .addColumn('outcome', 'text', (column) => column.notNull())
    .addColumn('status', 'integer', (column) => column.notNull())
    .addColumn('latency_ms', 'double precision', (column) => column.notNull())
    .addColumn('first_token_ms', 'double precision')
    .addColumn('attempts', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('calls_primary_key', ['started_at', 'id'])
    .execute();
  await db.schema
    .createIndex('calls_by_tenant')
    .on('calls')
    .columns(['tenant', 'started_at', 'id'])
    .execute();

  await db.schema
    .createTable('keys')
    .addColumn('hash', 'text', (column) => column.primaryKey().notNull())
    .addColumn('kind', 'text', (column) => column.notNull())
    .addColumn('tenant', 'text')
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .execute();
  // An expression, because a unique index takes two nulls for different.
  await db.schema
    .createIndex('keys_by_name')
    .unique()
    .on('keys')
    .expression(sql`kind, coalesce(tenant, ''), name`)
    .execute();
}

/** Ids that providers made are theirs to choose, so they are a tenant's own; those that we make grow with time. */
async function createResponses(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('responses')
    .addColumn('tenant', 'text', (column) => column.notNull())
    .addColumn('id', 'text', (column) => column.notNull())
    .addColumn('key', 'text', (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('expires_at', 'bigint', (column) => column.notNull())
    .addColumn('target', 'text', (column) => column.notNull())
    .addColumn('account', 'text')
    .addColumn('input', 'text')
    .addColumn('response', 'text')
    .addPrimaryKeyConstraint('responses_by_id', ['tenant', 'id'])
    .execute();
  await db.schema.createIndex('responses_by_expiry').on('responses').column('expires_at').execute();
}

/** Two providers may give the same id to two things, as may two accounts of one. */
async function createUpstreamObjects(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('upstream_objects')
    .addColumn('id', 'text', (column) => column.notNull())
    .addColumn('kind', 'text', (column) => column.notNull())
    .addColumn('tenant', 'text', (column) => column.notNull())
    .addColumn('key', 'text', (column) => column.notNull())
    .addColumn('provider', 'text', (column) => column.notNull())
    .addColumn('account', 'text', (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('object', 'text')
    .addPrimaryKeyConstraint('upstream_objects_by_id', ['id', 'provider', 'account'])
    .execute();
  await db.schema
    .createIndex('upstream_objects_by_tenant')
    .on('upstream_objects')
    .columns(['tenant', 'kind', 'created_at', 'id'])
    .execute();
}

async function createRevisions(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('revisions')
    .addColumn('number', 'bigint', (column) => column.primaryKey().notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('author', 'text', (column) => column.notNull())
    .addColumn('source', 'text', (column) => column.notNull())
    .addColumn('document_hash', 'text')
    .addColumn('change_count', 'integer', (column) => column.notNull())
    .execute();
  await db.schema
    .createTable('revision_changes')
    .addColumn('revision', 'bigint', (column) => column.notNull())
    .addColumn('position', 'integer', (column) => column.notNull())
    .addColumn('owner', 'text', (column) => column.notNull())
    .addColumn('kind', 'text', (column) => column.notNull())
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('before', 'text')
    .addColumn('after', 'text')
    .addPrimaryKeyConstraint('revision_changes_primary_key', ['revision', 'position'])
    .execute();
  await db.schema
    .createTable('config_entries')
    .addColumn('kind', 'text', (column) => column.notNull())
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('owner', 'text', (column) => column.notNull())
    .addColumn('value', 'text', (column) => column.notNull())
    .addColumn('revision', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('config_entries_primary_key', ['kind', 'name'])
    .execute();
  await db.schema
    .createTable('events')
    .addColumn('id', 'text', (column) => column.primaryKey().notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('kind', 'text', (column) => column.notNull())
    .addColumn('severity', 'text', (column) => column.notNull())
    .addColumn('message', 'text', (column) => column.notNull())
    .addColumn('details', 'text', (column) => column.notNull())
    .execute();
}
/** What calls leave behind is not deleted by anybody who would tell us. */
async function addUpstreamObjectExpiry(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('upstream_objects').addColumn('expires_at', 'bigint').execute();
  await db.schema
    .createIndex('upstream_objects_by_expiry')
    .on('upstream_objects')
    .column('expires_at')
    .execute();
}

async function createCaptures(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('captures')
    .addColumn('call_id', 'text', (column) => column.primaryKey().notNull())
    .addColumn('tenant', 'text', (column) => column.notNull())
    .addColumn('expires_at', 'bigint', (column) => column.notNull())
    .addColumn('request', 'text')
    .addColumn('response', 'text')
    .addColumn('truncated', 'integer', (column) => column.notNull())
    .addColumn('gap', 'text')
    .execute();
  await db.schema.createIndex('captures_by_expiry').on('captures').column('expires_at').execute();
}

/** By what calls were summed at first. */
const FIRST_SUM_NAMES = ['tenant', 'key', 'model', 'target', 'outcome'] as const;

async function createUsageSums(db: Kysely<unknown>): Promise<void> {
  const isSqlite = db.getExecutor().adapter instanceof SqliteAdapter;
  for (const table of ['usage_by_hour', 'usage_by_day']) {
    let create: CreateTableBuilder<string, string> = db.schema
      .createTable(table)
      .addColumn('span', 'bigint', (column) => column.notNull());
    for (const name of FIRST_SUM_NAMES) create = create.addColumn(name, 'text', (column) => column.notNull());
    for (const count of FIRST_SUM_NUMBERS) {
      const type = count === 'cost_micro_usd' ? 'double precision' : 'bigint';
      create = create.addColumn(count, type, (column) => column.notNull());
    }
    create = create.addPrimaryKeyConstraint(`${table}_primary_key`, ['span', ...FIRST_SUM_NAMES]);
    // The key is most of a row: SQLite would write it twice.
    if (isSqlite) create = create.modifyEnd(sql`without rowid`);
    await create.execute();
  }
}

/** Of one tenant and model one request is pending: who asks again at the same time is told of the same one. */
async function createAccessRequests(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('access_requests')
    .addColumn('id', 'text', (column) => column.primaryKey().notNull())
    .addColumn('tenant', 'text', (column) => column.notNull())
    .addColumn('key', 'text', (column) => column.notNull())
    .addColumn('model', 'text', (column) => column.notNull())
    .addColumn('reason', 'text', (column) => column.notNull())
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('decided_at', 'bigint')
    .addColumn('decided_by', 'text')
    .addColumn('note', 'text')
    .addColumn('until', 'bigint')
    .execute();
  await db.schema
    .createIndex('access_requests_pending')
    .unique()
    .on('access_requests')
    .columns(['tenant', 'model'])
    .where(sql.ref('state'), '=', sql.lit('pending'))
    .execute();
  await db.schema
    .createIndex('access_requests_by_tenant')
    .on('access_requests')
    .columns(['tenant', 'id'])
    .execute();
  await db.schema
    .createIndex('access_requests_by_state')
    .on('access_requests')
    .columns(['state', 'id'])
    .execute();
}

/** The salt of what is derived from `FAIRLEAD_SECRET`: made once, by the first instance that has a secret. */
async function createSealing(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('sealing')
    .addColumn('id', 'integer', (column) => column.primaryKey().notNull())
    .addColumn('salt', 'text', (column) => column.notNull())
    .execute();
}

/**
 * SQLite: up to which row calls are in the tables of sums (`sqlite/sums-writer.ts`). Stores that were written before this step have
 * it already.
 */
async function createUsageSummed(db: Kysely<unknown>): Promise<void> {
  if (!(db.getExecutor().adapter instanceof SqliteAdapter)) return;
  await db.schema
    .createTable('usage_summed')
    .ifNotExists()
    .addColumn('summed_to', 'integer', (column) => column.notNull())
    .execute();
  await sql`insert into usage_summed select 0 where not exists (select * from usage_summed)`.execute(db);
}

/** What was spent of budgets while the shared counters were away (`quotas/uncounted.ts`). */
async function createUncountedSpendings(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('uncounted_spendings')
    .addColumn('counter', 'text', (column) => column.notNull())
    .addColumn('source', 'text', (column) => column.notNull())
    .addColumn('instance', 'text', (column) => column.notNull())
    .addColumn('amount', 'bigint', (column) => column.notNull())
    .addColumn('expires_at', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('uncounted_spendings_primary_key', ['counter', 'source'])
    .execute();
}

/** Of earlier calls it is not known: they were priced as those of the standard tier. */
async function addTiers(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('calls').addColumn('tier', 'text').execute();
}

/** What webhooks are still to be sent (`webhooks/outbox.ts`): few rows, that come and go. */
async function createWebhookDeliveries(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('webhook_deliveries')
    .addColumn('webhook', 'text', (column) => column.notNull())
    .addColumn('event_id', 'text', (column) => column.notNull())
    .addColumn('attempts', 'integer', (column) => column.notNull())
    .addColumn('due_at', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('webhook_deliveries_primary_key', ['webhook', 'event_id'])
    .execute();
}
