import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PluginTransformQueryArgs, PluginTransformResultArgs } from 'kysely';
import type { Change } from '../../src/control/change.ts';
import { type NewRevision, RevisionStore } from '../../src/control/revision-store.ts';
import { MIGRATIONS } from '../../src/store/migrations.ts';
import type { Store } from '../../src/store/store.ts';
import { AccessRequests } from '../../src/tenants/access-requests.ts';
import { TenantEnds } from '../../src/tenants/tenant-ends.ts';
import { onEachDatabase } from '../support/databases.ts';

const VALUE = { models: ['*'] };

const make = (name: string, owner: Change['owner'] = 'api'): Change => ({
  ...{ owner, kind: 'tenants', name },
  ...{ before: undefined, after: VALUE },
});
const end = (name: string, owner: Change['owner'] = 'api'): Change => ({
  ...{ owner, kind: 'tenants', name },
  ...{ before: VALUE, after: undefined },
});

onEachDatabase((database) => {
  function writerTo(store: Pick<Store, 'db'>) {
    const revisions = new RevisionStore(store);
    let number = 0;
    const write = async (changes: Change[], more: Partial<NewRevision> = {}) => {
      number += 1;
      const revision: NewRevision = {
        ...{ number, createdAt: number * 1_000, author: 'ops', source: 'api', documentHash: null },
        ...{ changes, ...more },
      };
      assert.equal(await revisions.append(revision), true);
      return number;
    };
    return { write };
  }

  async function open(context: Parameters<typeof database.open>[0]) {
    const store = await database.open(context);
    return { store, ...writerTo(store), ends: new TenantEnds(store) };
  }

  test('a tenant that only goes over to the other owner neither ends nor begins', async (context) => {
    const { store, write, ends } = await open(context);
    await write([make('acme')]);
    const requests = new AccessRequests(store, () => 1_500);
    const asked = await requests.ask({ tenant: 'acme', life: 0, key: 'app', model: 'gold', reason: 'ours' });
    await write([end('acme'), make('acme', 'file')]);
    await ends.readAll();
    assert.equal(ends.find('acme'), undefined);
    assert.equal((await requests.find(asked.request.id, { tenant: 'acme', life: 0 }))?.state, 'pending');
  });

  test('a start knows the ends of the names that are configured, and of no others', async (context) => {
    const { write, ends } = await open(context);
    await write([make('acme'), make('gone'), make('stays')]);
    await write([end('acme'), end('gone')]);
    await write([make('acme')]);
    await ends.readAll();
    assert.deepEqual(ends.find('acme'), { revision: 2, endedAt: 3_000 });
    assert.deepEqual([ends.find('gone'), ends.find('stays')], [undefined, undefined]);
  });

  test('a revision has the newest ends of its own tenants read, and of no others', async (context) => {
    const { write, ends } = await open(context);
    const first = await write([make('acme'), make('other')]);
    await write([end('acme'), end('other')]);
    await write([make('acme'), make('other')]);
    const second = await write([end('acme')]);
    assert.deepEqual(
      await ends.read(['acme', 'new']),
      new Map([
        ['acme', { revision: second, endedAt: 4_000 }],
        ['new', undefined],
      ]),
    );
    ends.take(await ends.read(['acme']));
    assert.deepEqual([ends.find('acme')?.revision, ends.find('other')], [second, undefined]);
    await write([make('acme')], { restores: second - 1 });
    ends.take(await ends.read(['acme']));
    assert.notEqual(ends.find('acme')?.revision, first, 'it is the second one again');
    assert.equal(ends.find('acme')?.revision, 2);
  });

  test('of ten times as many tenants that go and come not many more statements are made', async (context) => {
    const statements = async (tenants: number) => {
      let count = 0;
      const counted = {
        transformQuery: ({ node }: PluginTransformQueryArgs) => {
          count += 1;
          return node;
        },
        transformResult: async ({ result }: PluginTransformResultArgs) => result,
      };
      const { db } = await database.open(context);
      const { write } = writerTo({ db: db.withPlugin(counted) });
      const names = Array.from({ length: tenants }, (_, index) => `t${index}`);
      await write(names.map((name) => make(name)));
      const ended = await write(names.map((name) => end(name)));
      await write(
        names.map((name) => make(name)),
        { restores: ended - 1 },
      );
      assert.equal((await db.selectFrom('tenant_ends').select('tenant').execute()).length, 1);
      await write(names.map((name) => end(name)));
      await write(names.map((name) => make(name)));
      const rows = await db.selectFrom('tenant_ends').select(['tenant', 'ended_at']).execute();
      const ends = rows.filter(({ tenant }) => tenant !== 'default');
      assert.deepEqual([ends.length, new Set(ends.map((row) => row.ended_at))], [tenants, new Set([5_000])]);
      return count;
    };
    assert.ok((await statements(900)) <= (await statements(90)));
  });

  test('what was asked for an earlier tenant when it was gone is denied when there is another', async (context) => {
    const { store, write } = await open(context);
    await write([make('acme')]);
    await write([end('acme')]);
    const requests = new AccessRequests(store, () => 2_500);
    const { request } = await requests.ask({
      tenant: 'acme',
      life: 0,
      key: 'app',
      model: 'gold',
      reason: 'late',
    });
    await write([make('acme')]);
    assert.equal((await requests.find(request.id))?.state, 'denied');
    assert.equal(await requests.find(request.id, { tenant: 'acme', life: 2 }), undefined);
  });

  test('an upgrade finds the names that were used again before anyone noted it', async (context) => {
    const { store, write, ends } = await open(context);
    const file = { source: 'file', documentHash: 'one' } as const;
    await write([make('again'), make('slip'), make('moved'), make('twice'), make('stays')]);
    await write([make('filed', 'file')], file);
    await write([end('again'), end('slip'), end('twice')]);
    await write([end('filed', 'file')], { source: 'file', documentHash: 'two' });
    await write([make('again'), make('twice')]);
    await write([make('slip')], { source: 'restore' });
    await write([make('filed', 'file')], file);
    await write([end('moved'), make('moved', 'file')]);
    await write([end('twice')]);
    await write([make('twice')], { source: 'restore' });
    await store.db.schema.dropTable('tenant_ends').execute();
    await MIGRATIONS['0090_tenant_ends']?.up(store.db);
    await ends.readAll();
    const found = ['again', 'slip', 'filed', 'moved', 'stays', 'twice'].map((name) => ends.find(name));
    const none = undefined;
    const twice = { revision: 9, endedAt: 10_000 };
    assert.deepEqual(found, [{ revision: 3, endedAt: 5_000 }, none, none, none, none, twice]);
  });
});
