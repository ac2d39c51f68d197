import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { adminClient } from '../support/admin.ts';
import { onEachDatabaseInTurn } from '../support/databases.ts';
import { SECRET_KEY, startGateway, TEST_KEY } from '../support/gateway.ts';

const HELLO = { model: 'echo/echo', messages: [{ role: 'user', content: 'Hello' }] };

interface Operation {
  requestBody?: { required: boolean };
  responses: Record<string, { content: object; headers?: object }>;
}

interface Described {
  content: { 'application/json': { schema: Schema } };
}

interface Schema {
  properties?: Record<string, Schema>;
  items?: Schema;
  required?: string[];
}

onEachDatabaseInTurn((database) => {
  async function startAdmin(context: TestContext, config: object = {}) {
    const gateway = await startGateway({ store: await database.makeUrl(context), ...config });
    context.after(() => gateway.stop());
    const call = async (key: string, body: object = HELLO) =>
      (await gateway.post('/v1/chat/completions', body, { headers: { authorization: `Bearer ${key}` } }))
        .status;
    return { gateway, call, admin: adminClient(gateway.url) };
  }

  test('a tenant and its key are made, used, rotated with an overlap, and revoked at once', async (context) => {
    const { admin, call } = await startAdmin(context);
    const made = await admin.must('POST', '/tenants', { name: 'globex', models: ['*'] });
    assert.deepEqual(made.body, { name: 'globex', owner: 'api', models: ['*'] });
    const key = await admin.must('POST', '/tenants/globex/keys', { name: 'app', models: ['echo/*'] });
    const first = String(key.body['secret']);
    assert.match(first, /^sk-fl-\w{43}$/);
    assert.equal(await call(first), 200);

    const read = await admin.must('GET', '/tenants/globex/keys/app');
    assert.deepEqual(read.body, { name: 'app', tenant: 'globex', owner: 'api', models: ['echo/*'] });

    const rotated = await admin.must('POST', '/tenants/globex/keys/app/rotate', { overlap: '1h' });
    const second = String(rotated.body['secret']);
    assert.notEqual(second, first);
    assert.deepEqual([await call(first), await call(second)], [200, 200]);

    const again = await admin.must('POST', '/tenants/globex/keys/app/rotate', { overlap: '0s' });
    const third = String(again.body['secret']);
    assert.deepEqual([await call(first), await call(second), await call(third)], [401, 401, 200]);

    await admin.must('DELETE', '/tenants/globex/keys/app');
    assert.equal(await call(third), 401);
    assert.equal((await admin.ask('GET', '/tenants/globex/keys/app')).status, 404);
  });

  test('a secret that was promised for an overlap is not ended by a further rotation that does not say so', async (context) => {
    const { gateway, admin, call } = await startAdmin(context);
    const adminStatus = async (key: string) =>
      (await adminClient(gateway.url, key).ask('GET', '/revisions?limit=1')).status;
    const sets = [
      { path: '/tenants/acme/keys', body: { name: 'a' }, use: call },
      { path: '/admin-keys', body: { name: 'ops', role: 'viewer' }, use: adminStatus },
    ];
    for (const { path, body, use } of sets) {
      const first = String((await admin.must('POST', path, body)).body['secret']);
      const rotate = `${path}/${body.name}/rotate`;
      const second = String((await admin.must('POST', rotate, { overlap: '1h' })).body['secret']);
      for (const again of [undefined, {}, { overlap: '1h' }, { replace: false }]) {
        const refused = await admin.ask('POST', rotate, again);
        assert.equal(refused.status, 409);
        assert.equal(refused.body.error?.code, 'overlap_running');
        assert.match(String(refused.body.error?.message), /valid until 20.*"replace": true.*"overlap": "0s"/);
      }
      assert.deepEqual([await use(first), await use(second)], [200, 200]);
      const third = String(
        (await admin.must('POST', rotate, { overlap: '1h', replace: true })).body['secret'],
      );
      assert.deepEqual([await use(first), await use(second), await use(third)], [401, 200, 200]);
      const fourth = String((await admin.must('POST', rotate, { overlap: '0s' })).body['secret']);
      assert.deepEqual([await use(second), await use(third), await use(fourth)], [401, 401, 200]);
      // No overlap runs: nothing is in the way.
      await admin.must('POST', rotate);
    }
  });

  test('a key whose secret is a placeholder is rotated as any other', async (context) => {
    const env = { APP_SECRET: 'sk-of-the-environment-0', OPS_SECRET: 'sk-of-the-environment-1' };
    const gateway = await startGateway({ store: await database.makeUrl(context) }, undefined, { env });
    context.after(() => gateway.stop());
    const admin = adminClient(gateway.url);
    const placeholder = (name: string) => ['$', `{${name}}`].join('');
    await admin.must('PUT', '/config', {
      tenants: { t: { models: ['*'], keys: [{ name: 'app', secret: placeholder('APP_SECRET') }] } },
      adminKeys: { ops: { role: 'viewer', secret: placeholder('OPS_SECRET') } },
    });
    const sets = [
      { path: '/tenants/t/keys/app', first: env.APP_SECRET, door: '/v1/models' },
      { path: '/admin-keys/ops', first: env.OPS_SECRET, door: '/admin/v1/revisions' },
    ];
    for (const { path, first, door } of sets) {
      const use = async (key: string) => (await gateway.get(door, key)).status;
      assert.equal(await use(first), 200);
      const { body } = await admin.must('POST', `${path}/rotate`, { overlap: '1h' });
      assert.deepEqual([await use(first), await use(String(body['secret']))], [200, 200]);
      const { body: last } = await admin.must('POST', `${path}/rotate`, { overlap: '0s' });
      assert.deepEqual([await use(first), await use(String(last['secret']))], [401, 200]);
    }
  });

  for (const [what, env] of [
    ['without FAIRLEAD_SECRET', {}],
    ['with FAIRLEAD_SECRET', { FAIRLEAD_SECRET: SECRET_KEY }],
  ] as const) {
    test(`a document whose key has no secret that is one is refused, ${what}, as a file is`, async (context) => {
      const gateway = await startGateway({ store: await database.makeUrl(context) }, undefined, { env });
      context.after(() => gateway.stop());
      const admin = adminClient(gateway.url);
      for (const secret of [
        'a',
        'short',
        '',
        'has space \u00e9',
        '       8',
        'sk-fl-\u00e9\u00e9\u00e9\u00e9',
      ]) {
        const bodies = {
          'adminKeys.o.secret': { adminKeys: { o: { role: 'owner', secret } } },
          'tenants.t.keys[0].secret': { tenants: { t: { models: ['*'], keys: [{ name: 'k', secret }] } } },
        };
        for (const [param, body] of Object.entries(bodies)) {
          for (const path of ['/config', '/config?dryRun=true']) {
            const { status, body: answer } = await admin.ask('PUT', path, body);
            assert.deepEqual([status, answer.error?.param], [400, param]);
            assert.match(
              String(answer.error?.message),
              /expected a secret of at least 8 printable characters/,
            );
            if (secret.length > 1) assert.ok(!String(answer.error?.message).includes(secret));
          }
        }
      }
      assert.equal((await admin.ask('GET', '/admin-keys')).body['data']?.toString(), '');
      const key = (name: string, secret: string) => ({ name, secret });
      const twice = { t: { models: ['*'], keys: [key('k', 'sk-fl-same'), key('l', 'sk-fl-same')] } };
      const { body: same } = await admin.ask('PUT', '/config', { tenants: twice });
      assert.equal(same.error?.param, 'tenants.t.keys[1]');
      assert.match(String(same.error?.message), /keys\[1\]: has the same secret as tenants\.t\.keys\[0\]\.$/);
      const alsoFile = { t: { models: ['*'], keys: [key('k', TEST_KEY)] } };
      const { body: ofFile } = await admin.ask('PUT', '/config', { tenants: alsoFile });
      assert.match(String(ofFile.error?.message), /have the same secret\. Give each its own\.$/);
      const good = { adminKeys: { o: { role: 'owner', secret: '8-chars!' } } };
      await admin.must('PUT', '/config', good);
      assert.equal((await adminClient(gateway.url, '8-chars!').ask('GET', '/admin-keys')).status, 200);
    });
  }

  test('what changes nothing makes no revision, and a key that has ended already is neither made nor rotated', async (context) => {
    const { admin } = await startAdmin(context);
    await admin.must('PUT', '/models/m', { targets: ['echo/echo'] });
    await admin.must('POST', '/tenants/acme/keys', { name: 'k' });
    await admin.must('PUT', '/tenants/acme/grants/m', { until: '2099-01-01' });
    const same: [string, string, object][] = [
      ['PATCH', '/models/m', {}],
      ['PUT', '/models/m', { targets: ['echo/echo'] }],
      ['PATCH', '/tenants/acme/keys/k', {}],
      ['PUT', '/tenants/acme/grants/m', { until: '2099-01-01' }],
    ];
    const { revision } = await admin.must('PATCH', '/models/m', {});
    for (const [method, path, body] of same) {
      assert.equal((await admin.must(method, path, body)).revision, revision, `${method} ${path}`);
    }
    for (const expires of ['2020-01-01', '2020-01-01T00:00:00Z']) {
      const past = await admin.ask('POST', '/tenants/acme/keys', { name: 'old', expires });
      assert.deepEqual([past.status, past.body.error?.param], [400, 'expires']);
    }
    await admin.must('PATCH', '/tenants/acme/keys/k', { expires: '2020-01-01' });
    const rotated = await admin.ask('POST', '/tenants/acme/keys/k/rotate');
    assert.deepEqual([rotated.status, rotated.body.error?.code], [409, 'key_expired']);
  });

  test('the description says which bodies are needed, what exports are written in, and where the revision is', async (context) => {
    const { gateway } = await startAdmin(context);
    const { paths } = (await (await fetch(`${gateway.url}/openapi.json`)).json()) as {
      paths: Record<string, Record<string, Operation>>;
    };
    const operation = (method: string, path: string) => paths[`/admin/v1${path}`]?.[method];
    assert.equal(operation('put', '/config')?.requestBody?.required, true);
    assert.equal(operation('post', '/tenants')?.requestBody?.required, true);
    assert.equal(operation('patch', '/tenants/{name}')?.requestBody?.required, false);
    const types = Object.keys(operation('get', '/calls')?.responses['200']?.content ?? {});
    assert.equal(types.length, 3);
    assert.match(types.join(' '), /json .*csv.*ndjson/);
    const made = operation('post', '/tenants')?.responses['201'];
    assert.ok(made?.headers && 'x-fairlead-revision' in made.headers);
  });

  test('a key ends when it expires, and may call only the models of its own list', async (context) => {
    const { admin, call } = await startAdmin(context);
    const expires = new Date(Date.now() + 3_600_000).toISOString();
    const key = await admin
      .must('POST', '/tenants/acme/keys', { name: 'a', models: ['other'], expires })
      .catch((error: Error) => error);
    assert.match(String(key), /models\[0\]: expected a model that is declared under models, found .*other/);
    await admin.must('PUT', '/models/other', { targets: ['echo/echo'] });
    const made = await admin.must('POST', '/tenants/acme/keys', { name: 'a', models: ['other'], expires });
    const secret = String(made.body['secret']);
    assert.equal(await call(secret), 403);
    assert.equal(await call(secret, { ...HELLO, model: 'other' }), 200);
    await admin.must('PATCH', '/tenants/acme/keys/a', { expires: '2020-01-01' });
    assert.equal(await call(secret, { ...HELLO, model: 'other' }), 401);
    await admin.must('PATCH', '/tenants/acme/keys/a', { expires: null });
    assert.equal(await call(secret, { ...HELLO, model: 'other' }), 200);
  });

  test('each change is a revision with its author and what it changed, and none holds a secret', async (context) => {
    const { admin } = await startAdmin(context);
    const before = await admin.must('GET', '/revisions');
    await admin.must('PUT', '/models/m', { targets: ['echo/echo'] });
    const { body } = await admin.must('POST', '/tenants/acme/keys', { name: 'b' });
    const { body: list } = await admin.must('GET', '/revisions?limit=2');
    const [newest, older] = list['data'] as { number: number; author: string; source: string }[];
    assert.equal(newest?.author, 'environment');
    assert.equal(newest?.source, 'api');
    assert.equal(older?.number, Number(newest?.number) - 1);
    assert.equal(list['nextCursor'], String(older?.number));
    const { body: one } = await admin.must('GET', `/revisions/${older?.number}`);
    assert.deepEqual(one['changes'], [
      { what: 'made', owner: 'api', kind: 'models', name: 'm', after: { targets: ['echo/echo'] } },
    ]);
    const first = await admin.must('GET', '/revisions/1');
    assert.equal(first.body['author'], 'test.yaml');
    const all = JSON.stringify([
      before.body,
      list,
      one,
      first.body,
      (await admin.must('GET', `/revisions/${newest?.number}`)).body,
    ]);
    assert.doesNotMatch(all, /[0-9a-f]{64}/);
    assert.ok(!all.includes(TEST_KEY) && !all.includes(String(body['secret'])));
  });

  test('what is wrong is told with its path, and changes nothing', async (context) => {
    const { admin, gateway } = await startAdmin(context);
    const { revision } = (await (await fetch(`${gateway.url}/readyz`)).json()) as { revision: number };
    const table: [
      method: string,
      path: string,
      body: unknown,
      status: number,
      param: string,
      message: RegExp,
    ][] = [
      ['POST', '/tenants', { name: 'x', models: 'all' }, 400, 'models', /expected a list of model names/],
      ['POST', '/tenants', { models: [] }, 400, 'name', /expected a name/],
      ['POST', '/tenants', { name: 'x', modles: [] }, 400, 'models', /.*/],
      ['PUT', '/models/m', { targets: ['nowhere/x'] }, 400, 'targets[0]', /expected a target of a provider/],
      ['PUT', '/models/m', { targets: ['echo/e'], retrys: 1 }, 400, 'retrys', /did you mean "retries"\?$/],
      [
        'POST',
        '/tenants/acme/keys',
        { name: 'k', secret: 'sk-my-own-secret' },
        400,
        'secret',
        /no field here/,
      ],
      ['POST', '/tenants/acme/keys', { name: 'app' }, 409, '', /declared by both: test.yaml has it already/],
      ['PATCH', '/tenants/acme', { models: [] }, 409, '', /declared by both/],
      ['DELETE', '/models/none', undefined, 404, '', /no model 'none'/],
      [
        'PUT',
        '/providers/p',
        { adapter: 'openai', accounts: [{ name: 'a', apiKey: 'sk-abcdefghijkl' }] },
        400,
        'providers.p.accounts[0].apiKey',
        /is stored only encrypted/,
      ],
      ['PUT', '/config', { server: { port: 1 } }, 400, 'server', /belongs to each instance/],
      ['POST', '/tenants', '{', 400, '', /not valid JSON/],
      [
        'POST',
        '/tenants',
        new Uint8Array(Buffer.from('{"name":"\xff"}', 'latin1')),
        400,
        '',
        /not valid UTF-8 \(at byte 9\)/,
      ],
      ['GET', '/tenants?limit=0', undefined, 400, 'limit', /from 1 to 1000/],
    ];
    for (const [method, path, body, status, param, message] of table) {
      const answer = await admin.ask(method, path, body);
      const told = `${method} ${path}: ${JSON.stringify(answer.body)}`;
      assert.equal(answer.status, status, told);
      assert.equal(answer.body.error?.param ?? '', param, told);
      assert.match(String(answer.body.error?.message), message, told);
      assert.doesNotMatch(told, /sk-abcdefghijkl/);
    }
    const after = (await (await fetch(`${gateway.url}/readyz`)).json()) as { revision: number };
    assert.equal(after.revision, revision);
  });

  test('a document of another form than the configuration is refused with the path, and deletes nothing', async (context) => {
    const { admin } = await startAdmin(context);
    const hashed = (digit: string) => ({ secretHash: digit.repeat(64) });
    const keys = [
      { name: 'app', ...hashed('a') },
      { name: 'ci', ...hashed('b') },
    ];
    const grants = [{ model: 'm' }];
    const models = { m: { targets: ['echo/echo'] } };
    const adminKeys = { ops: { role: 'viewer', ...hashed('c') } };
    const sound = { models, adminKeys, tenants: { globex: { models: ['*'], grants, keys } } };
    await admin.must('PUT', '/config', sound);
    const before = (await admin.must('GET', '/config')).body;
    const { revision } = await admin.must('PUT', '/config', sound);
    const tenant = (part: object) => ({ ...sound, tenants: { globex: { models: ['*'], ...part } } });
    const table: [path: string, body: unknown, param: string, message: RegExp][] = [
      [
        '/config',
        tenant({ keys: { app: hashed('a') } }),
        'tenants.globex.keys',
        /a list of keys, found a mapping/,
      ],
      ['/config', tenant({ keys: null }), 'tenants.globex.keys', /a list of keys, found nothing/],
      [
        '/config',
        tenant({ keys: ['app', 'ci'] }),
        'tenants.globex.keys[0]',
        /expected a mapping, found text/,
      ],
      ['/config', tenant({ keys: [hashed('a')] }), 'tenants.globex.keys[0].name', /expected a name/],
      [
        '/config',
        tenant({ keys: [{ name: 5, ...hashed('a') }] }),
        'tenants.globex.keys[0].name',
        /expected a name/,
      ],
      ['/config', tenant({ grants: 'm' }), 'tenants.globex.grants', /a list of grants, found/],
      ['/config', tenant({ grants: [{}] }), 'tenants.globex.grants[0].model', /expected/],
      ['/config', { ...sound, models: [{ name: 'm' }] }, 'models', /expected a mapping, found a list/],
      ['/config', { ...sound, models: null }, 'models', /expected a mapping, found nothing/],
      ['/config', { ...sound, tenants: 'globex' }, 'tenants', /expected a mapping, found text|"globex"/],
      ['/config', { ...sound, tenants: { globex: 'all' } }, 'tenants.globex', /expected a mapping/],
      [
        '/config',
        { ...sound, adminKeys: [{ name: 'ops' }] },
        'adminKeys',
        /expected a mapping, found a list/,
      ],
      ['/config', { ...sound, providers: true }, 'providers', /expected a mapping/],
      ['/config', { ...sound, rollouts: [] }, 'rollouts', /expected a mapping, found an empty list/],
      [
        '/config',
        tenant({ keys: [...keys, { name: 'app', ...hashed('d') }] }),
        'tenants.globex.keys[2].name',
        /has the same name as tenants\.globex\.keys\[0\]/,
      ],
      [
        '/config',
        tenant({ grants: [{ model: 'm' }, { model: 'm', until: '2099-01-01' }] }),
        'tenants.globex.grants[1].model',
        /has the same model as/,
      ],
      ['/tenants/globex', { models: ['*'], keys: 'nonsense' }, 'keys', /have a door of their own/],
      ['/tenants/beta', { models: ['*'], grants: 'nonsense' }, 'grants', /have a door of their own/],
    ];
    for (const [path, body, param, message] of table) {
      const answer = await admin.ask('PUT', path, body);
      const told = `${JSON.stringify(body)}: ${answer.status} ${JSON.stringify(answer.body)}`;
      assert.equal(answer.status, 400, told);
      assert.equal(answer.body.error?.param, param, told);
      assert.match(String(answer.body.error?.message), message, told);
      assert.doesNotMatch(told, /secretHash.*secretHash.*found.*aaaa/);
    }
    const after = await admin.must('PUT', '/config', sound);
    assert.equal(after.revision, revision);
    assert.deepEqual((await admin.must('GET', '/config')).body, before);
  });

  test('roles: a viewer reads, an operator changes tenants, keys and models, an owner everything', async (context) => {
    const { admin, gateway } = await startAdmin(context);
    const make = async (role: string) => {
      const { body } = await admin.must('POST', '/admin-keys', { name: role, role });
      return adminClient(gateway.url, String(body['secret']));
    };
    const [viewer, operator, owner] = [await make('viewer'), await make('operator'), await make('owner')];
    const table: [method: string, path: string, body: unknown, statuses: [number, number, number]][] = [
      ['GET', '/tenants', undefined, [200, 200, 200]],
      ['GET', '/revisions', undefined, [200, 200, 200]],
      ['GET', '/usage', undefined, [200, 200, 200]],
      ['PUT', '/tenants/t', { models: ['*'] }, [403, 200, 200]],
      ['PUT', '/models/m', { targets: ['echo/echo'] }, [403, 200, 200]],
      ['PUT', '/models/m', { targets: ['echo/$' + '{HOME}'] }, [403, 403, 400]],
      ['PUT', '/providers/p', { adapter: 'echo' }, [403, 403, 200]],
      ['GET', '/admin-keys', undefined, [403, 403, 200]],
      ['GET', '/config', undefined, [403, 403, 200]],
      ['PUT', '/config?dryRun=true', {}, [403, 403, 200]],
      ['POST', '/revisions/1/restore', { withRevokedKeys: true }, [403, 403, 200]],
    ];
    for (const [method, path, body, statuses] of table) {
      for (const [index, client] of [viewer, operator, owner].entries()) {
        // The restore takes the admin keys away, so the owner's is the last.
        const answer = await client.ask(method, path, body);
        assert.equal(
          answer.status,
          statuses[index],
          `${method} ${path} ${index}: ${JSON.stringify(answer.body)}`,
        );
      }
    }
    assert.equal((await owner.ask('GET', '/tenants')).status, 401);
  });

  test('a tenant that is sent with empty lists and without models is refused, and nobody is deleted by it', async (context) => {
    const { admin } = await startAdmin(context);
    await admin.must('PUT', '/tenants/beta', { models: ['*'] });
    for (const lists of [{ keys: [] }, { grants: [] }, { keys: [], grants: [] }]) {
      for (const name of ['beta', 'nobody']) {
        const { status, body } = await admin.ask('PUT', '/config', { tenants: { [name]: lists } });
        const where = JSON.stringify([name, lists, body]);
        assert.deepEqual([status, body.error?.param], [400, `tenants.${name}.models`], where);
      }
    }
    await admin.must('GET', '/tenants/beta');
  });

  test('keys and grants of a tenant are made at their own doors, whatever the role', async (context) => {
    const { admin, call } = await startAdmin(context);
    await admin.must('PUT', '/tenants/t', { models: ['*'] });
    const { body } = await admin.must('POST', '/tenants/t/keys', { name: 'k' });
    const chosen = { name: 'k', secretHash: 'a'.repeat(64) };
    const table: [method: string, path: string, body: object, param: string, door: string][] = [
      ['PUT', '/tenants/t', { models: ['*'], keys: [chosen] }, 'keys', '/admin/v1/tenants/t/keys'],
      ['PUT', '/tenants/t', { models: ['*'], keys: [] }, 'keys', '/admin/v1/tenants/t/keys'],
      ['PATCH', '/tenants/t', { keys: [chosen] }, 'keys', '/admin/v1/tenants/t/keys'],
      ['PATCH', '/tenants/t', { keys: null }, 'keys', '/admin/v1/tenants/t/keys'],
      ['POST', '/tenants', { name: 'u', models: ['*'], keys: [chosen] }, 'keys', '/admin/v1/tenants/u/keys'],
      ['PUT', '/tenants/t', { models: [], grants: [{ model: 'echo/*' }] }, 'grants', '…/grants/MODEL'],
      ['PATCH', '/tenants/t', { grants: [{ model: 'echo/*' }] }, 'grants', '…/grants/MODEL'],
    ];
    for (const [method, path, sent, param, named] of table) {
      const { status, body: told } = await admin.ask(method, path, sent);
      const where = `${method} ${path} ${JSON.stringify(sent)}: ${JSON.stringify(told)}`;
      assert.deepEqual([status, told.error?.param, told.error?.code], [400, param, 'has_own_door'], where);
      assert.ok(told.error?.message.includes(named.replace('…', `/admin/v1${path}`)), where);
    }
    assert.equal((await admin.ask('GET', '/tenants/u')).status, 404);
    assert.equal(await call(String(body['secret'])), 200);
    // Neither is lost with what the door does change.
    await admin.must('PUT', '/tenants/t/grants/echo%2F*', {});
    await admin.must('PUT', '/tenants/t', { models: [] });
    assert.equal(await call(String(body['secret'])), 200);
  });

  test('what was kept of a call is for operators and owners; a viewer reads its record', async (context) => {
    const { admin, gateway } = await startAdmin(context, {
      tenants: {
        acme: { models: ['*'], capture: { mode: 'full' }, keys: [{ name: 'app', secret: TEST_KEY }] },
        quiet: { models: ['*'], keys: [{ name: 'app', secret: `${TEST_KEY}-quiet` }] },
      },
    });
    const make = async (role: string) => {
      const { body } = await admin.must('POST', '/admin-keys', { name: role, role });
      return adminClient(gateway.url, String(body['secret']));
    };
    const [viewer, operator] = [await make('viewer'), await make('operator')];
    const ask = async (key: string) => {
      const headers = { authorization: `Bearer ${key}` };
      const answer = await gateway.post('/v1/chat/completions', HELLO, { headers });
      await answer.text();
      return `/calls/${answer.headers.get('x-request-id')}`;
    };
    const [kept, notKept] = [await ask(TEST_KEY), await ask(`${TEST_KEY}-quiet`)];
    await gateway.calls(2);
    for (let waited = 0; (await admin.must('GET', kept)).body['capture'] === null; waited += 25) {
      assert.ok(waited < 10_000, 'nothing was kept');
      await sleep(25);
    }
    assert.match(JSON.stringify((await operator.must('GET', kept)).body['capture']), /Hello/);
    const refused = await viewer.ask('GET', kept);
    assert.deepEqual([refused.status, refused.body.error?.code], [403, 'role_required']);
    assert.match(String(refused.body.error?.message), /'operator'.*\?capture=false/);
    assert.doesNotMatch(JSON.stringify(refused.body), /Hello/);
    const record = (await viewer.must('GET', `${kept}?capture=false`)).body;
    assert.deepEqual([record['tenant'], Object.hasOwn(record, 'capture')], ['acme', false]);
    assert.equal((await viewer.must('GET', notKept)).body['capture'], null);
    assert.equal((await viewer.ask('GET', `${kept}?capture=maybe`)).status, 400);
  });

  test('a restore brings everything back, but revoked keys only where that is asked for', async (context) => {
    const { admin, call } = await startAdmin(context);
    await admin.must('PUT', '/models/m', { targets: ['echo/one'] });
    const made = await admin.must('POST', '/tenants/acme/keys', { name: 'leaked' });
    const secret = String(made.body['secret']);
    const { body: wanted } = await admin.must('GET', '/config?owner=all');
    await admin.must('DELETE', '/tenants/acme/keys/leaked');
    await admin.must('PUT', '/models/m', { targets: ['echo/two'] });
    const refused = await admin.ask('POST', `/revisions/${made.revision}/restore`);
    assert.equal(refused.status, 409);
    assert.match(String(refused.body.error?.message), /keys\/acme\/leaked/);
    assert.equal(await call(secret), 401);
    const restored = await admin.must('POST', `/revisions/${made.revision}/restore`, {
      withRevokedKeys: true,
    });
    assert.equal(restored.body['changes'], 2);
    assert.deepEqual((await admin.must('GET', '/config?owner=all')).body, wanted);
    assert.equal(await call(secret), 200);
    assert.equal((await admin.ask('POST', '/revisions/999/restore')).status, 404);
  });

  test('a restore does not make a secret valid again that was rotated away, unless that is asked for', async (context) => {
    const { admin, call } = await startAdmin(context);
    const made = await admin.must('POST', '/tenants/acme/keys', { name: 'leaked' });
    const first = String(made.body['secret']);
    const rotated = await admin.must('POST', '/tenants/acme/keys/leaked/rotate', { overlap: '0s' });
    const refused = await admin.ask('POST', `/revisions/${made.revision}/restore`);
    assert.deepEqual([refused.status, refused.body.error?.param], [409, 'withRevokedKeys']);
    assert.deepEqual([await call(first), await call(String(rotated.body['secret']))], [401, 200]);
    await admin.must('POST', `/revisions/${made.revision}/restore`, { withRevokedKeys: true });
    assert.equal(await call(first), 200);
  });

  test('a tenant that is deleted takes the keys with it that were made here; what refers to a model keeps it', async (context) => {
    const { admin, call } = await startAdmin(context);
    await admin.must('PUT', '/models/m', { targets: ['echo/one'] });
    await admin.must('PUT', '/tenants/t', { models: ['m'] });
    const { body } = await admin.must('POST', '/tenants/t/keys', { name: 'k' });
    const refused = await admin.ask('DELETE', '/models/m');
    assert.equal(refused.status, 400);
    assert.equal(refused.body.error?.param, 'tenants.t.models[0]');
    await admin.must('DELETE', '/tenants/t');
    assert.equal(await call(String(body['secret'])), 401);
    await admin.must('DELETE', '/models/m');
  });

  test('lists come in pages', async (context) => {
    const { admin } = await startAdmin(context);
    const tenants = Object.fromEntries(
      Array.from({ length: 25 }, (_, index) => [`t${index}`, { models: ['*'] }]),
    );
    await admin.must('PUT', '/config', { tenants });
    const seen: string[] = [];
    for (let cursor = ''; ; ) {
      const { body } = await admin.must('GET', `/tenants?limit=10${cursor}`);
      seen.push(...(body['data'] as { name: string }[]).map(({ name }) => name));
      if (body['nextCursor'] === null) break;
      cursor = `&cursor=${body['nextCursor']}`;
    }
    assert.deepEqual(seen, ['acme', ...Object.keys(tenants)].sort());
  });

  test('events tell of changes; /openapi.json describes every door', async (context) => {
    const { admin, gateway } = await startAdmin(context);
    await admin.must('PUT', '/models/m', { targets: ['echo/one'] });
    const { body } = await admin.must('GET', '/events');
    const [event] = body['data'] as { kind: string; details: { touched: string[] } }[];
    assert.equal(event?.kind, 'config_changed');
    assert.deepEqual(event?.details.touched, ['models/m']);
    const description = (await (await fetch(`${gateway.url}/openapi.json`)).json()) as {
      paths: Record<string, Record<string, { requestBody?: object }>>;
    };
    assert.ok(description.paths['/admin/v1/tenants/{tenant}/keys/{key}/rotate']?.['post']?.requestBody);
    assert.ok(description.paths['/admin/v1/config']?.['put']?.requestBody);
    const operation = (method: string, path: string) => {
      const found = description.paths[`/admin/v1${path}`]?.[method];
      const { requestBody, responses } = found as unknown as {
        requestBody?: Described;
        responses: Record<string, Described>;
      };
      const schemaOf = (one: Described | undefined) => one?.content['application/json'].schema;
      return { takes: schemaOf(requestBody), gives: schemaOf(responses['200'] ?? responses['201']) };
    };
    const namesOf = (schema: Schema | undefined) => Object.keys(schema?.properties ?? {});
    const ofKey = ['expires', 'models', 'prompts', 'limits'];
    const key = operation('post', '/tenants/{tenant}/keys');
    assert.deepEqual(namesOf(key.takes).sort(), ['name', ...ofKey].sort());
    assert.deepEqual(namesOf(operation('patch', '/tenants/{tenant}/keys/{key}').takes).sort(), ofKey.sort());
    for (const name of ['name', 'owner', 'secret', 'limits'])
      assert.ok(namesOf(key.gives).includes(name), name);
    const { takes, gives } = operation('patch', '/tenants/{name}');
    assert.equal(takes?.required, undefined);
    assert.ok(!namesOf(takes).includes('keys') && namesOf(takes).includes('limits'));
    assert.ok(namesOf(gives).includes('owner') && namesOf(gives).includes('limits'));
    const list = operation('get', '/tenants').gives;
    assert.deepEqual(namesOf(list), ['data', 'nextCursor']);
    assert.deepEqual(
      list?.properties?.['data']?.items?.properties && namesOf(list.properties['data'].items),
      namesOf(gives),
    );
    for (const path of ['/revisions', '/events'])
      assert.deepEqual(namesOf(operation('get', path).gives), ['data', 'nextCursor']);
  });

  test('limits change while calls run: what was used counts on, and what was spent counts in new budgets', async (context) => {
    const { gateway, admin, call } = await startAdmin(context);
    await admin.must('POST', '/tenants', { name: 'globex', models: ['*'], limits: { requestsPerMinute: 2 } });
    const key = await admin.must('POST', '/tenants/globex/keys', { name: 'app' });
    const secret = String(key.body['secret']);
    assert.deepEqual([await call(secret), await call(secret), await call(secret)], [200, 200, 429]);
    await admin.must('PATCH', '/tenants/globex', { limits: { requestsPerMinute: 3 } });
    assert.deepEqual([await call(secret), await call(secret)], [200, 429]);
    await gateway.calls(5);
    const budget = (tokens: number) => ({ limits: { budgets: [{ tokens, per: 'day' }] } });
    await admin.must('PATCH', '/tenants/globex', budget(1));
    assert.equal(await call(secret), 402);
    await admin.must('PATCH', '/tenants/globex', budget(1_000_000));
    assert.equal(await call(secret), 200);
  });

  test('a limit on a model counts for tenants that did not change', async (context) => {
    const { admin, call } = await startAdmin(context);
    const model = { targets: ['echo/echo'] };
    await admin.must('PUT', '/models/m', model);
    const body = { ...HELLO, model: 'm' };
    assert.deepEqual([await call(TEST_KEY, body), await call(TEST_KEY, body)], [200, 200]);
    await admin.must('PUT', '/models/m', { ...model, limits: { requestsPerMinute: 1 } });
    assert.deepEqual([await call(TEST_KEY, body), await call(TEST_KEY, body)], [200, 429]);
    await admin.must('PUT', '/models/m', model);
    assert.equal(await call(TEST_KEY, body), 200);
  });
});

test('an entry whose name is none is refused, wherever it stands', async (context) => {
  const gateway = await startGateway({});
  context.after(gateway.stop);
  const admin = adminClient(gateway.url);
  for (const [kind, entry] of Object.entries({
    tenants: { models: 'garbage', bogus: 1 },
    models: { targets: [] },
    providers: 7,
  })) {
    const document = JSON.parse(`{"${kind}":{"__proto__":${JSON.stringify(entry)}}}`) as object;
    const { status, body } = await admin.ask('PUT', '/config', document);
    assert.equal(status, 400);
    assert.equal(body.error?.param, `${kind}.__proto__`);
  }
  // The same name, as JSON may write it, too.
  for (const path of ['/config', '/models/a']) {
    const body = '{"targets":["echo/x"],"tenants":{"\\u005f_proto__":{"models":["*"]}},"\\u005f_proto__":{}}';
    assert.equal((await admin.ask('PUT', path, body)).status, 400);
  }
  const ready = await admin.must('GET', '/tenants');
  assert.doesNotMatch(JSON.stringify(ready.body), /__proto__/);
});

test('a body that is nested very deeply is refused', async (context) => {
  const gateway = await startGateway({});
  context.after(gateway.stop);
  const admin = adminClient(gateway.url);
  for (const depth of [200, 5_000, 100_000]) {
    const deep = `{"tenants":{},"b":${'['.repeat(depth)}${']'.repeat(depth)}}`;
    for (const [method, path] of [
      ['PUT', '/config'],
      ['POST', '/tenants'],
    ] as const) {
      const { status, body } = await admin.ask(method, path, deep);
      assert.equal(status, 400, `${depth}`);
      assert.match(body.error?.message ?? '', /nested deeper than 128 levels|not valid JSON/);
    }
  }
});
