import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { hashSecret } from '../../src/tenants/keys.ts';
import { adminClient } from '../support/admin.ts';
import { onEachDatabaseInTurn } from '../support/databases.ts';
import { startGateway } from '../support/gateway.ts';

/** No key but those that the gateway makes. */
const BARE = { FAIRLEAD_ADMIN_KEY: '' };
const OWNER = 'sk-fl-admin-configured-owner-000000';

onEachDatabaseInTurn((database) => {
  async function startBare(context: TestContext, store: string, config: object = {}) {
    const gateway = await startGateway({ store, tenants: {}, ...config }, undefined, { env: BARE });
    context.after(() => gateway.stop());
    return gateway;
  }
  const owner = (role = 'owner') => ({ adminKeys: { ops: { role, secretHash: hashSecret(OWNER) } } });
  const status = async ({ url }: { url: string }, key: string) =>
    (await adminClient(url, key).ask('GET', '/admin-keys')).status;

  test('a tenant that has the name of that of the first start is another one, however late it is made', async (context) => {
    for (const before of [[], ['acme']]) {
      const gateway = await startBare(context, await database.makeUrl(context));
      const first = String(gateway.firstSecrets?.tenant);
      const admin = adminClient(gateway.url, String(gateway.firstSecrets?.admin));
      const init = { headers: { authorization: `Bearer ${first}` } };
      const kept = await gateway.post('/v1/responses', { model: 'echo/echo', input: 'Our plan' }, init);
      const { id } = (await kept.json()) as { id: string };
      assert.equal((await gateway.get(`/v1/responses/${id}`, first)).status, 200);
      for (const name of [...before, 'default'])
        await admin.must('POST', '/tenants', { name, models: ['*'] });
      const { body } = await admin.must('POST', '/tenants/default/keys', { name: 'app' });
      const second = String(body['secret']);
      assert.equal((await gateway.get(`/v1/responses/${id}`, first)).status, 401);
      assert.equal((await gateway.get(`/v1/responses/${id}`, second)).status, 404);
      await admin.must('DELETE', '/tenants/default');
      const { body: page } = await admin.must('GET', '/revisions?limit=2');
      const number = (page['data'] as { number: number }[])[1]?.number;
      await admin.must('POST', `/revisions/${number}/restore`, { withRevokedKeys: true });
      assert.equal((await gateway.get(`/v1/responses/${id}`, second)).status, 404);
    }
  });

  test('no admin key is made where an owner is configured, and one is where only others are', async (context) => {
    const configured = await startBare(context, await database.makeUrl(context), owner());
    assert.deepEqual(Object.keys(configured.firstSecrets ?? {}), ['tenant']);
    assert.equal(await status(configured, OWNER), 200);
    const viewed = await startBare(context, await database.makeUrl(context), owner('viewer'));
    assert.deepEqual(Object.keys(viewed.firstSecrets ?? {}).sort(), ['admin', 'tenant']);
  });

  test('the admin key of the first start is listed, and revoked at every instance', async (context) => {
    const store = await database.makeUrl(context);
    const one = await startBare(context, store);
    const two = await startBare(context, store);
    const made = String(one.firstSecrets?.admin);
    const admin = adminClient(one.url, made);
    assert.equal(await status(two, made), 200);
    const { body } = await admin.must('GET', '/admin-keys');
    const [first] = body['data'] as { name: string; owner: string; role: string; createdAt: string }[];
    assert.deepEqual([first?.name, first?.owner, first?.role], ['first', 'gateway', 'owner']);
    assert.match(String(first?.createdAt), /^\d{4}-/);
    assert.equal((await admin.must('GET', '/admin-keys/first')).body['owner'], 'gateway');
    for (const [method, path, sent] of [
      ['POST', '/admin-keys', { name: 'first', role: 'viewer' }],
      ['PATCH', '/admin-keys/first', { role: 'viewer' }],
      ['POST', '/admin-keys/first/rotate', {}],
    ] as const) {
      const refused = await admin.ask(method, path, sent);
      assert.equal(refused.status, 409, `${method} ${path}: ${JSON.stringify(refused.body)}`);
    }
    const secret = String(
      (await admin.must('POST', '/admin-keys', { name: 'ops', role: 'owner' })).body['secret'],
    );
    const ops = adminClient(one.url, secret);
    await ops.must('DELETE', '/admin-keys/first');
    assert.equal(await status(one, made), 401);
    for (let waited = 0; (await status(two, made)) !== 401; waited += 50) {
      assert.ok(waited < 15_000, 'the other instance lets it in still');
      await sleep(50);
    }
    assert.equal((await ops.ask('DELETE', '/admin-keys/first')).status, 404);
    const { body: events } = await ops.must('GET', '/events');
    assert.match(JSON.stringify(events), /"kind":"made_key_revoked"/);
    // Neither comes back, for there is an owner.
    const three = await startBare(context, store);
    assert.deepEqual([three.firstSecrets, await status(three, made)], [undefined, 401]);
  });

  test('the first tenant ends the key of the first start for good', async (context) => {
    const store = await database.makeUrl(context);
    const gateway = await startBare(context, store);
    const { tenant = '', admin: made = '' } = gateway.firstSecrets ?? {};
    const admin = adminClient(gateway.url, made);
    const models = async ({ get }: Pick<typeof gateway, 'get'>) => (await get('/v1/models', tenant)).status;
    assert.equal(await models(gateway), 200);
    const { body } = await admin.must('GET', '/tenants/default/keys');
    assert.deepEqual(
      (body['data'] as { name: string; owner: string }[]).map(({ name, owner }) => [name, owner]),
      [['first', 'gateway']],
    );
    await admin.must('PUT', '/tenants/acme', { models: ['*'] });
    assert.equal(await models(gateway), 401);
    await admin.must('DELETE', '/tenants/acme');
    assert.equal(await models(gateway), 401);
    const again = await startBare(context, store);
    assert.deepEqual([again.firstSecrets, await models(again)], [undefined, 401]);
  });

  test('the tenant key of the first start can be revoked', async (context) => {
    const gateway = await startBare(context, await database.makeUrl(context));
    const { tenant = '', admin: made = '' } = gateway.firstSecrets ?? {};
    await adminClient(gateway.url, made).must('DELETE', '/tenants/default/keys/first');
    assert.equal((await gateway.get('/v1/models', tenant)).status, 401);
    assert.equal((await adminClient(gateway.url, made).ask('GET', '/tenants/default/keys')).status, 404);
  });
});
