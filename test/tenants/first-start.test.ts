import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openStore } from '../../src/store/open.ts';
import type { Store } from '../../src/store/store.ts';
import { ensureFirstKeys } from '../../src/tenants/first-start.ts';
import { hashSecret, KeyRing } from '../../src/tenants/keys.ts';
import { MadeKeys } from '../../src/tenants/made-keys.ts';
import { onEachDatabase } from '../support/databases.ts';
import { makeTempDirectory } from '../support/temp-store.ts';

const NOTHING = { hasTenants: false, hasOwner: false };
async function readMade(store: Store): Promise<MadeKeys> {
  const made = new MadeKeys(store);
  await made.refresh();
  return made;
}
const now = () => Date.UTC(2026, 10, 23);

onEachDatabase((database) => {
  test('the first start makes a tenant key and an admin key, and both are found by their secrets', async (context) => {
    const store = await database.open(context);
    const secrets = await ensureFirstKeys(store, NOTHING, now);
    assert.match(secrets?.tenant ?? '', /^sk-fl-[^-]+$/);
    assert.match(secrets?.admin ?? '', /^sk-fl-admin-[^-]+$/);

    const { tenantKeys, adminKeys } = await readMade(store);
    const tenantKey = new KeyRing(tenantKeys, now).find(secrets?.tenant ?? '');
    assert.deepEqual([tenantKey?.tenant, tenantKey?.key], ['default', 'first']);
    assert.equal(new KeyRing(adminKeys, now).find(secrets?.admin ?? '')?.key, 'first');
    assert.equal(
      new KeyRing(tenantKeys, now).find(secrets?.admin ?? ''),
      undefined,
      'the admin key is no tenant key',
    );
  });

  test('a later start makes none, and the first keys stay valid', async (context) => {
    const url = await database.makeUrl(context);
    const first = await openStore(url);
    const secrets = await ensureFirstKeys(first, NOTHING, now);
    await first.close();

    const second = await openStore(url);
    assert.equal(await ensureFirstKeys(second, NOTHING, now), undefined);
    const { tenantKeys } = await readMade(second);
    assert.equal(new KeyRing(tenantKeys, now).find(secrets?.tenant ?? '')?.tenant, 'default');
    await second.close();
  });

  test('what is configured is not made', async (context) => {
    const store = await database.open(context);
    assert.equal(await ensureFirstKeys(store, { hasTenants: true, hasOwner: true }, now), undefined);
    const secrets = await ensureFirstKeys(store, { hasTenants: true, hasOwner: false }, now);
    assert.deepEqual(Object.keys(secrets ?? {}), ['admin']);
  });

  test('of two gateways that start at once on one database, one makes the keys', async (context) => {
    const url = await database.makeUrl(context);
    const stores = [await openStore(url), await openStore(url)];
    const made = [];
    for (const store of stores) made.push(await ensureFirstKeys(store, NOTHING, now));
    assert.equal(made.filter((secrets) => secrets !== undefined).length, 1);
    for (const store of stores) await store.close();
  });
});

test('the database file holds the hashes and no secret', async (context) => {
  const directory = makeTempDirectory(context);
  const store = await openStore(`sqlite:${join(directory, 'fairlead.db')}`);
  const secrets = await ensureFirstKeys(store, NOTHING, now);
  await store.close();
  const file = readFileSync(join(directory, 'fairlead.db'), 'latin1');
  assert.ok(secrets?.tenant && secrets.admin);
  assert.ok(file.includes(hashSecret(secrets.tenant)) && file.includes(hashSecret(secrets.admin)));
  assert.ok(!file.includes(secrets.tenant) && !file.includes(secrets.admin));
});
