import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sql } from 'kysely';
import { MIGRATIONS } from '../../src/store/migrations.ts';
import type { Store } from '../../src/store/store.ts';
import { BatchBills } from '../../src/tenants/batch-bills.ts';
import { type UpstreamObject, UpstreamObjects } from '../../src/tenants/upstream-objects.ts';
import { onEachDatabase } from '../support/databases.ts';
import { makeEarlier } from '../support/earlier-store.ts';

const batch = (id: string, differences: Partial<UpstreamObject> = {}): UpstreamObject => ({
  ...{ id, kind: 'batch', tenant: 'acme', life: 0, key: 'app', provider: 'openai', account: 'main' },
  ...{ created_at: 0, expires_at: null, object: '{"status":"in_progress"}', target: null },
  ...differences,
});

async function bind(store: Store, batches: UpstreamObject[]): Promise<void> {
  await new UpstreamObjects(store, () => 0).bind(batches);
}

onEachDatabase((database) => {
  test('a batch has one bill, whoever begins it: that of the first', async (context) => {
    const store = await database.open(context);
    await bind(store, [batch('b'), batch('b', { account: 'other' }), batch('f', { kind: 'file' })]);
    const bills = new BatchBills(store);
    const proposed = ['one', 'two', 'three'].map((recordId, at) => ({ recordId, spentAt: 100 + at }));
    const begun = await Promise.all(proposed.map((bill) => bills.begin(batch('b'), bill)));
    assert.deepEqual(begun, [begun[0], begun[0], begun[0]]);
    const late = { recordId: 'late', spentAt: 999 };
    assert.deepEqual(await bills.begin(batch('b'), late), begun[0]);
    assert.deepEqual(await bills.begin(batch('b', { account: 'other' }), late), late);
    // It is unbilled until its record is in the store.
    assert.equal((await bills.findUnbilled(batch('b')))?.key, 'app');
    await bills.finish(batch('b'));
    assert.equal(await bills.findUnbilled(batch('b')), undefined);
    assert.ok(await bills.findUnbilled(batch('b', { account: 'other' })));
    assert.equal(await bills.findUnbilled(batch('f')), undefined);
  });

  test('a batch that is seen again stays billed', async (context) => {
    const store = await database.open(context);
    const bills = new BatchBills(store);
    await bind(store, [batch('b')]);
    await bills.finish(batch('b'));
    await bind(store, [batch('b', { object: '{"status":"completed"}' })]);
    assert.equal(await bills.findUnbilled(batch('b')), undefined);
  });

  test('each batch that is due is looked at by one instance, those first that nobody looked at for longest', async (context) => {
    const store = await database.open(context);
    const instances = [new BatchBills(store), new BatchBills(store)];
    const names = Array.from({ length: 20 }, (_, index) => `b${index}`);
    await bind(store, [...names.map((id) => batch(id)), batch('billed'), batch('file', { kind: 'file' })]);
    await instances[0]?.finish(batch('billed'));
    const taken = await Promise.all(instances.map((bills) => bills.takeDue(500, 1_000, 100)));
    const ids = taken.flat().map(({ id }) => id);
    assert.deepEqual(ids.toSorted(), names.toSorted());
    const [bills = new BatchBills(store)] = instances;
    assert.deepEqual(await bills.takeDue(999, 1_500, 100), []);
    await bind(store, [batch('new')]);
    assert.deepEqual(
      (await bills.takeDue(1_000, 1_500, 1)).map(({ id }) => id),
      ['new'],
    );
  });

  test('what had ended before the gateway billed batches is not billed by a new version', async (context) => {
    const { db } = await database.open(context);
    const name = '0120_batch_bills';
    await makeEarlier(db, name);
    for (const [id, kind, object] of [
      ['ended', 'batch', '{"status":"completed"}'],
      ['running', 'batch', '{"status":"in_progress","metadata":{"status":"completed"}}'],
      ['unknown', 'batch', null],
      ['file', 'file', '{"status":"completed"}'],
    ] as const) {
      await sql`insert into upstream_objects (id, kind, tenant, life, key, provider, account, created_at, object)
        values (${id}, ${kind}, 'acme', 0, 'app', 'p', 'main', 1, ${object})`.execute(db);
    }
    await MIGRATIONS[name]?.up(db);
    const rows = await db.selectFrom('upstream_objects').select(['id', 'billed']).orderBy('id').execute();
    assert.deepEqual(
      rows.map(({ id, billed }) => [id, billed]),
      [
        ['ended', 1],
        ['file', 0],
        ['running', 0],
        ['unknown', 0],
      ],
    );
  });
});
