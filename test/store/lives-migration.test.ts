import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sql } from 'kysely';
import { MIGRATIONS } from '../../src/store/migrations.ts';
import { onEachDatabase } from '../support/databases.ts';
import { makeEarlier } from '../support/earlier-store.ts';

const LIVES = '0100_lives';

onEachDatabase((database) => {
  test('what was kept before is of the tenant that had the name when it was written', async (context) => {
    const { db } = await database.open(context);
    await makeEarlier(db, LIVES);
    await sql`insert into revisions (number, created_at, author, source, change_count)
      values (1, 50, 'a', 'api', 1), (2, 60, 'a', 'api', 1)`.execute(db);
    await sql`insert into revision_changes (revision, position, owner, kind, name, after)
      values (1, 0, 'api', 'providers', 'p', '{}'), (2, 0, 'api', 'tenants', 'acme', '{}')`.execute(db);
    await sql`insert into tenant_ends (tenant, revision, ended_at)
      values ('acme', 3, 100), ('acme', 7, 200)`.execute(db);
    for (const [id, tenant, at] of [
      ['a', 'acme', 100],
      ['b', 'acme', 101],
      ['c', 'acme', 201],
      ['d', 'beta', 1],
      ['e', 'default', 60],
      ['f', 'default', 61],
    ] as const) {
      await sql`insert into responses (tenant, id, key, created_at, expires_at, target, account)
        values (${tenant}, ${id}, 'k', ${at}, 1000, 'p/m', 'main')`.execute(db);
      await sql`insert into upstream_objects (id, kind, tenant, key, provider, account, created_at)
        values (${id}, 'file', ${tenant}, 'k', 'p', 'main', ${at})`.execute(db);
      await sql`insert into access_requests (id, tenant, key, model, reason, state, created_at)
        values (${id}, ${tenant}, 'k', 'm', 'r', 'denied', ${at})`.execute(db);
    }
    await MIGRATIONS[LIVES]?.up(db);
    for (const table of ['responses', 'upstream_objects', 'access_requests'] as const) {
      const rows = await db.selectFrom(table).select(['id', 'life']).orderBy('id').execute();
      assert.deepEqual(
        Object.fromEntries(rows.map(({ id, life }) => [id, life])),
        { a: 0, b: 3, c: 7, d: 0, e: 0, f: 2 },
        table,
      );
    }
  });
});
