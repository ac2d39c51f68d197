import { type CreateTableBuilder, type Kysely, SqliteAdapter, sql } from 'kysely';
import { FIRST_SUM_NUMBERS } from './sums-by-tier.ts';

const NAMES = ['tenant', 'key', 'model', 'target', 'outcome', 'tier', 'prompt'] as const;
const NUMBERS = [...FIRST_SUM_NUMBERS, 'cached_calls', 'saved_micro_usd'] as const;
const REALS: ReadonlySet<string> = new Set(['cost_micro_usd', 'saved_micro_usd']);

/** Which side of a rollout calls were on, in calls and their sums. Calls and sums of before it are of none. */
export async function addSidesToCalls(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('calls').addColumn('side', 'text').execute();
  for (const table of ['usage_by_hour', 'usage_by_day']) await widen(db, table);
}

/** Neither database can give a key another column. */
async function widen(db: Kysely<unknown>, table: string): Promise<void> {
  const before = `${table}_before`;
  await db.schema.alterTable(table).renameTo(before).execute();
  let create: CreateTableBuilder<string, string> = db.schema
    .createTable(table)
    .addColumn('span', 'bigint', (column) => column.notNull());
  for (const name of [...NAMES, 'side'])
    create = create.addColumn(name, 'text', (column) => column.notNull());
  for (const number of NUMBERS) {
    const type = REALS.has(number) ? 'double precision' : 'bigint';
    create = create.addColumn(number, type, (column) => column.notNull());
  }
  create = create.addPrimaryKeyConstraint(`${table}_by_side`, ['span', ...NAMES, 'side']);
  // The key is most of a row: SQLite would write it twice.
  if (db.getExecutor().adapter instanceof SqliteAdapter) create = create.modifyEnd(sql`without rowid`);
  await create.execute();
  const kept = ['span', ...NAMES, ...NUMBERS].map((column) => `"${column}"`).join(', ');
  await sql.raw(`insert into ${table} (${kept}, side) select ${kept}, '' from ${before}`).execute(db);
  await db.schema.dropTable(before).execute();
}
