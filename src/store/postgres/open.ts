import { Kysely, PostgresDialect, sql } from 'kysely';
import { Migrator } from 'kysely/migration';
import { MIGRATIONS } from '../migrations.ts';
import type { Database } from '../schema.ts';
import type { OpenOptions, Store } from '../store.ts';
import { askBeforeUpgrade, UpgradeRefused } from '../upgrade.ts';
import { adaptPool, tellAway } from './adapter.ts';
import { describePlace, makePool } from './connection.ts';
import { explainFailure } from './explain.ts';
import { PostgresStore } from './store.ts';

/** What reads beside the ledger: the admin API, kept responses, upstream objects. */
const READERS = 10;

/** Opens (and, unless `readOnly`, migrates) the PostgreSQL database at a URL. */
export async function openPostgresStore(location: string, options: OpenOptions): Promise<Store> {
  const url = `postgres:${location}`;
  const { place, ...names } = describePlace(url);
  try {
    await prepare(url, options);
  } catch (cause) {
    if (cause instanceof UpgradeRefused) throw cause.cause;
    throw new Error(`The database ${place} cannot be opened: ${explainFailure(cause, names)}`, { cause });
  }
  const readers = connect(makePool(url, { connections: READERS, hurried: true }), tellAway);
  const writer = makePool(url, { connections: 1, hurried: true });
  return new PostgresStore(readers, writer);
}

function connect(
  pool: ReturnType<typeof makePool>,
  translate: (error: unknown) => unknown,
): Kysely<Database> {
  return new Kysely<Database>({ dialect: new PostgresDialect({ pool: adaptPool(pool, translate) }) });
}

/** Kysely migrates in one transaction under an advisory lock: of several that start at once, one does. */
async function prepare(url: string, options: OpenOptions): Promise<void> {
  const db = connect(makePool(url, { connections: 1, hurried: false }), (error) => error);
  try {
    await checkEncoding(db);
    const migrator = new Migrator({ db, provider: { getMigrations: async () => MIGRATIONS } });
    if (options.readOnly) return await checkMigrated(migrator);
    await askBeforeUpgrade(db, migrator, options);
    const { error } = await migrator.migrateToLatest();
    if (error) throw error;
  } finally {
    await db.destroy();
  }
}

async function checkEncoding(db: Kysely<Database>): Promise<void> {
  const { rows } = await sql<{ server_encoding: string }>`show server_encoding`.execute(db);
  const encoding = rows[0]?.server_encoding;
  if (encoding === 'UTF8') return;
  throw new Error(`its encoding is ${encoding}, which cannot hold every text; make one with UTF8`);
}

async function checkMigrated(migrator: Migrator): Promise<void> {
  const migrations = await migrator.getMigrations();
  if (migrations.every((migration) => migration.executedAt)) return;
  throw new Error('it is not of this version; start this version of the gateway once to bring it up to date');
}
