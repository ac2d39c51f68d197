import { type Kysely, sql } from 'kysely';
import { type EarlierTurn, findEarlierEnds } from './earlier-ends.ts';

/** When tenants were taken away: what was noted of a name until then is not that of a later tenant of the same name. */
export async function createTenantEnds(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('tenant_ends')
    .addColumn('tenant', 'text', (column) => column.notNull())
    .addColumn('revision', 'bigint', (column) => column.notNull())
    .addColumn('ended_at', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('tenant_ends_primary_key', ['tenant', 'revision'])
    .execute();
  await fillTenantEnds(db);
}

/** Names were used again before anyone noted it: the revisions have it. */
async function fillTenantEnds(db: Kysely<unknown>): Promise<void> {
  const { rows } = await sql<EarlierTurn>`
    select change.name as tenant, change.revision, change.before is null as begins, change.after is null as ends,
      revision.created_at, revision.source,
      (select max(same.number) from revisions as same
        where same.document_hash = revision.document_hash and same.number < revision.number) as same_file
    from revision_changes as change join revisions as revision on revision.number = change.revision
    where change.kind = 'tenants' and (change.before is null or change.after is null)
    order by change.revision, change.position`.execute(db);
  for (const { tenant, revision, endedAt } of findEarlierEnds(rows)) {
    await sql`insert into tenant_ends values (${tenant}, ${revision}, ${endedAt})`.execute(db);
  }
}

/**
 * Whose rows are, of tenants of one name: a moment does not tell, for a call may end after its tenant does. The tenant of the
 * first start ended with the first that was configured, which no end was noted of before.
 */
export async function addLives(db: Kysely<unknown>): Promise<void> {
  await sql`insert into tenant_ends (tenant, revision, ended_at)
    select 'default', number, created_at from revisions
    where number = (select min(revision) from revision_changes where kind = 'tenants')
    on conflict do nothing`.execute(db);
  for (const table of ['upstream_objects', 'access_requests']) {
    await db.schema
      .alterTable(table)
      .addColumn('life', 'bigint', (column) => column.notNull().defaultTo(0))
      .execute();
    await sql`update ${sql.table(table)} set life = ${lifeAt(table)}
      where tenant in (select tenant from tenant_ends)`.execute(db);
  }
  await db.schema.dropIndex('access_requests_pending').execute();
  await db.schema
    .createIndex('access_requests_pending')
    .unique()
    .on('access_requests')
    .columns(['tenant', 'life', 'model'])
    .where(sql.ref('state'), '=', sql.lit('pending'))
    .execute();
  // SQLite cannot give a table another primary key.
  await db.schema.alterTable('responses').renameTo('responses_before').execute();
  await db.schema
    .createTable('responses')
    .addColumn('tenant', 'text', (column) => column.notNull())
    .addColumn('life', 'bigint', (column) => column.notNull())
    .addColumn('id', 'text', (column) => column.notNull())
    .addColumn('key', 'text', (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('expires_at', 'bigint', (column) => column.notNull())
    .addColumn('target', 'text', (column) => column.notNull())
    .addColumn('account', 'text')
    .addColumn('input', 'text')
    .addColumn('response', 'text')
    .addPrimaryKeyConstraint('responses_by_owner', ['tenant', 'life', 'id'])
    .execute();
  await sql`insert into responses (tenant, life, id, key, created_at, expires_at, target, account, input, response)
    select tenant, ${lifeAt('responses_before')}, id, key, created_at, expires_at, target, account, input, response
    from responses_before`.execute(db);
  await db.schema.dropTable('responses_before').execute();
  await db.schema.createIndex('responses_by_expiry').on('responses').column('expires_at').execute();
}

/** Which tenant of its name a row of a table is of, by when it was written. */
function lifeAt(table: string) {
  const [tenant, createdAt] = [sql.ref(`${table}.tenant`), sql.ref(`${table}.created_at`)];
  return sql<number>`coalesce((select max(revision) from tenant_ends where tenant_ends.tenant = ${tenant} and tenant_ends.ended_at < ${createdAt}), 0)`;
}
