import { type Kysely, SqliteAdapter, sql } from 'kysely';
import { ADDEND_SQL, MS_PER_DAY, MS_PER_HOUR, type SumNumber } from './usage-sums.ts';
import { widenSums } from './widen-sums.ts';

const SPANS = { usage_by_hour: MS_PER_HOUR, usage_by_day: MS_PER_DAY } as const;
const NAMES = ['tenant', 'key', 'model', 'target', 'outcome'] as const;
/** What was summed up to here. */
export const FIRST_SUM_NUMBERS: readonly SumNumber[] = [
  ...(['calls', 'priced_calls', 'unpriced_calls', 'cost_micro_usd'] as const),
  ...(['input_tokens', 'input_audio_tokens', 'cache_read_tokens', 'cache_write_tokens'] as const),
  ...(['cache_write_1h_tokens', 'output_tokens', 'output_audio_tokens', 'reasoning_tokens'] as const),
];
const KEY = ['span', ...NAMES].map(quoted).join(', ');

/**
 * Gives the tables of sums a tier. Sums of before it are of the standard one; what is still there of calls that were served in another is
 * moved from them into sums of its own.
 */
export async function addTierToSums(db: Kysely<unknown>): Promise<void> {
  const isSqlite = db.getExecutor().adapter instanceof SqliteAdapter;
  await widenSums(db, { names: NAMES, numbers: FIRST_SUM_NUMBERS, newName: 'tier' });
  for (const table of ['usage_by_hour', 'usage_by_day'] as const) await moveTiers(db, table, isSqlite);
}

async function moveTiers(db: Kysely<unknown>, table: keyof typeof SPANS, isSqlite: boolean): Promise<void> {
  // In SQLite some calls may not be in the sums yet.
  const summed = isSqlite ? ' and rowid <= (select summed_to from usage_summed)' : '';
  const source = `calls where tier is not null${summed}`;
  await addSums(db, table, source, { sign: '', tier: "'=' || tier" });
  await addSums(db, table, source, { sign: '-', tier: "''" });
  await sql`delete from ${sql.table(table)} where calls = 0`.execute(db);
}

async function addSums(
  db: Kysely<unknown>,
  table: keyof typeof SPANS,
  source: string,
  { sign, tier }: { sign: '' | '-'; tier: string },
): Promise<void> {
  const span = `started_at - started_at % ${SPANS[table]}`;
  const names = NAMES.map((name) =>
    name === 'outcome' ? 'outcome' : `coalesce('=' || ${quoted(name)}, '')`,
  );
  const numbers = FIRST_SUM_NUMBERS.map((number) => `${sign}sum(${ADDEND_SQL[number]})`);
  const additions = FIRST_SUM_NUMBERS.map(
    (number) => `${quoted(number)} = ${table}.${quoted(number)} + excluded.${quoted(number)}`,
  );
  const groups = ['span', ...NAMES, 'tier'].map((_, index) => index + 1).join(', ');
  await sql
    .raw(`insert into ${table} (${KEY}, tier, ${FIRST_SUM_NUMBERS.map(quoted).join(', ')})
    select ${span}, ${names.join(', ')}, ${tier}, ${numbers.join(', ')} from ${source} group by ${groups}
    on conflict (${KEY}, tier) do update set ${additions.join(', ')}`)
    .execute(db);
}

function quoted(column: string): string {
  return `"${column}"`;
}
