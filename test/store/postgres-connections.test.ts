import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { openStore } from '../../src/store/open.ts';
import { postgres } from '../support/databases.ts';

test('a connection that ends while it is held between two statements ends what it was held for, and nothing else', {
  skip: postgres.skip,
}, async (context) => {
  const url = await postgres.makeUrl(context);
  const [store, other] = [await openStore(url), await openStore(url)];
  context.after(async () => {
    await store.close();
    await other.close();
  });
  const held = store.db.transaction().execute(async (db) => {
    const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(db);
    await sql`select pg_terminate_backend(${rows[0]?.pid})`.execute(other.db);
    // An error that nobody listens for would end the process in this time.
    await sleep(100);
    await sql`select 1`.execute(db);
  });
  await assert.rejects(held);
  const { rows } = await sql<{ one: number }>`select 1 as one`.execute(store.db);
  assert.deepEqual(rows, [{ one: 1 }]);
});
