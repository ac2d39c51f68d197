import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { sql } from 'kysely';
import { openStore } from '../../src/store/open.ts';
import { toCallRow } from '../../src/usage/call-row.ts';
import { makeTempDirectory, openTempStore } from '../support/temp-store.ts';
import { makeRecord } from '../support/usage-records.ts';

test('the database and the directories above it are made', async (context) => {
  const path = join(makeTempDirectory(context), 'some/where/fairlead.db');
  const store = await openStore(`sqlite:${path}`);
  assert.ok(existsSync(path));
  assert.deepEqual(await store.db.selectFrom('calls').selectAll().execute(), []);
  await store.close();
});

test('readers do not wait for the writer: the database keeps a write-ahead log', async (context) => {
  const store = await openTempStore(context);
  const { rows } = await sql<{ journal_mode: string }>`pragma journal_mode`.execute(store.db);
  assert.deepEqual(
    rows.map((row) => row.journal_mode),
    ['wal'],
  );
});

test('a database in memory needs no file', async () => {
  const store = await openStore('sqlite::memory:');
  await store.insertCalls([toCallRow(makeRecord())]);
  assert.equal((await store.db.selectFrom('calls').select('id').execute()).length, 1);
  await store.close();
});

test('a reader sees the records of a gateway that is running, and cannot write', async (context) => {
  const url = `sqlite:${join(makeTempDirectory(context), 'fairlead.db')}`;
  const writer = await openStore(url);
  const reader = await openStore(url, { readOnly: true });
  await writer.insertCalls([toCallRow(makeRecord())]);
  assert.equal((await reader.db.selectFrom('calls').select('id').execute()).length, 1);
  await assert.rejects(reader.insertCalls([toCallRow(makeRecord())]), /readonly/);
  await reader.close();
  await writer.close();
});

test('a reader can read a database that no gateway has open', async (context) => {
  const url = `sqlite:${join(makeTempDirectory(context), 'fairlead.db')}`;
  await (await openStore(url)).close();
  const reader = await openStore(url, { readOnly: true });
  assert.deepEqual(await reader.db.selectFrom('calls').selectAll().execute(), []);
  await reader.close();
});

test('a migration that fails leaves the database as it was', async (context) => {
  const path = join(makeTempDirectory(context), 'fairlead.db');
  const database = new DatabaseSync(path);
  database.exec('create table keys (mine text)');
  await assert.rejects(openStore(`sqlite:${path}`), /cannot be opened: table "keys" already exists/);
  const tables = database.prepare("select name from sqlite_master where type = 'table'").all();
  assert.deepEqual(
    tables.map((table) => table['name']),
    ['keys'],
  );
  database.close();
});

test('a database of a newer version is refused', async (context) => {
  const path = join(makeTempDirectory(context), 'fairlead.db');
  await (await openStore(`sqlite:${path}`)).close();
  const database = new DatabaseSync(path);
  database.exec("insert into kysely_migration values ('9999_from_the_future', '2030-01-01T00:00:00.000Z')");
  database.close();
  await assert.rejects(openStore(`sqlite:${path}`), /cannot be opened: .*9999_from_the_future/);
});

const REFUSED: [url: string, readOnly: boolean, message: RegExp][] = [
  [
    'postgres://fairlead:s3cret@db:x/fairlead',
    false,
    /^The store's URL cannot be read\. It must be postgres:/,
  ],
  [
    'postgresql://fairlead:s3cret@127.0.0.1:1/f',
    false,
    /^The database f at 127\.0\.0\.1:1 cannot be opened: nothing listens/,
  ],
  [
    'postgres://fairlead:s3cret@no-such-host.invalid/f',
    true,
    /^The database f at no-such-host\.invalid:5432 cannot be opened: /,
  ],
  ['mysql://fairlead:s3cret@db/fairlead', false, /^The store's URL must be sqlite:PATH/],
  ['fairlead.db', false, /^The store's URL must be sqlite:PATH/],
  ['constructor:x', false, /^The store's URL must be sqlite:PATH/],
  ['sqlite:', false, /^The store must be sqlite:PATH/],
  ['sqlite://fairlead.db', false, /^The store must be sqlite:PATH/],
  ['sqlite:/nowhere/fairlead.db', true, /^There is no database at \/nowhere\/fairlead.db/],
];

for (const [url, readOnly, message] of REFUSED) {
  test(`the store ${url} is refused${readOnly ? ' to a reader' : ''}, without its password`, async () => {
    await assert.rejects(openStore(url, { readOnly }), (error: Error) => {
      assert.match(error.message, message);
      assert.doesNotMatch(error.message, /s3cret/);
      return true;
    });
  });
}
