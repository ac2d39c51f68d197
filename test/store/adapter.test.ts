import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sql } from 'kysely';
import { openTempStore } from '../support/temp-store.ts';

test('every kind of value that SQLite knows goes in and comes out', async (context) => {
  const store = await openTempStore(context);
  const bytes = new Uint8Array([0, 255]);
  const values = sql`${'text'} as a, ${1.5} as b, ${12n} as c, ${true} as d, ${false} as e, ${null} as f, ${bytes} as g`;
  const { rows } = await sql<Record<string, unknown>>`select ${values}`.execute(store.db);
  assert.deepEqual({ ...rows[0] }, { a: 'text', b: 1.5, c: 12, d: 1, e: 0, f: null, g: bytes });
});

test('a value that SQLite does not know is refused, not turned into text', async (context) => {
  const store = await openTempStore(context);
  for (const value of [undefined, {}, [], new Date(0), Symbol('x')]) {
    await assert.rejects(sql`select ${value}`.execute(store.db), TypeError);
  }
});

test('an insert tells how many rows it added, and gives them where it is asked to', async (context) => {
  const store = await openTempStore(context);
  const key = { hash: 'a', kind: 'admin', tenant: null, name: 'x', created_at: 1 } as const;
  const [plain] = await store.db.insertInto('keys').values(key).execute();
  assert.equal(plain?.numInsertedOrUpdatedRows, 1n);
  const returned = await store.db
    .insertInto('keys')
    .values({ ...key, hash: 'b', name: 'y' })
    .returning('hash')
    .execute();
  assert.deepEqual(
    returned.map(({ hash }) => hash),
    ['b'],
  );
});

test('rows can be read one at a time', async (context) => {
  const store = await openTempStore(context);
  const rows = ['a', 'b', 'c'].map((hash) => ({
    hash,
    kind: 'tenant' as const,
    tenant: 't',
    name: hash,
    created_at: 1,
  }));
  await store.db.insertInto('keys').values(rows).execute();
  const read: string[] = [];
  for await (const { hash } of store.db.selectFrom('keys').select('hash').orderBy('hash').stream())
    read.push(hash);
  assert.deepEqual(read, ['a', 'b', 'c']);
});
