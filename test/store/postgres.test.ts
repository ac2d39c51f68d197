import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { openStore } from '../../src/store/open.ts';
import { toCallRow } from '../../src/usage/call-row.ts';
import { postgres } from '../support/databases.ts';
import { execute } from '../support/postgres-template.ts';
import { makeRecord } from '../support/usage-records.ts';

/** The URL with some of its parts replaced. */
function change(url: string, parts: Partial<Pick<URL, 'username' | 'password' | 'pathname'>>): string {
  return Object.assign(new URL(url), parts).href;
}

describe('PostgreSQL', { skip: postgres.skip }, () => {
  test('several may open a new database at once', async (context) => {
    const url = await postgres.makeBareUrl(context);
    const stores = await Promise.all([1, 2, 3, 4].map(() => openStore(url)));
    const row = toCallRow(makeRecord());
    for (const store of stores) await store.insertCalls([row]);
    assert.equal((await stores[0]?.db.selectFrom('calls').select('id').execute())?.length, 1);
    for (const store of stores) await store.close();
  });

  test('several may write at once, also the same calls', async (context) => {
    const url = await postgres.makeBareUrl(context);
    const stores = await Promise.all([1, 2, 3].map(() => openStore(url)));
    const rows = Array.from({ length: 300 }, () => toCallRow(makeRecord()));
    for (let start = 0; start < rows.length; start += 50) {
      const batch = rows.slice(start, start + 50);
      await Promise.all(
        stores.map((store, index) => store.insertCalls(index === 1 ? batch.toReversed() : batch)),
      );
    }
    const [first] = stores;
    assert.equal((await first?.db.selectFrom('calls').select('id').execute())?.length, 300);
    for (const store of stores) await store.close();
  });

  test('a start that fails says why, and never the password', async (context) => {
    const url = await postgres.makeBareUrl(context);
    await execute(url, "create role guest login password 'letmein'");
    context.after(() => execute(url, 'drop role if exists guest').catch(() => undefined));
    const failures: [url: string, reason: RegExp][] = [
      [
        change(url, { password: 'wr0ng' }),
        /cannot be opened: it refuses the user 'fairlead': the password is wrong$/,
      ],
      [
        change(url, { pathname: '/nothing' }),
        /^The database nothing at .*: the server has no such database\. Create it: createdb nothing$/,
      ],
      [change(url, { username: 'guest', password: 'letmein' }), /the user 'guest' may not make tables in it/],
    ];
    for (const [wrong, reason] of failures) {
      await assert.rejects(openStore(wrong), (error: Error) => {
        assert.match(error.message, reason);
        assert.doesNotMatch(error.message, /wr0ng|letmein|s3cret/);
        return true;
      });
    }
  });

  test('a database that cannot hold every text is refused', async (context) => {
    const url = await postgres.makeBareUrl(context);
    const name = `latin_${process.pid}`;
    await execute(url, `create database ${name} encoding 'LATIN1' locale 'C' template template0`);
    context.after(() => execute(url, `drop database if exists ${name} with (force)`).catch(() => undefined));
    await assert.rejects(openStore(change(url, { pathname: `/${name}` })), /its encoding is LATIN1/);
    await execute(url, `drop database ${name} with (force)`);
  });

  test('a reader does not make tables', async (context) => {
    const url = await postgres.makeBareUrl(context);
    await assert.rejects(openStore(url, { readOnly: true }), /start this version of the gateway once/);
    await (await openStore(url)).close();
    const reader = await openStore(url, { readOnly: true });
    assert.deepEqual(await reader.db.selectFrom('calls').selectAll().execute(), []);
    await reader.close();
  });

  test('connections that the server cuts are replaced', async (context) => {
    const url = await postgres.makeBareUrl(context);
    const store = await openStore(url);
    await store.insertCalls([toCallRow(makeRecord())]);
    await store.db.selectFrom('calls').select('id').execute();
    await execute(
      url,
      'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
    );
    const row = toCallRow(makeRecord());
    // The pool may not have seen yet that the connection is gone: then it is told, as the ledger would be.
    await store.insertCalls([row]).catch(() => store.insertCalls([row]));
    const read = () => store.db.selectFrom('calls').select('id').execute();
    assert.equal((await read().catch(read)).length, 2);
    await store.close();
  });
});
