import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sql } from 'kysely';
import { openStore } from '../../src/store/open.ts';
import type { ConfigEntryRow, RevisionRow } from '../../src/store/schema.ts';
import type { Store } from '../../src/store/store.ts';
import { adminClient } from '../support/admin.ts';
import { onEachDatabase } from '../support/databases.ts';
import { makeEarlier } from '../support/earlier-store.ts';
import { startGateway } from '../support/gateway.ts';

const LAST = '0090_tenant_ends';

async function listMigrations({ db }: Store): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`select name from kysely_migration order by name`.execute(db);
  return rows.map(({ name }) => name);
}

/** As the admin API notes it. */
async function declareTenant({ db }: Store, declaration: object): Promise<void> {
  const revision: RevisionRow = {
    number: 1,
    created_at: 1,
    author: 'ops',
    source: 'api',
    document_hash: null,
    change_count: 1,
  };
  const value = JSON.stringify(declaration);
  const entry: ConfigEntryRow = { kind: 'tenants', name: 'lim', owner: 'api', value, revision: 1 };
  await db.insertInto('revisions').values(revision).execute();
  await db.insertInto('config_entries').values(entry).execute();
}

onEachDatabase((database) => {
  test('a store of an earlier version whose configuration does not fit stays as it is', async (context) => {
    const url = await database.makeUrl(context);
    const store = await openStore(url);
    await makeEarlier(store.db, LAST);
    await declareTenant(store, { models: ['*'], modelLimits: { gone: {} }, noField: 1 });
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
    await makeEarlier(store.db, LAST);
    await declareTenant(store, { models: ['*'] });
    assert.ok((await listMigrations(store)).length < all.length);
    const again = await startGateway({ store: url });
    context.after(() => again.stop());
    assert.deepEqual(await listMigrations(store), all);
    await adminClient(again.url).must('GET', '/tenants/lim');
    await store.close();
  });
});
