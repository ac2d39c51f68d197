import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { adminClient } from '../support/admin.ts';
import { SECRET_KEY, startGateway } from '../support/gateway.ts';
import { makeTempDirectory } from '../support/temp-store.ts';
import { startWebhookReceiver, type WebhookReceiver } from '../support/webhook-receiver.ts';

const OPERATOR = 'sk-fl-operator-0000000000';

async function setUp(context: TestContext, config: (url: string, secret: string) => object = () => ({})) {
  const secret = `whsec_${randomBytes(32).toString('base64')}`;
  const receiver = await startWebhookReceiver(secret);
  context.after(() => receiver.close());
  const folder = makeTempDirectory(context);
  const start = async (env: Record<string, string> = { FAIRLEAD_SECRET: SECRET_KEY }) => {
    const adminKeys = { ops: { role: 'operator', secret: OPERATOR } };
    const gateway = await startGateway({ adminKeys, ...config(receiver.url, secret) }, undefined, {
      folder,
      env,
    });
    let stopped: Promise<void> | undefined;
    const stop = () => (stopped ??= gateway.stop());
    context.after(stop);
    return { ...gateway, stop, admin: adminClient(gateway.url) };
  };
  return { secret, receiver, folder, start };
}

async function untilReceived(receiver: WebhookReceiver, type: string): Promise<void> {
  for (let waited = 0; waited < 10_000; waited += 20) {
    if (receiver.received.some((event) => event.type === type)) return;
    await sleep(20);
  }
  assert.fail(`no event ${type} came: ${receiver.received.map((event) => event.type)}`);
}

function readStore(folder: string): string {
  return readdirSync(folder)
    .filter((name) => name.startsWith('fairlead.db'))
    .map((name) => readFileSync(join(folder, name), 'latin1'))
    .join('');
}

test('a webhook of the file is sent what happens, and its secret is nowhere', async (context) => {
  const { secret, receiver, folder, start } = await setUp(context, (url, secret) => ({
    webhooks: { ops: { url, secret, events: ['config_*'] } },
  }));
  const { admin, logs, stop } = await start();
  await admin.must('POST', '/models', { name: 'm', targets: ['echo/echo'] });
  await untilReceived(receiver, 'config_changed');
  assert.equal(receiver.forged, 0);
  const told = [];
  for (const path of ['/webhooks', '/webhooks/ops', '/config?owner=all', '/events', '/revisions/1'])
    told.push((await admin.must('GET', path)).body);
  await stop();
  for (const text of [JSON.stringify(told), logs(), readStore(folder)]) {
    assert.ok(!text.includes(secret.slice('whsec_'.length)));
  }
});

test('a webhook made by the admin API is stored encrypted, works after a restart, and keeps its secret when it is changed', async (context) => {
  const { secret, receiver, folder, start } = await setUp(context);
  const first = await start();
  const made = await first.admin.must('POST', '/webhooks', { name: 'ops', url: receiver.url, secret });
  assert.ok(!JSON.stringify(made.body).includes(secret));
  assert.deepEqual(Object.keys(made.body['secret'] as object), ['encrypted']);
  await first.admin.must('PATCH', '/webhooks/ops', { events: ['config_changed'] });
  await first.stop();
  assert.ok(!readStore(folder).includes(secret.slice('whsec_'.length)));
  const before = receiver.received.length;
  const second = await start();
  await second.admin.must('POST', '/models', { name: 'm', targets: ['echo/echo'] });
  await untilReceived(receiver, 'config_changed');
  assert.ok(receiver.received.length >= before && receiver.forged === 0);
  await second.admin.must('DELETE', '/webhooks/ops');
});

test('whoever is no owner says nothing about where events go; without FAIRLEAD_SECRET a secret is a placeholder', async (context) => {
  const { secret, receiver, start } = await setUp(context);
  const gateway = await start({ OPS_SECRET: secret });
  const hook = { name: 'ops', url: receiver.url, secret };
  assert.equal((await adminClient(gateway.url, OPERATOR).ask('POST', '/webhooks', hook)).status, 403);
  const refused = await gateway.admin.ask('POST', '/webhooks', hook);
  assert.deepEqual([refused.status, refused.body.error?.code], [400, 'credential_not_stored']);
  // biome-ignore lint/suspicious/noTemplateCurlyInString: a placeholder of the config language
  await gateway.admin.must('POST', '/webhooks', { ...hook, secret: '${OPS_SECRET}' });
  await gateway.admin.must('POST', '/models', { name: 'm', targets: ['echo/echo'] });
  await untilReceived(receiver, 'config_changed');
  assert.equal(receiver.forged, 0);
});

test('a secret that is none is refused with how to make one, and not shown', async (context) => {
  const { receiver, start } = await setUp(context);
  const gateway = await start();
  const hook = { name: 'ops', url: receiver.url, secret: 'whsec_dG9vIHNob3J0' };
  const { status, body } = await gateway.admin.ask('POST', '/webhooks', hook);
  assert.equal(status, 400);
  assert.match(body.error?.message ?? '', /openssl rand/);
  assert.ok(!JSON.stringify(body).includes('dG9vIHNob3J0'));
});
