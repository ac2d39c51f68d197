import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import OpenAI from 'openai';
import { adminClient } from '../support/admin.ts';
import { onEachDatabaseInTurn } from '../support/databases.ts';
import { ADMIN_KEY } from '../support/gateway.ts';
import { LAUNCHER } from '../support/launcher.ts';
import { makeTempDirectory } from '../support/temp-store.ts';

interface Instance {
  url: string;
  child: ChildProcess;
  output(): string;
}

/** A process of its own on the store in `folder`. */
async function startInstance(
  context: TestContext,
  folder: string,
  env: Record<string, string> = {},
): Promise<Instance> {
  const child = spawn(process.execPath, [LAUNCHER, 'start'], {
    env: {
      PATH: process.env['PATH'],
      PORT: '0',
      FAIRLEAD_DATA: folder,
      FAIRLEAD_ADMIN_KEY: ADMIN_KEY,
      ...env,
    },
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exit = once(child, 'exit');
  context.after(async () => {
    child.kill('SIGTERM');
    await exit;
  });
  let output = '';
  child.stdout?.on('data', (chunk) => (output += chunk));
  child.stderr?.on('data', (chunk) => (output += chunk));
  let url: string | undefined;
  while (url === undefined && child.exitCode === null) {
    await sleep(20);
    url = /"url":"([^"]+)"/.exec(output)?.[1];
  }
  assert.ok(url, `it did not start: ${output}`);
  return { url, child, output: () => output };
}

async function readReady({ url }: Instance) {
  return (await (await fetch(`${url}/readyz`)).json()) as { revision: number; troubles?: string[] };
}

async function until(what: string, check: () => Promise<boolean>): Promise<void> {
  for (let waited = 0; waited < 15_000; waited += 50) {
    if (await check()) return;
    await sleep(50);
  }
  assert.fail(`in vain: ${what}`);
}

const PARTS = 'models: { m: { targets: [echo/one] } }\ntenants: { acme: { models: ["*"] } }\n';

onEachDatabaseInTurn((database) => {
  test('two processes on one store run the same revision, whoever makes it and however', async (context) => {
    const folder = makeTempDirectory(context);
    const path = join(folder, 'fairlead.yaml');
    const FILE = `store: ${await database.makeUrl(context)}\n${PARTS}`;
    writeFileSync(path, FILE);
    const [one, two] = [await startInstance(context, folder), await startInstance(context, folder)];
    assert.equal((await readReady(one)).revision, 1);
    assert.equal((await readReady(two)).revision, 1);

    const { body, revision } = await adminClient(one.url).must('POST', '/tenants/acme/keys', { name: 'app' });
    await until('the key reaches the other', async () => (await readReady(two)).revision === revision);
    const client = new OpenAI({ baseURL: `${two.url}/v1`, apiKey: String(body['secret']), maxRetries: 0 });
    const hello = { model: 'm', messages: [{ role: 'user' as const, content: 'Hello' }] };
    const target = async () =>
      (await client.chat.completions.create(hello).withResponse()).response.headers.get('x-fairlead-target');
    assert.equal(await target(), 'echo/one');

    // Both watch the file; it becomes one revision.
    writeFileSync(path, FILE.replace('echo/one', 'echo/two'));
    await until('the file is in force', async () => (await target()) === 'echo/two');
    await until('on both', async () => (await readReady(one)).revision === (await readReady(two)).revision);
    await sleep(700);
    assert.deepEqual(
      [(await readReady(one)).revision, (await readReady(two)).revision],
      [revision + 1, revision + 1],
    );

    await adminClient(two.url).must('DELETE', '/tenants/acme/keys/app');
    await assert.rejects(target, { status: 401 });

    // SIGHUP reads the file, too.
    writeFileSync(path, FILE);
    one.child.kill('SIGHUP');
    await until('SIGHUP', async () => (await readReady(two)).revision === revision + 3);
  });

  test('changes at both at once are all made, one after the other, and none is overwritten', async (context) => {
    const folder = makeTempDirectory(context);
    writeFileSync(join(folder, 'fairlead.yaml'), `store: ${await database.makeUrl(context)}\n`);
    const instances = [await startInstance(context, folder), await startInstance(context, folder)];
    const clients = instances.map(({ url }) => adminClient(url));
    const names = Array.from({ length: 20 }, (_, index) => `m${index}`);
    const answers = await Promise.all(
      names.map((name, index) =>
        clients[index % 2]?.must('PUT', `/models/${name}`, { targets: ['echo/echo'] }),
      ),
    );
    const numbers = answers.map((answer) => answer?.revision).sort((a, b) => Number(a) - Number(b));
    assert.deepEqual(
      numbers,
      names.map((_, index) => index + 2),
    );
    for (const [index, instance] of instances.entries()) {
      await until('both have all', async () => (await readReady(instance)).revision === 21);
      const { body } = await (clients[index] ?? adminClient('')).must('GET', '/models');
      assert.equal((body['data'] as object[]).length, 20);
    }
  });

  test('an instance that cannot follow stays ready with what it has, and says so', async (context) => {
    const folder = makeTempDirectory(context);
    writeFileSync(join(folder, 'fairlead.yaml'), `store: ${await database.makeUrl(context)}\n`);
    const one = await startInstance(context, folder, { LOCAL_TOKEN: 'sk-of-this-instance' });
    const two = await startInstance(context, folder);
    const placeholder = ['$', '{LOCAL_TOKEN}'].join('');
    const provider = { adapter: 'openai-compatible', baseUrl: 'http://127.0.0.1:1/v1' };
    const accounts = [{ name: 'a', apiKey: placeholder }];
    const [atOne, atTwo] = [adminClient(one.url), adminClient(two.url)];
    await atOne.must('POST', '/tenants', { name: 'acme', models: ['*'] });
    const { body: leaked } = await atOne.must('POST', '/tenants/acme/keys', { name: 'leaked' });
    const status = async ({ url }: Instance) => {
      const headers = { authorization: `Bearer ${leaked['secret']}` };
      return (await fetch(`${url}/v1/access-requests`, { headers })).status;
    };
    await until('the key is known', async () => (await status(two)) === 200);
    await atOne.must('PUT', '/providers/p', { ...provider, accounts });
    await until('it says so', async () => (await readReady(two)).troubles?.[0] === 'behind');
    assert.equal((await readReady(two)).revision, 3);
    assert.match(two.output(), /LOCAL_TOKEN is not set/);
    for (const [method, path, body] of [
      ['PUT', '/models/m', { targets: ['echo/x'] }],
      ['PUT', '/config?dryRun=true', { tenants: { other: { models: ['*'] } } }],
      ['POST', '/tenants/acme/keys/leaked/rotate', { overlap: '0s' }],
      ['PUT', '/tenants/acme/grants/p%2Fx', {}],
    ] as const) {
      const { status, body: answer } = await atTwo.ask(method, path, body);
      const { code, param, message = '' } = answer.error ?? {};
      assert.deepEqual([path, status, code, param], [path, 503, 'instance_behind', null]);
      assert.match(message, /revision 3 .*revision 4 .*LOCAL_TOKEN is not set/);
    }
    const { body: stale } = await atTwo.must('GET', '/config');
    const unaware = await atTwo.ask('PUT', '/config', stale);
    assert.deepEqual([unaware.status, unaware.body.error?.code], [503, 'instance_behind']);
    assert.match(unaware.body.error?.message ?? '', /providers\/p\b/, 'it did not mean to take that away');
    const { body: fresh } = await atOne.must('GET', '/config');
    const { changeCount } = (await atTwo.must('PUT', '/config?dryRun=true', fresh)).body;
    assert.equal(changeCount, 0);
    const revoked = await atTwo.must('DELETE', '/tenants/acme/keys/leaked');
    assert.deepEqual([revoked.revision, await status(two)], [5, 401]);
    await until('it is revoked there', async () => (await status(one)) === 401);
    assert.equal((await atTwo.ask('DELETE', '/tenants/acme/keys/leaked')).status, 404);
    await atOne.must('DELETE', '/providers/p');
    await until('it follows again', async () => (await readReady(two)).revision === 6);
    assert.equal((await readReady(two)).troubles, undefined);
  });

  test('an instance that cannot follow lets nobody in whom a newer revision locks out', async (context) => {
    const folder = makeTempDirectory(context);
    const store = await database.makeUrl(context);
    const file = (tenants: string) =>
      `store: ${store}\nmodels: { rare: { approval: required, targets: [echo/rare] } }\ntenants:\n${tenants}`;
    const declared = '  filed: { models: ["*"], keys: [{ name: app, secret: sk-tenant-of-the-file }] }\n';
    writeFileSync(join(folder, 'fairlead.yaml'), file(declared));
    const one = await startInstance(context, folder, { LOCAL_TOKEN: 'sk-of-this-instance' });
    const two = await startInstance(context, folder);
    const admin = adminClient(one.url);
    const makeKey = async (tenant: string, name: string) =>
      String((await admin.must('POST', `/tenants/${tenant}/keys`, { name })).body['secret']);
    await admin.must('POST', '/tenants', { name: 'reuse', models: ['echo/echo'] });
    await admin.must('POST', '/tenants', { name: 'gone', models: ['echo/echo'] });
    const first = await makeKey('reuse', 'app');
    const gone = await makeKey('gone', 'app');
    const stays = await makeKey('filed', 'stays');
    const rotated = await makeKey('filed', 'rotated');
    const revoked = await makeKey('filed', 'revoked');
    const status = async (key: string) => {
      const headers = { authorization: `Bearer ${key}` };
      return (await fetch(`${two.url}/v1/access-requests`, { headers })).status;
    };
    await until('it follows', async () => (await status(revoked)) === 200);

    const apiKey = ['$', '{LOCAL_TOKEN}'].join('');
    const provider = { adapter: 'openai-compatible', baseUrl: 'http://127.0.0.1:1/v1' };
    await admin.must('PUT', '/providers/p', { ...provider, accounts: [{ name: 'a', apiKey }] });
    await until('it is behind', async () => (await readReady(two)).troubles?.[0] === 'behind');
    await admin.must('DELETE', '/tenants/reuse');
    await admin.must('POST', '/tenants', { name: 'reuse', models: ['echo/echo'] });
    const second = await makeKey('reuse', 'app');
    await fetch(`${one.url}/v1/access-requests`, {
      method: 'POST',
      headers: { authorization: `Bearer ${second}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'rare', reason: 'Our plan' }),
    });
    await until('the earlier tenant is gone', async () => (await status(first)) === 401);
    await admin.must('DELETE', '/tenants/gone');
    await admin.must('DELETE', '/tenants/filed/keys/revoked');
    await admin.must('POST', '/tenants/filed/keys/rotated/rotate', { overlap: '0s' });
    for (const key of [gone, revoked, rotated]) {
      await until('whoever is locked out is locked out here', async () => (await status(key)) === 401);
    }
    assert.deepEqual([await status(stays), await status('sk-tenant-of-the-file')], [200, 200]);
    assert.deepEqual((await readReady(two)).troubles, ['behind']);
    const { body: events } = await admin.must('GET', '/events?limit=100');
    assert.ok((events['data'] as { kind: string }[]).some(({ kind }) => kind === 'config_behind_revoked'));

    await admin.must('DELETE', '/providers/p');
    await until('it follows again', async () => (await readReady(two)).troubles === undefined);
    assert.deepEqual([await status(second), await status(stays), await status(first)], [200, 200, 401]);
  });
});
