import { join } from 'node:path';
import { after, describe, type TestContext } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import pg from 'pg';
import { openStore } from '../../src/store/open.ts';
import type { OpenOptions, Store } from '../../src/store/store.ts';
import { placeEmptyStore } from './empty-store.ts';
import { startPostgres } from './postgres-server.ts';
import { execute, makeDatabase, makeTemplate } from './postgres-template.ts';
import { scale } from './scale.ts';
import { makeTempDirectory } from './temp-store.ts';

/** What `test/run.ts` tells the tests of the server that it started for all of them. */
export const POSTGRES_URL = 'FAIRLEAD_TEST_POSTGRES_URL';
export const POSTGRES_MISSING = 'FAIRLEAD_TEST_POSTGRES_MISSING';

/** A kind of database that the store works on. */
export interface TestDatabase {
  name: 'SQLite' | 'PostgreSQL';
  /** The URL of a fresh database that has its tables and holds nothing, and is gone after the test. */
  makeUrl(context: TestContext): Promise<string>;
  /** The same without the tables, as a first start finds it. */
  makeBareUrl(context: TestContext): Promise<string>;
  /** A store in a fresh database, open until the test ends. */
  open(context: TestContext, options?: OpenOptions): Promise<Store>;
  /** Resolves when no query is under way: what tests on a virtual clock wait for. */
  settle(): Promise<unknown>;
}

/** The connections of readers that are in use or being made, of all pools. */
let inUse = 0;
const watched = new WeakSet<pg.Pool>();
const { connect } = pg.Pool.prototype;
pg.Pool.prototype.connect = function watch(this: pg.Pool, ...parameters: Parameters<typeof connect>) {
  const connecting: unknown = connect.apply(this, parameters);
  if (!(connecting instanceof Promise)) return connecting;
  inUse += 1;
  if (!watched.has(this)) this.on('release', () => (inUse -= 1));
  watched.add(this);
  connecting.catch(() => (inUse -= 1));
  return connecting;
} as typeof connect;

async function settlePostgres(): Promise<void> {
  for (let quietTurns = 0; quietTurns < 3; quietTurns += 1) {
    await setImmediate();
    if (inUse > 0) quietTurns = -1;
  }
}

const server = await findServer();
const missing = 'missing' in server ? `there is no PostgreSQL: ${server.missing}` : false;

const sqlite: TestDatabase = {
  name: 'SQLite',
  makeUrl: makeSqliteFile,
  makeBareUrl: async (context) => `sqlite:${join(makeTempDirectory(context), 'fairlead.db')}`,
  open: (context, options) => open(sqlite, context, options),
  settle: () => setImmediate(),
};
export const postgres: TestDatabase & { skip: string | false } = {
  name: 'PostgreSQL',
  /** Loud where there is no server: the report names every suite that did not run, and why. */
  skip: missing,
  makeUrl: (context) => makePostgresDatabase(context, false),
  makeBareUrl: (context) => makePostgresDatabase(context, true),
  open: (context, options) => open(postgres, context, options),
  settle: settlePostgres,
};

/** The same, for what takes long: the sample has the database that is further away. */
export function onEachDatabaseInTurn(define: (database: TestDatabase) => void): void {
  const nearer = missing === false ? [] : [sqlite];
  const chosen = scale({ sample: nearer, heavy: [sqlite] });
  for (const database of chosen) describe(database.name, () => define(database));
  describe(postgres.name, { skip: missing }, () => define(postgres));
}

/** The same tests on every kind of database. */
export function onEachDatabase(define: (database: TestDatabase) => void): void {
  describe(sqlite.name, () => define(sqlite));
  describe(postgres.name, { skip: missing }, () => define(postgres));
}

async function open(database: TestDatabase, context: TestContext, options?: OpenOptions): Promise<Store> {
  const store = await openStore(await database.makeUrl(context), options);
  context.after(() => store.close());
  return store;
}

/** The one of the whole run; where a file runs alone, one for it. */
async function findServer(): Promise<{ url: string } | { missing: string }> {
  const { [POSTGRES_URL]: url, [POSTGRES_MISSING]: reason } = process.env;
  if (url !== undefined) return { url };
  if (reason !== undefined) return { missing: reason };
  const own = await startPostgres();
  if ('missing' in own) return own;
  after(() => own.remove());
  await makeTemplate(own.url);
  return own;
}

let made = 0;

async function makePostgresDatabase(context: TestContext, isBare: boolean): Promise<string> {
  if (!('url' in server)) throw new Error('a test that needs PostgreSQL runs without it');
  made += 1;
  const name = `test_${process.pid}_${made}`;
  const url = await makeDatabase(server.url, name, isBare);
  // Hooks of a test run in the order in which they were added: its store is still open here.
  context.after(() => execute(server.url, `drop database ${name} with (force)`));
  return url;
}

async function makeSqliteFile(context: TestContext): Promise<string> {
  const path = join(makeTempDirectory(context), 'fairlead.db');
  await placeEmptyStore(path);
  return `sqlite:${path}`;
}

/** Deletes the calls and all that is made from them. */
export async function deleteCalls(store: Store): Promise<void> {
  for (const table of ['calls', 'usage_by_hour', 'usage_by_day'] as const) {
    await store.db.deleteFrom(table).execute();
  }
}
