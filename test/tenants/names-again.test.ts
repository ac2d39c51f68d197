import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type AdminClient, adminClient } from '../support/admin.ts';
import { onEachDatabase } from '../support/databases.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { makeTempDirectory } from '../support/temp-store.ts';

const HELLO = { model: 'echo/echo', messages: [{ role: 'user', content: 'Hello' }] };
const OPTIONAL = { approval: 'required', targets: ['echo/rare'] };

const FILE = `store: "STORE"\nserver: { port: 0 }\nmodels: { rare: { approval: required, targets: [echo/rare] } }
tenants:
  other: { models: ["*"], keys: [{ name: app, secret: sk-another-tenant-00000 }] }
  reuse: { models: [echo/echo], limits: { budgets: [{ tokens: 30, per: day }] }, keys: [{ name: app, secret: sk-reused-tenant-000000 }] }
`;

interface Holder {
  secret: string;
  response: string;
  request: string;
}

const authorized = (secret: string) => ({ headers: { authorization: `Bearer ${secret}` } });

async function makeTenant(admin: AdminClient): Promise<string> {
  const limits = { budgets: [{ tokens: 30, per: 'day' }] };
  await admin.must('POST', '/tenants', { name: 'reuse', models: ['echo/echo'], limits });
  return makeKey(admin);
}

async function makeKey(admin: AdminClient): Promise<string> {
  return String((await admin.must('POST', '/tenants/reuse/keys', { name: 'app' })).body['secret']);
}

/** Leaves all that a tenant can leave, and spends its budget. */
async function useAll(gateway: TestGateway, secret: string): Promise<Holder> {
  const body = { model: 'echo/echo', input: 'What we planned', max_output_tokens: 8 };
  const kept = await gateway.post('/v1/responses', body, authorized(secret));
  const response = ((await kept.json()) as { id: string }).id;
  const asked = await gateway.post(
    '/v1/access-requests',
    { model: 'rare', reason: 'Our plan' },
    authorized(secret),
  );
  const request = ((await asked.json()) as { id: string }).id;
  const statuses = [];
  for (let call = 0; call < 4; call++) statuses.push((await call1(gateway, secret)).status);
  assert.equal(statuses.at(-1), 402, `the budget is spent: ${statuses}`);
  await gateway.calls(2);
  return { secret, response, request };
}

function call1(gateway: TestGateway, secret: string): Promise<Response> {
  return gateway.post('/v1/chat/completions', { ...HELLO, max_tokens: 8 }, authorized(secret));
}

/** What a key can see of what an earlier one left. */
async function seen(gateway: TestGateway, secret: string, left: Holder): Promise<Record<string, number>> {
  const status = async (path: string) => (await gateway.get(path, secret)).status;
  const list = (await (await gateway.get('/v1/access-requests', secret)).json()) as { data: unknown[] };
  const further = { model: 'echo/echo', input: 'and?', previous_response_id: left.response, store: false };
  return {
    response: await status(`/v1/responses/${left.response}`),
    items: await status(`/v1/responses/${left.response}/input_items`),
    request: await status(`/v1/access-requests/${left.request}`),
    requests: list.data.length,
    further: (await gateway.post('/v1/responses', { ...further, max_output_tokens: 8 }, authorized(secret)))
      .status,
  };
}

const NOTHING = { response: 404, items: 404, request: 404, requests: 0, further: 400 };

onEachDatabase((database) => {
  async function start(context: TestContext, file?: string) {
    const store = await database.makeUrl(context);
    const folder = makeTempDirectory(context);
    const text = file?.replace('STORE', store);
    const config = { store, models: { rare: OPTIONAL } };
    const gateway = await startGateway(config, undefined, { folder, ...(text && { file: text }) });
    context.after(() => gateway.stop());
    return { gateway, admin: adminClient(gateway.url), folder, text };
  }

  test('a tenant that has the name of an earlier one has nothing of it, and spends a budget of its own', async (context) => {
    const { gateway, admin } = await start(context);
    const left = await useAll(gateway, await makeTenant(admin));
    await admin.must('DELETE', '/tenants/reuse');
    const { body: request } = await admin.must('GET', `/access-requests/${left.request}`);
    assert.equal(request['state'], 'denied');
    const secret = await makeTenant(admin);
    assert.equal((await call1(gateway, secret)).status, 200);
    assert.deepEqual(await seen(gateway, secret, left), NOTHING);
    const again = await gateway.post(
      '/v1/access-requests',
      { model: 'rare', reason: 'Other plans' },
      authorized(secret),
    );
    assert.equal(again.status, 201);
    // The books keep what was spent.
    const { body: usage } = await admin.must('GET', '/usage?by=tenant&tenant=reuse');
    assert.ok(Number((usage['data'] as { calls: number }[])[0]?.calls) >= 3, JSON.stringify(usage));
  });

  test('a tenant that was taken away by a slip has everything again when the revision before is restored', async (context) => {
    const { gateway, admin } = await start(context);
    const secret = await makeTenant(admin);
    const left = await useAll(gateway, secret);
    const { body: ready } = (await admin.must('GET', '/revisions?limit=1')) as {
      body: { data?: { number: number }[] };
    };
    const before = ready.data?.[0]?.number;
    await admin.must('DELETE', '/tenants/reuse');
    await admin.must('POST', `/revisions/${before}/restore`, { withRevokedKeys: true });
    const { further: _, ...own } = await seen(gateway, secret, left);
    assert.deepEqual(own, { response: 200, items: 200, request: 200, requests: 1 });
    // It is the tenant of then, and has spent what it spent.
    assert.equal((await call1(gateway, secret)).status, 402);
    assert.equal((await call1(gateway, secret)).status, 402);
    // Of two tenants between, nobody can tell whose things are whose.
    await admin.must('DELETE', '/tenants/reuse');
    await makeTenant(admin);
    await admin.must('DELETE', '/tenants/reuse');
    await admin.must('POST', `/revisions/${before}/restore`, { withRevokedKeys: true });
    assert.equal((await gateway.get(`/v1/responses/${left.response}`, secret)).status, 404);
  });

  test('a file that loses a tenant and is put back as it was has lost nothing', async (context) => {
    const { gateway, folder, text = '' } = await start(context, FILE);
    const secret = 'sk-reused-tenant-000000';
    const left = await useAll(gateway, secret);
    const path = join(folder, 'fairlead.yaml');
    const without = text.replace(/ {2}reuse.*\n/, '');
    for (const next of [without, text]) {
      await writeFile(path, next);
      await gateway.reload();
    }
    assert.equal((await gateway.get(`/v1/responses/${left.response}`, secret)).status, 200);
    assert.equal((await call1(gateway, secret)).status, 402);
    // Another one of the name, or the same one changed: nobody can tell.
    for (const next of [without, text.replace('tokens: 30', 'tokens: 31')]) {
      await writeFile(path, next);
      await gateway.reload();
    }
    assert.deepEqual(await seen(gateway, secret, left), { ...NOTHING, further: 400 });
    assert.equal((await call1(gateway, secret)).status, 200);
  });

  test('a restore of what was before another tenant of the name makes neither of the two see what the other left', async (context) => {
    const { gateway, admin } = await start(context);
    const first = await makeTenant(admin);
    const left = await useAll(gateway, first);
    const { body } = await admin.must('GET', '/revisions?limit=1');
    const before = (body['data'] as { number: number }[])[0]?.number;
    await admin.must('DELETE', '/tenants/reuse');
    const second = await makeTenant(admin);
    const others = await useAll(gateway, second);
    const { body: later } = await admin.must('GET', '/revisions?limit=1');
    const between = (later['data'] as { number: number }[])[0]?.number;
    await admin.must('POST', `/revisions/${before}/restore`, { withRevokedKeys: true });
    assert.deepEqual(await seen(gateway, first, others), NOTHING);
    const { body: request } = await admin.must('GET', `/access-requests/${others.request}`);
    assert.equal(request['state'], 'denied');
    // Of two tenants of the name, nobody can tell whose things are whose.
    assert.equal((await gateway.get(`/v1/responses/${left.response}`, first)).status, 404);
    assert.equal((await call1(gateway, first)).status, 200);
    await admin.must('POST', `/revisions/${between}/restore`, { withRevokedKeys: true });
    assert.deepEqual(await seen(gateway, second, others), NOTHING);
  });

  test('a file that is put back after another tenant of the name makes its key see nothing of that one', async (context) => {
    const { gateway, folder, text = '' } = await start(context, FILE);
    const without = text.replace(/ {2}reuse.*\n/, '');
    const other = text.replace('sk-reused-tenant-000000', 'sk-second-tenant-000000');
    const write = async (next: string) => {
      await writeFile(join(folder, 'fairlead.yaml'), next);
      await gateway.reload();
    };
    await write(without);
    await write(other);
    const left = await useAll(gateway, 'sk-second-tenant-000000');
    await write(text);
    assert.deepEqual(await seen(gateway, 'sk-reused-tenant-000000', left), NOTHING);
  });
});
