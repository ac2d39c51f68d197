import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type UpstreamObject, UpstreamObjects } from '../../src/tenants/upstream-objects.ts';
import { openTempStore } from '../support/temp-store.ts';

const container = (id: string, tenant: string, expiresAt: number | null): UpstreamObject => ({
  ...{ id, kind: 'container', tenant, key: 'app', provider: 'openai', account: 'main' },
  ...{ created_at: 0, expires_at: expiresAt, object: null },
});
const owners = async (objects: UpstreamObjects, ids: string[]) =>
  Object.fromEntries((await objects.ofAll(ids)).map(({ id, tenant }) => [id, tenant]));

test('what is bound stays its tenant’s until that expires, and is anybody’s then', async (context) => {
  let now = 0;
  const store = await openTempStore(context);
  const objects = new UpstreamObjects(store, () => now);
  await objects.bind([container('c', 'acme', 100), container('kept', 'acme', null)]);
  await objects.bind([container('c', 'other', 200)]);
  assert.deepEqual(await owners(objects, ['c', 'kept']), { c: 'acme', kept: 'acme' });
  now = 100;
  assert.deepEqual(await owners(objects, ['c', 'kept']), { kept: 'acme' });
  await objects.bind([container('c', 'other', 200)]);
  assert.deepEqual(await owners(objects, ['c', 'kept']), { c: 'other', kept: 'acme' });
  const rows = await store.db.selectFrom('upstream_objects').select('id').execute();
  assert.equal(rows.length, 2);
});

test('what is noted again lives longer, and keeps its description', async (context) => {
  let now = 0;
  const objects = new UpstreamObjects(await openTempStore(context), () => now);
  await objects.bind([{ ...container('c', 'acme', 100), object: '{"id":"c"}' }]);
  await objects.bind([container('c', 'acme', 200), container('c', 'acme', 200)]);
  now = 150;
  const [found] = await objects.ofAll(['c']);
  assert.equal(found?.object, '{"id":"c"}');
  assert.equal(found.expires_at, 200);
});

test('as many as a request can name are bound at once', async (context) => {
  const objects = new UpstreamObjects(await openTempStore(context), () => 0);
  const rows = Array.from({ length: 500 }, (_, index) => container(`c${index}`, 'acme', 100));
  await objects.bind(rows);
  assert.equal((await objects.ofAll(rows.map(({ id }) => id))).length, 500);
});

test('what a tenant left that was taken away is nobody’s, and not that of the next of its name', async (context) => {
  const store = await openTempStore(context);
  const objects = new UpstreamObjects(store, () => 20);
  const file = (id: string, createdAt: number): UpstreamObject => ({
    ...container(id, 'acme', null),
    ...{ kind: 'file', created_at: createdAt, object: '{}' },
  });
  await objects.bind([file('before', 10), file('after', 11)]);
  await store.db.insertInto('tenant_ends').values({ tenant: 'acme', revision: 7, ended_at: 10 }).execute();
  assert.equal(await objects.find('acme', 'file', 'before'), undefined);
  assert.equal((await objects.find('acme', 'file', 'after'))?.id, 'after');
  const listed = await objects.list({ tenant: 'acme', kind: 'file', limit: 10, order: 'asc' });
  assert.deepEqual(
    listed.map(({ id }) => id),
    ['after'],
  );
  // It is somebody's still: else whoever may call every model of the provider could name it.
  assert.deepEqual(await owners(objects, ['before', 'after']), { before: '', after: 'acme' });
});
