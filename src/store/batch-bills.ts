import { type Kysely, sql } from 'kysely';

const ENDED_BATCHES = ['completed', 'failed', 'expired', 'cancelled'];

/** What was seen to have ended before is not billed now: it would be charged to a period that has nothing to do with it. */
export async function addBatchBills(db: Kysely<unknown>): Promise<void> {
  // SQLite adds one column at a time.
  const add = (name: string, type: 'integer' | 'bigint' | 'text', isCount: boolean) =>
    db.schema
      .alterTable('upstream_objects')
      .addColumn(name, type, (column) => (isCount ? column.notNull().defaultTo(0) : column))
      .execute();
  await add('billed', 'integer', true);
  await add('record_id', 'text', false);
  await add('spent_at', 'bigint', false);
  await add('looked_at', 'bigint', true);
  const { rows } = await sql<{ id: string; provider: string; account: string; object: string }>`
    select id, provider, account, object from upstream_objects where kind = 'batch' and object is not null`.execute(
    db,
  );
  for (const { id, provider, account, object } of rows) {
    const { status } = JSON.parse(object) as { status?: unknown };
    if (typeof status !== 'string' || !ENDED_BATCHES.includes(status.toLowerCase())) continue;
    await sql`update upstream_objects set billed = 1
      where id = ${id} and provider = ${provider} and account = ${account}`.execute(db);
  }
  await db.schema
    .createIndex('upstream_objects_unbilled')
    .on('upstream_objects')
    .column('looked_at')
    .where(sql.ref('kind'), '=', sql.lit('batch'))
    .where(sql.ref('billed'), '=', sql.lit(0))
    .execute();
}
