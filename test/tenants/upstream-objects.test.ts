import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type UpstreamObject, UpstreamObjects } from '../../src/tenants/upstream-objects.ts';
import { openTempStore } from '../support/temp-store.ts';

const container = (id: string, tenant: string, expiresAt: number | null): UpstreamObject => ({
  ...{ id, kind: 'container', tenant, life: 0, key: 'app', provider: 'openai', account: 'main' },
  ...{ created_at: 0, expires_at: expiresAt, object: null, target: null },
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

test('what a tenant left that was taken away is not that of the next of its name, whenever it was noted', async (context) => {
  const objects = new UpstreamObjects(await openTempStore(context), () => 20);
  const file = (id: string, life: number): UpstreamObject => ({
    ...container(id, 'acme', null),
    ...{ kind: 'file', life, created_at: 10, object: '{}' },
  });
  const owner = (life: number) => ({ tenant: 'acme', life });
  await objects.bind([file('of the next', 7), file('of the first', 0)]);
  assert.equal(await objects.find(owner(7), 'file', 'of the first'), undefined);
  for (const [life, id] of [
    [0, 'of the first'],
    [7, 'of the next'],
  ] as const) {
    assert.equal((await objects.find(owner(life), 'file', id))?.id, id);
    const listed = await objects.list({ ...owner(life), kind: 'file', limit: 10, order: 'asc' });
    assert.deepEqual(
      listed.map((row) => row.id),
      [id],
    );
  }
  // It is somebody's still: else whoever may call every model of the provider could name it.
  const all = await objects.ofAll(['of the first', 'of the next']);
  assert.deepEqual(all.map(({ life }) => life).sort(), [0, 7]);
  await objects.bind([{ ...file('of the first', 7), object: '{"by":"the next"}' }]);
  await objects.forget(file('of the first', 7));
  assert.equal((await objects.find(owner(0), 'file', 'of the first'))?.object, '{}');
});
