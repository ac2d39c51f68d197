import { type CreateTableBuilder, type Kysely, SqliteAdapter, sql } from 'kysely';

const REALS: ReadonlySet<string> = new Set(['cost_micro_usd', 'saved_micro_usd']);

/** What the tables of sums have, and what they get. */
export interface Widening {
  /** What calls are summed by. */
  names: readonly string[];
  numbers: readonly string[];
  /** What they are summed by from now on, too: earlier sums are of none (`''`). */
  newName: string;
  /** Numbers of which earlier sums have nothing. */
  newNumbers?: readonly string[];
}

/** Has calls summed by one thing more. Neither database can give a key another column, so that the tables are made anew. */
export async function widenSums(db: Kysely<unknown>, widening: Widening): Promise<void> {
  for (const table of ['usage_by_hour', 'usage_by_day']) await widen(db, table, widening);
}

async function widen(
  db: Kysely<unknown>,
  table: string,
  { names, numbers, newName, newNumbers = [] }: Widening,
): Promise<void> {
  const before = `${table}_before`;
  await db.schema.alterTable(table).renameTo(before).execute();
  let create: CreateTableBuilder<string, string> = db.schema
    .createTable(table)
    .addColumn('span', 'bigint', (column) => column.notNull());
  for (const name of [...names, newName])
    create = create.addColumn(name, 'text', (column) => column.notNull());
  for (const number of [...numbers, ...newNumbers]) {
    const type = REALS.has(number) ? 'double precision' : 'bigint';
    create = create.addColumn(number, type, (column) => column.notNull());
  }
  create = create.addPrimaryKeyConstraint(`${table}_by_${newName}`, ['span', ...names, newName]);
  // The key is most of a row: SQLite would write it twice.
  if (db.getExecutor().adapter instanceof SqliteAdapter) create = create.modifyEnd(sql`without rowid`);
  await create.execute();
  const kept = ['span', ...names, ...numbers].map((column) => `"${column}"`).join(', ');
  const added = [newName, ...newNumbers].join(', ');
  const nothing = ["''", ...newNumbers.map(() => '0')].join(', ');
  await sql
    .raw(`insert into ${table} (${kept}, ${added}) select ${kept}, ${nothing} from ${before}`)
    .execute(db);
  await db.schema.dropTable(before).execute();
}
