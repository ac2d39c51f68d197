import { existsSync, mkdirSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Kysely, SqliteDialect } from 'kysely';
import { Migrator } from 'kysely/migration';
import { MIGRATIONS } from '../migrations.ts';
import type { Database } from '../schema.ts';
import type { OpenOptions, Store } from '../store.ts';
import { askBeforeUpgrade, UpgradeRefused } from '../upgrade.ts';
import { adaptDatabase } from './adapter.ts';
import { SqliteStore } from './store.ts';
import { sumWhatIsLeft } from './sums-writer.ts';

const IN_MEMORY = ':memory:';

/** At the start another process may be migrating. */
const START_BUSY_TIMEOUT_MS = 10_000;
/** Later a wait blocks every running call: the wait is short, and who writes (the ledger) tries again. */
const BUSY_TIMEOUT_MS = 250;

/** Of new databases. Records are written once to the log and once to the file, page by page: fewer pages cost less. */
const PAGE_BYTES = 8192;

/**
 * At most, of pages and of what a query sorts. Sums of many tenants are sorted, 80 bytes a row: what does not fit in here goes through
 * files, on the thread that serves the calls.
 */
const CACHE_KIB = 32 * 1024;

/** Opens (and, unless `readOnly`, creates and migrates) the SQLite database at a path or `:memory:`. */
export async function openSqliteStore(location: string, options: OpenOptions): Promise<Store> {
  const { readOnly = false, cwd = '.' } = options;
  const path = location === IN_MEMORY ? location : resolve(cwd, checkLocation(location));
  if (readOnly) checkExistence(path);
  let database: DatabaseSync | undefined;
  try {
    if (!readOnly && path !== IN_MEMORY) mkdirSync(dirname(path), { recursive: true });
    database = new DatabaseSync(path, { readOnly, timeout: START_BUSY_TIMEOUT_MS });
    const db = new Kysely<Database>({ dialect: new SqliteDialect({ database: adaptDatabase(database) }) });
    const migrator = new Migrator({ db, provider: { getMigrations: async () => MIGRATIONS } });
    if (readOnly) await checkMigrated(migrator);
    else {
      // Readers and the writer do not wait for each other, and a commit does not wait for the disk: after a
      // power cut the newest commits may be missing, but the file is whole.
      database.exec(
        `pragma page_size = ${PAGE_BYTES}; pragma journal_mode = wal; pragma synchronous = normal`,
      );
      await migrate(database, migrator, () => askBeforeUpgrade(db, migrator, options));
    }
    database.exec(`pragma busy_timeout = ${BUSY_TIMEOUT_MS}; pragma cache_size = -${CACHE_KIB}`);
    return new SqliteStore(database, db, options.mostUnsummed);
  } catch (cause) {
    database?.close();
    if (cause instanceof UpgradeRefused) throw cause.cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`The database ${path} cannot be opened: ${reason}`, { cause });
  }
}

function checkLocation(location: string): string {
  if (location !== '' && !location.startsWith('//')) return location;
  throw new Error(
    'The store must be sqlite:PATH with nothing before the path, e.g. sqlite:/var/lib/fairlead.db.',
  );
}

function checkExistence(path: string): void {
  if (path === IN_MEMORY || existsSync(path)) return;
  throw new Error(`There is no database at ${path}. The gateway makes it when it first starts.`);
}

/**
 * Kysely runs migrations on SQLite outside a transaction. In one of ours either all of them are there or none, and
 * a second process that starts meanwhile waits and finds them done.
 */
async function migrate(
  database: DatabaseSync,
  migrator: Migrator,
  askFirst: () => Promise<void>,
): Promise<void> {
  database.exec('begin immediate');
  try {
    await askFirst();
    const { error } = await migrator.migrateToLatest();
    if (error) throw error;
  } catch (error) {
    database.exec('rollback');
    throw error;
  }
  sumWhatIsLeft(database);
  database.exec('commit');
}

async function checkMigrated(migrator: Migrator): Promise<void> {
  const migrations = await migrator.getMigrations();
  if (migrations.every((migration) => migration.executedAt)) return;
  throw new Error(
    'it was written by an older version; start this version of the gateway once to bring it up to date',
  );
}
