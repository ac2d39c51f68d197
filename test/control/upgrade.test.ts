import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sql } from 'kysely';
import { openStore } from '../../src/store/open.ts';
import type { ConfigEntryRow, RevisionRow } from '../../src/store/schema.ts';
import type { Store } from '../../src/store/store.ts';
import { onEachDatabase } from '../support/databases.ts';
import { startGateway } from '../support/gateway.ts';

const LAST = '0090_tenant_ends';

async function listMigrations({ db }: Store): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`select name from kysely_migration order by name`.execute(db);
  return rows.map(({ name }) => name);
}

onEachDatabase((database) => {
  test('a store of an earlier version whose configuration does not fit stays as it is', async (context) => {
    const url = await database.makeUrl(context);
    const store = await openStore(url);
    const value = JSON.stringify({ models: ['*'], modelLimits: { gone: {} }, noField: 1 });
    const entry: ConfigEntryRow = { kind: 'tenants', name: 'lim', owner: 'api', value, revision: 1 };
    const revision: RevisionRow = {
      number: 1,
      created_at: 1,
      author: 'ops',
      source: 'api',
      document_hash: null,
      change_count: 1,
    };
    await store.db.insertInto('revisions').values(revision).execute();
    await store.db.insertInto('config_entries').values(entry).execute();
    await sql`drop table tenant_ends`.execute(store.db);
    await sql`delete from kysely_migration where name >= ${LAST}`.execute(store.db);
    const before = await listMigrations(store);

    await assert.rejects(startGateway({ store: url }), {
      name: 'ConfigError',
      message: /^admin API: tenants\.lim\.noField: unknown key/,
    });
    assert.deepEqual(await listMigrations(store), before);

    // What the file of this start declares is held against it, too.
    const mended = JSON.stringify({ models: ['*'], modelLimits: { gone: {} } });
    await store.db.updateTable('config_entries').set({ value: mended }).execute();
    await assert.rejects(
      startGateway({ store: url, tenants: { lim: { models: ['*'] } } }),
      /tenants\.lim: is declared by both/,
    );
    assert.deepEqual(await listMigrations(store), before);
    await store.close();
  });

  test('a store of an earlier version whose configuration fits is brought up to date', async (context) => {
    const url = await database.makeUrl(context);
    const gateway = await startGateway({ store: url });
    await gateway.stop();
    const store = await openStore(url);
    const all = await listMigrations(store);
    const last = all.at(-1) ?? '';
    if (last === LAST) {
      await sql`drop table tenant_ends`.execute(store.db);
      await sql`delete from kysely_migration where name = ${LAST}`.execute(store.db);
    }
    const again = await startGateway({ store: url });
    context.after(() => again.stop());
    assert.deepEqual(await listMigrations(store), all);
    await store.close();
  });
});
