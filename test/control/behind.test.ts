import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Config } from '../../src/config/resolve.ts';
import type { Change } from '../../src/control/change.ts';
import type { Entry } from '../../src/control/entry.ts';
import type { Layers } from '../../src/control/layers.ts';
import { GatewayError } from '../../src/conversation/gateway-error.ts';
import { hashSecret } from '../../src/tenants/keys.ts';
import { onEachDatabase } from '../support/databases.ts';
import { makeTempDirectory } from '../support/temp-store.ts';
import { type BareInstance, fileOf, makeInstance, put, writeFileOf } from './support.ts';

const API = { name: 'ops', source: 'api' } as const;
const FILE = 'tenants: { acme: { models: ["*"], keys: [{ name: app, secret: sk-of-the-file }] } }';
/** Longer than a revision that was refused is left alone. */
const PAUSE_MS = 31_000;

type Plan = (layers: Layers) => readonly Change[];

const remove =
  (kind: Entry['kind'], name: string): Plan =>
  (layers) => [{ owner: 'api', kind, name, before: layers.find(kind, name)?.value, after: undefined }];

const all =
  (...plans: Plan[]): Plan =>
  (layers) =>
    plans.flatMap((plan) => plan(layers));

const tenant = (name: string, models = ['*']): Plan => put({ kind: 'tenants', name, value: { models } });
const key = (name: string): Plan =>
  put({ kind: 'keys', name, value: { secretHash: hashSecret(`sk-of-${name}`) } });
const issuers = (value: Record<string, object>): Plan =>
  put({ kind: 'settings', name: 'issuers', value: JSON.parse(JSON.stringify(value)) });
const issuer = (name: string, of: object) => ({ issuer: `https://${name}.example`, audience: 'x', ...of });

onEachDatabase((database) => {
  /** Two instances on one store, of which the second one cannot take up whatever `refuses` says. */
  async function startTwo(context: TestContext, refuses: (config: Config) => boolean, made: Plan) {
    const store = await database.open(context);
    let now = Date.UTC(2026, 10, 28);
    const one = makeInstance(store, fileOf(FILE));
    await one.control.start();
    await one.control.change(API, made);
    const two = makeInstance(store, fileOf(FILE), {
      now: () => now,
      compile: (config) => {
        if (refuses(config)) throw new Error('not here');
      },
    });
    await two.control.start();
    const look = async (times: number) => {
      for (let time = 0; time < times; time++) {
        now += PAUSE_MS;
        await two.control.lookForNewer();
      }
    };
    return { store, one, two, look };
  }

  const toldOfBehind = async (instance: BareInstance) =>
    (await instance.events()).map((event) => event.split(' ')[1]).filter((kind) => /behind/.test(kind ?? ''));
  const issuersOf = ({ control }: BareInstance) => Object.keys(control.config.issuers);
  const tenantsOf = ({ control }: BareInstance) => Object.keys(control.config.tenants).sort();
  const keysOf = ({ control }: BareInstance, name: string) =>
    control.config.tenants[name]?.keys.map((made) => made.name);

  test('tokens of a tenant that goes are out also where the new issuers cannot be taken up', async (context) => {
    const { one, two, look } = await startTwo(
      context,
      (config) => 'bad' in config.issuers,
      all(
        tenant('jwt'),
        issuers({
          a: issuer('a', { tenant: 'jwt' }),
          b: issuer('b', { tenant: 'acme' }),
          c: issuer('c', { tenantClaim: 'org', tenants: { one: 'jwt', two: 'acme' } }),
        }),
      ),
    );
    await one.control.change(
      API,
      all(
        issuers({
          b: issuer('b', { tenant: 'acme' }),
          bad: issuer('bad', { tenant: 'acme' }),
          c: issuer('c', { tenantClaim: 'org', tenants: { two: 'acme' } }),
        }),
        remove('tenants', 'jwt'),
      ),
    );
    await look(4);
    assert.deepEqual([tenantsOf(two), issuersOf(two)], [['acme'], ['b']]);
    assert.deepEqual(await toldOfBehind(two), ['config_behind', 'config_behind_revoked']);
    assert.deepEqual(two.control.troubles, ['behind']);
  });

  test('an issuer that goes, or becomes another, lets nobody in any more', async (context) => {
    for (const isRefusedToo of [false, true]) {
      const { one, two, look } = await startTwo(
        context,
        (config) => 'mine' in config.models || (isRefusedToo && 'new' in config.issuers),
        issuers({
          gone: issuer('gone', { tenant: 'acme' }),
          changed: issuer('changed', { tenant: 'acme' }),
          same: issuer('same', { tenant: 'acme' }),
        }),
      );
      await one.control.change(
        API,
        all(
          put({ kind: 'models', name: 'mine', value: { targets: ['echo/x'] } }),
          issuers({
            changed: issuer('changed', { tenant: 'acme', audience: 'y' }),
            same: issuer('same', { tenant: 'acme' }),
            new: issuer('new', { tenant: 'acme' }),
          }),
        ),
      );
      await look(3);
      const left = isRefusedToo ? ['same'] : ['changed', 'same', 'new'];
      assert.deepEqual(issuersOf(two), left);
      if (!isRefusedToo) assert.deepEqual(two.control.config.issuers['changed']?.audience, ['y']);
      assert.deepEqual(await toldOfBehind(two), ['config_behind', 'config_behind_revoked']);
    }
  });

  test('what cannot be taken away is told as valid, once, and never as taken away', async (context) => {
    const { one, two, look } = await startTwo(
      context,
      (config) => !('jwt' in config.tenants),
      all(tenant('jwt'), issuers({ a: issuer('a', { tenant: 'jwt' }) }), key('acme/made')),
    );
    await one.control.change(API, all(issuers({}), remove('tenants', 'jwt')));
    await look(3);
    assert.deepEqual(tenantsOf(two), ['acme', 'jwt']);
    assert.deepEqual(await toldOfBehind(two), ['config_behind', 'config_behind_valid']);

    await one.control.change(API, remove('keys', 'acme/made'));
    await look(3);
    assert.deepEqual(keysOf(two, 'acme'), ['app']);
    const told = (await toldOfBehind(two)).slice(2);
    assert.deepEqual(told, ['config_behind', 'config_behind_revoked', 'config_behind_valid']);
  });

  test('an instance has everything again of what it took away, once it follows', async (context) => {
    for (const [what, models, name] of [
      ['its own entry is the same in both lives', ['*'], 't/second'],
      ['its key is the same in both lives', ['echo/echo'], 't/app'],
    ] as const) {
      let isBroken = true;
      const { store, one, two, look } = await startTwo(
        context,
        (config) => isBroken && 'mine' in config.models,
        all(tenant('t'), key('t/app')),
      );
      const first = one.control.revision;
      await one.control.change(API, all(remove('keys', 't/app'), remove('tenants', 't')));
      await one.control.change(API, all(tenant('t', [...models]), key(name)));
      await look(1);
      await one.control.restore(first, 'ops', true);
      await one.control.change(API, put({ kind: 'models', name: 'mine', value: { targets: ['echo/x'] } }));
      await look(3);
      assert.deepEqual(tenantsOf(two), ['acme'], what);
      const told = await toldOfBehind(two);
      assert.deepEqual(told, ['config_behind', 'config_behind_revoked'], what);
      isBroken = false;
      await look(1);
      assert.deepEqual([two.control.revision, two.control.troubles], [one.control.revision, []], what);
      const fresh = makeInstance(store, fileOf(FILE));
      await fresh.control.start();
      for (const instance of [two, fresh]) {
        assert.deepEqual(tenantsOf(instance), ['acme', 't'], what);
        assert.deepEqual(keysOf(instance, 't'), ['app'], what);
      }
      await one.control.change(API, key('t/later'));
      await look(1);
      assert.deepEqual(keysOf(two, 't'), ['app', 'later'], what);
    }
  });

  test('a tenant that is made again just as it was is another one, also where something was taken away', async (context) => {
    for (const looks of [0, 1]) {
      let isBroken = true;
      const { one, two, look } = await startTwo(
        context,
        (config) => isBroken && 'mine' in config.models,
        all(tenant('t'), key('t/app'), key('acme/leaked')),
      );
      const mine = put({ kind: 'models', name: 'mine', value: { targets: ['echo/x'] } });
      await one.control.change(API, all(mine, remove('keys', 'acme/leaked')));
      await look(1);
      assert.deepEqual([keysOf(two, 'acme'), keysOf(two, 't')], [['app'], ['app']]);
      const earlier = two.control.config.tenants['t'];
      await one.control.change(API, all(remove('keys', 't/app'), remove('tenants', 't')));
      await one.control.change(API, all(tenant('t'), key('t/app')));
      if (looks > 0) {
        await look(looks);
        assert.deepEqual(tenantsOf(two), ['acme'], 'the earlier tenant is out');
      }
      isBroken = false;
      await look(1);
      assert.deepEqual([two.control.revision, two.control.troubles], [one.control.revision, []]);
      assert.deepEqual(keysOf(two, 't'), ['app']);
      assert.ok(one.lifeOf('t') > 0);
      assert.equal(two.lifeOf('t'), one.lifeOf('t'), 'both know that it is another one');
      assert.notEqual(two.control.config.tenants['t'], earlier, 'its limits are compiled anew');
    }
  });

  const MINE = put({ kind: 'models', name: 'mine', value: { targets: ['echo/x'] } });
  const grant = (name: string): Plan => put({ kind: 'grants', name, value: {} });
  const newestOf = ({ control }: BareInstance) => control.revisions.newestNumber();

  test('a change at an instance that is behind is refused with what it is behind, and why', async (context) => {
    const { one, two, look } = await startTwo(
      context,
      (config) => 'mine' in config.models,
      all(key('acme/made'), grant('acme/granted')),
    );
    const { revision } = await one.control.change(API, MINE);
    await one.control.change(API, remove('grants', 'acme/granted'));
    await look(1);
    const { control } = two;
    for (const refused of [
      () => control.change(API, tenant('new')),
      () => control.change(API, key('acme/mine')),
      () => control.change(API, all(remove('keys', 'acme/made'), tenant('new'))),
      () =>
        control.change(API, put({ kind: 'keys', name: 'acme/made', value: { secretHash: 'a'.repeat(64) } })),
      () => control.tryChange(tenant('new')),
      () => control.restore(revision, 'ops', true),
    ]) {
      const error: unknown = await refused().catch((reason) => reason);
      assert.ok(error instanceof GatewayError, String(error));
      const { status, code, param, message } = error;
      assert.deepEqual({ status, code, param }, { status: 503, code: 'instance_behind', param: undefined });
      assert.match(message, new RegExp(`revision ${revision - 1} .*revision ${revision + 1} .*not here`));
    }
    const rotated = put({ kind: 'keys', name: 'acme/made', value: { secretHash: 'a'.repeat(64) } });
    await assert.rejects(control.change(API, rotated), /it can be revoked \('DELETE'\)/);
    await assert.rejects(control.change(API, key('acme/mine')), /only takes something away is taken here/);
    assert.equal(await newestOf(two), revision + 1);
  });

  test('what only takes away is written at an instance that is behind, and out at all', async (context) => {
    const { one, two, look } = await startTwo(
      context,
      (config) => 'mine' in config.models,
      all(
        ...[key('acme/made'), grant('acme/granted'), tenant('t'), key('t/app')],
        put({ kind: 'adminKeys', name: 'ops', value: { role: 'operator', secretHash: 'b'.repeat(64) } }),
        issuers({ a: issuer('a', { tenant: 't' }), b: issuer('b', { tenant: 'acme' }) }),
      ),
    );
    let { revision } = await one.control.change(API, all(MINE, key('acme/later')));
    await look(1);
    const { control } = two;
    const tenantOfIssuer = all(remove('keys', 't/app'), remove('tenants', 't'));
    const withoutIssuer = all(tenantOfIssuer, issuers({ b: issuer('b', { tenant: 'acme' }) }));
    await assert.rejects(control.change(API, tenantOfIssuer), ({ problems }) => {
      assert.deepEqual(
        problems.map(({ path }: { path: string }) => path),
        ['issuers.a.tenant'],
        'what would be wrong by that, and nothing else, is told',
      );
      return true;
    });
    assert.deepEqual((await control.tryChange(withoutIssuer)).changes.length, 3);
    assert.equal(await newestOf(two), revision, 'nothing is written by what is only tried, or is wrong');
    for (const plan of [
      remove('keys', 'acme/made'),
      // Which was never in force here.
      remove('keys', 'acme/later'),
      remove('grants', 'acme/granted'),
      remove('adminKeys', 'ops'),
      withoutIssuer,
    ]) {
      const outcome = await control.change(API, plan);
      revision += 1;
      assert.equal(outcome.revision, revision);
      await one.control.lookForNewer();
      assert.equal(one.control.revision, revision);
    }
    for (const instance of [one, two]) {
      assert.deepEqual([tenantsOf(instance), issuersOf(instance)], [['acme'], ['b']]);
      assert.deepEqual(keysOf(instance, 'acme'), ['app']);
      assert.deepEqual(instance.control.config.tenants['acme']?.grants ?? [], []);
      assert.deepEqual(Object.keys(instance.control.config.adminKeys), []);
    }
    assert.deepEqual(two.control.troubles, ['behind']);
    const made = (await two.events()).filter((event) => event.includes(`Revision ${revision} `));
    assert.deepEqual(made, [
      `info config_changed Revision ${revision} was made at an instance that was behind.`,
    ]);
    const nothing = await control.change(API, () => []);
    assert.deepEqual(nothing, { revision, changes: [] });
    await control.change(API, remove('models', 'mine'));
    assert.deepEqual([two.control.revision, two.control.troubles], [revision + 1, []]);
  });

  test('a file that only takes away is taken up at an instance that is behind; what else it holds waits', async (context) => {
    const store = await database.open(context);
    const path = join(makeTempDirectory(context), 'fairlead.yaml');
    const write = (keys: string[], more = '') => {
      const declared = keys.map((name) => `{ name: ${name}, secret: sk-file-key-${name}-0000 }`).join(', ');
      return writeFileOf(path, `tenants: { acme: { models: ["*"], keys: [${declared}] } }\n${more}`);
    };
    const one = makeInstance(store, fileOf(null));
    const two = makeInstance(store, await write(['app', 'old']), {
      compile: (config) => {
        if ('mine' in config.models) throw new Error('not here');
      },
    });
    await two.control.start();
    await one.control.start();
    const { revision } = await one.control.change(API, MINE);
    await two.control.lookForNewer();
    assert.deepEqual(two.control.troubles, ['behind']);

    await write(['app', 'new']);
    await two.control.reloadFile();
    assert.deepEqual(two.control.troubles, ['file_pending', 'behind']);
    assert.equal(await newestOf(two), revision);

    await write(['app']);
    await two.control.reloadFile();
    assert.equal(await newestOf(two), revision + 1);
    await one.control.lookForNewer();
    for (const instance of [one, two]) assert.deepEqual(keysOf(instance, 'acme'), ['app']);
    assert.deepEqual(two.control.troubles, ['behind']);
    // Which is the file that was read last: nothing is left to be taken up later.
    await one.control.change(API, remove('models', 'mine'));
    await two.control.lookForNewer();
    assert.deepEqual([two.control.revision, two.control.troubles], [revision + 2, []]);
    assert.deepEqual(keysOf(two, 'acme'), ['app']);
  });

  test('a file that lacks what its instance, which is behind, does not know takes none of it away', async (context) => {
    const store = await database.open(context);
    const directory = makeTempDirectory(context);
    const [mine, others] = [join(directory, 'mine.yaml'), join(directory, 'others.yaml')];
    const text = 'tenants: { acme: { models: ["*"], keys: [{ name: app, secret: sk-file-key-app-0000 }] } }';
    const two = makeInstance(store, await writeFileOf(mine, text), {
      compile: (config) => {
        if ('newer' in config.models) throw new Error('not here');
      },
    });
    await two.control.start();
    const newer = `${text}\nmodels: { newer: { targets: [echo/x] } }`;
    const one = makeInstance(store, await writeFileOf(others, newer));
    await one.control.start();
    await two.control.lookForNewer();
    assert.deepEqual(two.control.troubles, ['behind']);
    await two.control.reloadFile();
    assert.deepEqual(two.control.troubles, ['file_pending', 'behind']);
    await one.control.lookForNewer();
    assert.ok('newer' in one.control.config.models);
  });

  test('where it is written and cannot be taken away here, whoever wants it is told', async (context) => {
    const { one, two, look } = await startTwo(
      context,
      (config) => 'mine' in config.models || !('t' in config.tenants),
      all(tenant('t'), key('t/app')),
    );
    const { revision } = await one.control.change(API, MINE);
    await look(1);
    const away = two.control.change(API, all(remove('keys', 't/app'), remove('tenants', 't')));
    await assert.rejects(away, {
      status: 503,
      code: 'instance_behind',
      message: new RegExp(`revision ${revision + 1} .*still valid here`),
    });
    await one.control.lookForNewer();
    assert.deepEqual([one.control.revision, tenantsOf(one)], [revision + 1, ['acme']]);
    assert.deepEqual(tenantsOf(two), ['acme', 't']);
  });
});
