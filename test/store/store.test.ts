import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openStore } from '../../src/store/open.ts';
import { toCallRow } from '../../src/usage/call-row.ts';
import { onEachDatabase } from '../support/databases.ts';
import { makeRecord } from '../support/usage-records.ts';

onEachDatabase((database) => {
  test('what was written is there when the database is opened again', async (context) => {
    const url = await database.makeBareUrl(context);
    const row = toCallRow(makeRecord());
    const first = await openStore(url);
    await first.insertCalls([row]);
    await first.close();
    const second = await openStore(url);
    const rows = await second.db.selectFrom('calls').selectAll().execute();
    assert.deepEqual(
      rows.map((each) => ({ ...each })),
      [row],
    );
    await second.close();
  });

  test('a call is there once however often it is inserted', async (context) => {
    const store = await database.open(context);
    const [one, other] = [toCallRow(makeRecord()), toCallRow(makeRecord())];
    await store.insertCalls([one, one]);
    await store.insertCalls([one, other]);
    const ids = await store.db.selectFrom('calls').select('id').orderBy('id').execute();
    assert.deepEqual(
      ids.map(({ id }) => id),
      [one.id, other.id],
    );
  });

  test('of a batch that fails nothing is kept, and the store goes on', async (context) => {
    const store = await database.open(context);
    const good = toCallRow(makeRecord());
    const bad = { ...toCallRow(makeRecord()), latency_ms: Number.NaN };
    await assert.rejects(store.insertCalls([good, bad]), /latency_ms/);
    assert.deepEqual(await store.db.selectFrom('calls').selectAll().execute(), []);
    await store.insertCalls([good]);
    assert.equal((await store.db.selectFrom('calls').select('id').execute()).length, 1);
  });

  test('a batch waits for a transaction that is open on the same store', async (context) => {
    const store = await database.open(context);
    let inserted: Promise<void> | undefined;
    await store.db.transaction().execute(async (db) => {
      await db.deleteFrom('keys').execute();
      inserted = store.insertCalls([toCallRow(makeRecord())]);
      await db.deleteFrom('keys').execute();
    });
    await inserted;
    assert.equal((await store.db.selectFrom('calls').select('id').execute()).length, 1);
  });

  test('a name with characters that no name has is kept, and found by itself', async (context) => {
    const store = await database.open(context);
    const model = 'a\u0001\u{1f600}"\\\u2028';
    await store.insertCalls([toCallRow(makeRecord({ model }))]);
    const rows = await store.db.selectFrom('calls').select('model').where('model', '=', model).execute();
    assert.deepEqual(
      rows.map((row) => row.model),
      [model],
    );
  });

  test('a name that is no text does not hold up the others', async (context) => {
    const store = await database.open(context);
    for (const model of ['nul \0 inside', 'half \ud83d of a pair', 'half \udc00']) {
      await store.insertCalls([toCallRow(makeRecord({ model }))]);
      const rows = await store.db.selectFrom('calls').select('id').where('model', '=', model).execute();
      assert.equal(rows.length, 1, JSON.stringify(model));
    }
  });
});
