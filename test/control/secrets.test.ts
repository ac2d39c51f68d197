import assert from 'node:assert/strict';
import { hash, randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { splitDocument } from '../../src/control/entry.ts';
import { Layers } from '../../src/control/layers.ts';
import { resealAll } from '../../src/control/reseal.ts';
import { openSealer, readSalt, Sealer } from '../../src/control/sealer.ts';
import { Vault } from '../../src/control/veil.ts';
import type { JsonObject } from '../../src/conversation/json.ts';
import { adminClient } from '../support/admin.ts';
import { anyWords } from '../support/any-text.ts';
import { onEachDatabaseInTurn } from '../support/databases.ts';
import { startFakeOpenAi } from '../support/fake-openai.ts';
import { SECRET_KEY, startGateway, type TestGateway } from '../support/gateway.ts';
import { makeTempDirectory } from '../support/temp-store.ts';

/** A key is taken as it is; what a passphrase takes (0.2 s) is tested by itself. */
const PASSPHRASE = 'correct horse battery staple';
const NEXT_SECRET = randomBytes(32).toString('base64');
const KEY = 'sk-upstream-0123456789abcdefghijkl';

async function setUp(context: TestContext) {
  const fake = await startFakeOpenAi({ apiKey: KEY });
  context.after(() => fake.close());
  const folder = makeTempDirectory(context);
  const start = async (env: Record<string, string>, file?: string) => {
    const gateway = await startGateway({}, undefined, { folder, env, ...(file !== undefined && { file }) });
    let stopped: Promise<void> | undefined;
    const stop = () => (stopped ??= gateway.stop());
    context.after(stop);
    return { ...gateway, stop };
  };
  const provider = { adapter: 'openai', baseUrl: fake.url, accounts: [{ name: 'main', apiKey: KEY }] };
  return { fake, folder, start, provider };
}

async function call(gateway: TestGateway, provider = 'up'): Promise<number> {
  const body = { model: `${provider}/gpt-4.1-mini`, messages: [{ role: 'user', content: 'Hello' }] };
  const answer = await gateway.post('/v1/chat/completions', body);
  await answer.text();
  return answer.status;
}

/** All that the admin API tells of the configuration. */
async function tellAll(gateway: TestGateway): Promise<string> {
  const admin = adminClient(gateway.url);
  const told: unknown[] = [];
  for (const path of [
    '/providers',
    '/providers/up',
    '/config?owner=all',
    '/config',
    '/events',
    '/revisions',
  ]) {
    told.push((await admin.must('GET', path)).body);
  }
  const { body } = await admin.must('GET', '/revisions');
  for (const { number } of body['data'] as { number: number }[]) {
    told.push((await admin.must('GET', `/revisions/${number}`)).body);
  }
  return JSON.stringify(told);
}

function readStore(folder: string): string {
  return readdirSync(folder)
    .filter((name) => name.startsWith('fairlead.db'))
    .map((name) => readFileSync(join(folder, name), 'latin1'))
    .join('');
}

test('what is encrypted is decrypted at its own place, and the same text every time', () => {
  const sealer = new Sealer(SECRET_KEY, undefined, randomBytes(32));
  fc.assert(
    fc.property(anyWords(), fc.string(), fc.string(), (credential, place, other) => {
      const sealed = sealer.seal(credential, place);
      assert.equal(sealer.unseal(sealed, place), credential);
      assert.equal(sealer.seal(credential, place), sealed);
      if (other !== place) assert.equal(sealer.unseal(sealed, other), undefined);
    }),
  );
});

test('a bit that was changed, another key or another format decrypts to nothing', () => {
  const salt = randomBytes(32);
  const sealer = new Sealer(PASSPHRASE, undefined, salt);
  const sealed = sealer.seal(KEY, 'here');
  const [format = '', id = '', data = ''] = sealed.split('.');
  const bytes = Buffer.from(data, 'base64url');
  for (let at = 0; at < bytes.length; at++) {
    const changed = Buffer.from(bytes);
    changed.writeUInt8(changed.readUInt8(at) ^ 1, at);
    assert.equal(sealer.unseal([format, id, changed.toString('base64url')].join('.'), 'here'), undefined);
  }
  for (const wrong of ['', 'v1', `v2.${id}.${data}`, `v1.0000000000000000.${data}`, `v1.${id}.AAAA`]) {
    assert.equal(sealer.unseal(wrong, 'here'), undefined, wrong);
  }
  assert.equal(new Sealer(NEXT_SECRET, undefined, salt).unseal(sealed, 'here'), undefined);
  assert.equal(new Sealer(PASSPHRASE, undefined, randomBytes(32)).unseal(sealed, 'here'), undefined);
  const next = new Sealer(NEXT_SECRET, PASSPHRASE, salt);
  assert.equal(next.unseal(sealed, 'here'), KEY);
  assert.deepEqual([next.isCurrent(sealed), next.isCurrent(next.seal(KEY, 'here'))], [false, true]);
});

test('32 bytes are the same key as hex and as base64', () => {
  const [bytes, salt] = [randomBytes(32), randomBytes(32)];
  const sealed = new Sealer(bytes.toString('hex'), undefined, salt).seal(KEY, 'here');
  for (const encoding of ['base64', 'base64url'] as const) {
    assert.equal(new Sealer(bytes.toString(encoding), undefined, salt).unseal(sealed, 'here'), KEY);
  }
});

onEachDatabaseInTurn((database) => {
  test('the salt is made once a store: instances that start at the same time have the same keys', async (context) => {
    const store = await database.open(context);
    const env = { FAIRLEAD_SECRET: SECRET_KEY };
    const salts = await Promise.all([readSalt(store), readSalt(store)]);
    const [one, two] = salts.map((salt) => openSealer(env, salt));
    assert.ok(one && two);
    assert.equal(two.unseal(one.seal(KEY, 'here'), 'here'), KEY);
    assert.equal(openSealer({}, salts[0]), undefined);
  });
});

test('without a secret the API takes no credential that is written out, and says what to set', async (context) => {
  const { start, provider } = await setUp(context);
  const gateway = await start({});
  const admin = adminClient(gateway.url);
  const refused = await admin.ask('PUT', '/providers/up', provider);
  assert.equal(refused.status, 400);
  assert.equal(refused.body.error?.code, 'credential_not_stored');
  assert.equal(refused.body.error?.param, 'providers.up.accounts[0].apiKey');
  assert.match(String(refused.body.error?.message), /Set FAIRLEAD_SECRET .* every instance/);
  assert.doesNotMatch(JSON.stringify(refused.body) + gateway.logs(), new RegExp(KEY));
});

test('a credential that the API was given works, also after a restart, and nothing tells it', async (context) => {
  const { start, provider, folder, fake } = await setUp(context);
  const env = { FAIRLEAD_SECRET: SECRET_KEY };
  const first = await start(env);
  const made = await adminClient(first.url).must('POST', '/providers', { name: 'up', ...provider });
  const [account] = made.body['accounts'] as JsonObject[];
  assert.deepEqual(Object.keys(account?.['apiKey'] as JsonObject), ['encrypted']);
  assert.equal(await call(first), 200);
  const told = (await tellAll(first)) + first.logs();
  await first.stop();
  assert.match(readStore(folder), /v1\.[0-9a-f]{16}\.[\w-]{40,}/);
  assert.doesNotMatch(readStore(folder), new RegExp(KEY));

  const second = await start(env);
  assert.equal(await call(second), 200);
  assert.equal(fake.requests.at(-1)?.headers['authorization'], `Bearer ${KEY}`);
  const all = told + (await tellAll(second)) + second.logs();
  assert.doesNotMatch(all, new RegExp(KEY));
  assert.doesNotMatch(all, /v1\.[0-9a-f]{16}\./);
  assert.doesNotMatch(all, new RegExp(SECRET_KEY));
});

test('two instances on one store read what either was given', async (context) => {
  const { start, provider } = await setUp(context);
  const env = { FAIRLEAD_SECRET: SECRET_KEY };
  const [one, two] = [await start(env), await start(env)];
  const { revision } = await adminClient(one.url).must('PUT', '/providers/up', provider);
  const newest = async () => ((await (await two.get('/readyz')).json()) as { revision: number }).revision;
  while ((await newest()) !== revision) await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(await call(two), 200);
});

test('a change of something else keeps the credential, and an export can be applied again', async (context) => {
  const { start, provider } = await setUp(context);
  const gateway = await start({ FAIRLEAD_SECRET: PASSPHRASE });
  const admin = adminClient(gateway.url);
  await admin.must('PUT', '/providers/up', provider);
  await admin.must('PATCH', '/providers/up', { timeouts: { connect: '3s' } });
  assert.equal(await call(gateway), 200);
  const exported = await admin.must('GET', '/config');
  const nothing = await admin.must('PUT', '/config?dryRun=true', exported.body);
  assert.equal(nothing.body['changeCount'], 0);
  await admin.must('PUT', '/config', exported.body);
  assert.equal(await call(gateway), 200);

  const { accounts } = (await admin.must('GET', '/providers/up')).body;
  const [{ apiKey } = {}] = accounts as JsonObject[];
  for (const wrong of [
    { ...provider, accounts: [{ name: 'other', apiKey }] },
    { ...provider, accounts: [{ name: 'main', apiKey: { encrypted: '0123456789abcdef' } }] },
  ]) {
    const refused = await admin.ask('PUT', '/providers/up', wrong);
    assert.equal(refused.body.error?.code, 'credential_not_stored');
    assert.equal(refused.body.error?.param, 'providers.up.accounts[0].apiKey');
  }
  const moved = await admin.ask('PUT', '/providers/elsewhere', { ...provider, accounts });
  assert.equal(moved.body.error?.code, 'credential_not_stored');
});

test('a ciphertext that somebody sends is no credential', async (context) => {
  const { start, provider } = await setUp(context);
  const gateway = await start({ FAIRLEAD_SECRET: SECRET_KEY });
  const sent = { ...provider, accounts: [{ name: 'main', apiKey: { sealed: 'v1.0123456789abcdef.AAAA' } }] };
  const refused = await adminClient(gateway.url).ask('PUT', '/providers/up', sent);
  assert.equal(refused.status, 400);
});

test('a credential that the file writes out is stored encrypted, and the same file makes no new revision', async (context) => {
  const { start, provider, folder } = await setUp(context);
  const file = JSON.stringify({
    server: { port: 0 },
    providers: { up: { ...provider, headers: { 'x-proxy-token': 'a-header-of-the-proxy' } } },
    tenants: {
      acme: { models: ['*'], keys: [{ name: 'app', secret: 'sk-fl-test-key-of-acme-000000000000' }] },
    },
  });
  const env = { FAIRLEAD_SECRET: SECRET_KEY };
  const first = await start(env, file);
  assert.equal(await call(first), 200);
  const told = await tellAll(first);
  assert.match(told, /"encrypted"/);
  assert.doesNotMatch(told, /notStored|a-header-of-the-proxy|sealed/);
  await first.stop();
  assert.doesNotMatch(readStore(folder), /sk-upstream|a-header-of-the-proxy/);

  const second = await start({ FAIRLEAD_SECRET: NEXT_SECRET, FAIRLEAD_SECRET_PREVIOUS: SECRET_KEY }, file);
  assert.equal(await call(second), 200);
  const { body } = await adminClient(second.url).must('GET', '/revisions');
  assert.equal((body['data'] as unknown[]).length, 1);
});

test('under a new secret all is encrypted again, and the old one is needed no more', async (context) => {
  const { start, provider } = await setUp(context);
  const first = await start({ FAIRLEAD_SECRET: SECRET_KEY });
  const made = await adminClient(first.url).must('PUT', '/providers/up', provider);
  await first.stop();

  const second = await start({ FAIRLEAD_SECRET: NEXT_SECRET, FAIRLEAD_SECRET_PREVIOUS: SECRET_KEY });
  const admin = adminClient(second.url);
  assert.equal(await call(second), 200);
  const rotated = await admin.must('POST', '/secrets/rotate', {});
  assert.deepEqual(rotated.body, { revision: made.revision + 1, entries: 1, history: 2, unreadable: 0 });
  const again = await admin.must('POST', '/secrets/rotate', {});
  assert.deepEqual(again.body, { revision: made.revision + 1, entries: 0, history: 0, unreadable: 0 });
  assert.equal(await call(second), 200);
  await second.stop();

  const third = await start({ FAIRLEAD_SECRET: NEXT_SECRET });
  assert.equal(await call(third), 200);
  // Also what only an earlier revision has.
  await adminClient(third.url).must('DELETE', '/providers/up');
  assert.equal(await call(third), 404);
  await adminClient(third.url).must('POST', `/revisions/${made.revision}/restore`, {});
  assert.equal(await call(third), 200);
});

test('an instance with the wrong secret, or none, does not start and says which is wanted', async (context) => {
  const { start, provider } = await setUp(context);
  const first = await start({ FAIRLEAD_SECRET: SECRET_KEY });
  await adminClient(first.url).must('PUT', '/providers/up', provider);
  await first.stop();
  const wrong: Record<string, string>[] = [{}, { FAIRLEAD_SECRET: NEXT_SECRET }];
  for (const env of wrong) {
    await assert.rejects(start(env), (error: Error) => {
      assert.match(error.message, /accounts\[0\]\.apiKey: is stored encrypted.*set FAIRLEAD_SECRET/);
      // What stands in the place of the credential is nobody's fault.
      assert.ok(!error.message.includes('\n'), error.message);
      return true;
    });
  }
});

test('a secret that is short, or a previous one alone, is refused', async (context) => {
  const { start } = await setUp(context);
  await assert.rejects(
    start({ FAIRLEAD_SECRET: 'short' }),
    /FAIRLEAD_SECRET: expected a secret of at least 16/,
  );
  await assert.rejects(start({ FAIRLEAD_SECRET_PREVIOUS: SECRET_KEY }), /FAIRLEAD_SECRET, which is not set/);
});

test('a credential in a file is read, and read again when the file changes', async (context) => {
  const { start, provider, folder, fake } = await setUp(context);
  const path = join(folder, 'credential');
  const accounts = [{ name: 'main', apiKeyFile: path }];
  const gateway = await start({});
  const admin = adminClient(gateway.url);
  const missing = await admin.ask('PUT', '/providers/up', { ...provider, accounts });
  assert.equal(missing.status, 400);
  assert.equal(missing.body.error?.param, 'accounts[0].apiKeyFile');
  assert.match(String(missing.body.error?.message), /the file cannot be read \(ENOENT\)/);

  await writeFile(path, `${KEY}\n`);
  await admin.must('PUT', '/providers/up', { ...provider, accounts });
  assert.equal(await call(gateway), 200);
  const sent = () => fake.requests.at(-1)?.headers['authorization'];
  assert.equal(sent(), `Bearer ${KEY}`);

  await writeFile(path, 'sk-another-one-00000000');
  await until('the new one is used', async () => {
    await call(gateway);
    return sent() === 'Bearer sk-another-one-00000000';
  });
  await writeFile(path, 'two\nlines');
  await until('the file is refused', async () => {
    const { body } = await admin.must('GET', '/events');
    return (body['data'] as { kind: string }[]).some(({ kind }) => kind === 'credential_file_refused');
  });
  assert.doesNotMatch(gateway.logs(), /sk-another-one|two.{1,2}lines/);
  await writeFile(path, KEY);
  await until('the file is right again', async () => (await call(gateway)) === 200);
});

async function until(what: string, check: () => Promise<boolean>): Promise<void> {
  for (let waited = 0; waited < 10_000; waited += 50) {
    if (await check()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.fail(`in vain: ${what}`);
}

test('a mark of what only a file has tells nothing: by another store it is another one, by the same the same', async (context) => {
  const file = `
server: { port: 0 }
providers: { up: { adapter: echo, headers: { x-proxy: weak-word } } }
tenants: { acme: { models: ["*"] } }
`;
  const markOf = async (gateway: TestGateway) => {
    const { body } = await adminClient(gateway.url).must('GET', '/providers/up');
    const { notStored } = (body['headers'] as { 'x-proxy': { notStored: string } })['x-proxy'];
    assert.match(notStored, /^[0-9a-f]{16}$/);
    return notStored;
  };
  const [one, other] = [await setUp(context), await setUp(context)];
  const first = await one.start({}, file);
  const mark = await markOf(first);
  await first.stop();
  const again = await one.start({}, file);
  assert.equal(await markOf(again), mark);
  const { body } = await adminClient(again.url).must('GET', '/revisions');
  assert.equal((body['data'] as object[]).length, 1);
  assert.notEqual(await markOf(await other.start({}, file)), mark);
  for (const text of ['weak-word', 'fairlead:weak-word']) {
    assert.ok(!hash('sha256', text, 'hex').startsWith(mark), 'it can be guessed by whoever reads it');
  }
});

test('the secret of a key that is encrypted is bound to its tenant and name, not to its place in the list', async (context) => {
  const { start } = await setUp(context);
  const secret = 'sk-fl-of-a-default-0123456789';
  const written = `\${APP_KEY:-${secret}}`;
  const document = {
    adminKeys: { ops: { role: 'viewer', secret: `\${OPS_KEY:-sk-fl-admin-${secret}}` } },
    tenants: {
      globex: {
        models: ['*'],
        keys: [
          { name: 'one', secretHash: 'a'.repeat(64) },
          { name: 'two', secret: written },
        ],
      },
    },
  };
  const models = async ({ get }: Pick<TestGateway, 'get'>) => (await get('/v1/models', secret)).status;
  const first = await start({ FAIRLEAD_SECRET: SECRET_KEY });
  const admin = adminClient(first.url);
  const made = await admin.must('PUT', '/config', document);
  assert.equal(await models(first), 200);
  const { body: exported } = await admin.must('GET', '/config');
  assert.doesNotMatch(JSON.stringify(exported), /sk-fl-/);
  assert.deepEqual((await admin.must('PUT', '/config', exported)).body['changeCount'], 0);
  await admin.must('DELETE', '/tenants/globex/keys/one');
  await admin.must('PATCH', '/tenants/globex/keys/two', { models: ['*'] });
  assert.equal(await models(first), 200);
  await first.stop();

  const second = await start({ FAIRLEAD_SECRET: NEXT_SECRET, FAIRLEAD_SECRET_PREVIOUS: SECRET_KEY });
  const rotated = await adminClient(second.url).must('POST', '/secrets/rotate', {});
  assert.deepEqual([rotated.body['entries'], rotated.body['unreadable']], [2, 0]);
  await second.stop();

  const third = await start({ FAIRLEAD_SECRET: NEXT_SECRET });
  assert.equal(await models(third), 200);
  await adminClient(third.url).must('POST', `/revisions/${made.revision}/restore`, { withRevokedKeys: true });
  assert.equal(await models(third), 200);
  const keys = await adminClient(third.url).must('GET', '/tenants/globex/keys');
  assert.equal((keys.body['data'] as object[]).length, 2);
});

test('a file is the same file under another secret, its keys too', async (context) => {
  const { start } = await setUp(context);
  const file = `server: { port: 0 }
tenants: { acme: { models: ["*"], keys: [{ name: app, secret: "\${APP_KEY:-sk-fl-a-default-0123456789}" }] } }
`;
  const revision = async ({ url }: TestGateway) =>
    ((await (await fetch(`${url}/readyz`)).json()) as { revision: number }).revision;
  const first = await start({ FAIRLEAD_SECRET: SECRET_KEY }, file);
  assert.equal(await revision(first), 1);
  await first.stop();
  const second = await start({ FAIRLEAD_SECRET: NEXT_SECRET, FAIRLEAD_SECRET_PREVIOUS: SECRET_KEY }, file);
  assert.equal(await revision(second), 1);
});

test('what cannot be read under the secrets that are here is not encrypted again, and that is told', () => {
  const salt = randomBytes(32);
  const old = new Vault(salt, new Sealer(SECRET_KEY, undefined, salt));
  const accounts = [{ name: 'main', apiKey: KEY }];
  const entries = splitDocument(old.veil({ providers: { up: { accounts } } })).map((entry) => ({
    ...entry,
    owner: 'api' as const,
  }));
  const layers = new Layers(entries);
  assert.throws(() => resealAll(layers, new Vault(salt, new Sealer(NEXT_SECRET, undefined, salt))), {
    name: 'GatewayError',
    param: 'providers.up.accounts[0].apiKey',
    message: /under another secret than this instance has/,
  });
  assert.equal(resealAll(layers, new Vault(salt, new Sealer(NEXT_SECRET, SECRET_KEY, salt))).length, 1);
});
