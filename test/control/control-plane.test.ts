import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ControlPlane } from '../../src/control/control-plane.ts';
import { openStore } from '../../src/store/open.ts';
import { onEachDatabase } from '../support/databases.ts';
import { startSlowWire } from '../support/slow-wire.ts';
import { makeTempDirectory } from '../support/temp-store.ts';
import { fileOf, makeInstance, put, untilBlocked, withoutRevisions, writeFileOf } from './support.ts';

const API = { name: 'ops', source: 'api' } as const;

const fileWith = (tenant: string, more = '') =>
  `models: { m: { targets: [echo/one] } }\ntenants: { ${tenant}: { models: ["*"] } }\n${more}`;

onEachDatabase((database) => {
  for (const [what, text] of [
    ['without a file', null],
    ['with a blank file', ' \n'],
  ] as const) {
    test(`an instance that starts ${what} serves by what the store has, and says so`, async (context) => {
      const store = await database.open(context);
      const one = makeInstance(store, fileOf(fileWith('acme')));
      await one.control.start();
      const other = makeInstance(store, fileOf(text));
      await other.control.start();
      assert.deepEqual(Object.keys(other.control.config.tenants), ['acme']);
      assert.equal(other.control.revision, 1);
      await one.control.lookForNewer();
      assert.deepEqual(Object.keys(one.control.config.tenants), ['acme']);
      assert.equal(await one.control.revisions.newestNumber(), 1);
      const told = (await other.events()).filter((event) => event.includes('config_adopted'));
      assert.equal(told.length, 1);
      assert.match(told[0] ?? '', /^warning config_adopted .*(?:no config file|is empty)/);
    });
  }

  test('the first instance may be one without a file, and one with a file has it in force', async (context) => {
    const store = await database.open(context);
    const bare = makeInstance(store, fileOf(null));
    await bare.control.start();
    assert.equal(bare.control.revision, 1);
    await makeInstance(store, fileOf(fileWith('acme'))).control.start();
    await bare.control.lookForNewer();
    assert.deepEqual([bare.control.revision, Object.keys(bare.control.config.tenants)], [2, ['acme']]);
    await makeInstance(store, fileOf(null)).control.start();
    assert.equal(await bare.control.revisions.newestNumber(), 2);
  });

  test('a file that says nothing is a file: what was in it goes', async (context) => {
    const store = await database.open(context);
    await makeInstance(store, fileOf(fileWith('acme'))).control.start();
    const empty = makeInstance(store, fileOf('{}'));
    await empty.control.start();
    assert.deepEqual([empty.control.revision, Object.keys(empty.control.config.tenants)], [2, []]);
  });

  test('a change of the file during an outage of the store is made when it is back, and no file is blamed', async (context) => {
    const store = await database.open(context);
    const path = join(makeTempDirectory(context), 'fairlead.yaml');
    const { control, events } = makeInstance(store, await writeFileOf(path, fileWith('acme')));
    await control.start();
    await withoutRevisions(store, async () => {
      writeFileSync(path, fileWith('globex'));
      await control.reloadFile();
      await control.lookForNewer();
      assert.deepEqual(control.troubles, ['file_pending', 'store_unreachable']);
    });
    await control.lookForNewer();
    assert.deepEqual(Object.keys(control.config.tenants), ['globex']);
    assert.deepEqual([control.revision, control.troubles], [2, []]);
    const told = (await events()).filter((event) => !event.includes('config_changed'));
    assert.deepEqual(told.length, 1, told.join('\n'));
    assert.match(told[0] ?? '', /^warning config_postponed .*tried again/);
    await control.lookForNewer();
    assert.equal(control.revision, 2);
  });

  test('a file that is wrong itself is refused, and not tried again', async (context) => {
    const store = await database.open(context);
    const path = join(makeTempDirectory(context), 'fairlead.yaml');
    const { control, events } = makeInstance(store, await writeFileOf(path, fileWith('acme')));
    await control.start();
    writeFileSync(path, fileWith('acme', 'modles: {}'));
    await control.reloadFile();
    await control.change(API, put({ kind: 'models', name: 'mine', value: { targets: ['echo/x'] } }));
    for (let look = 0; look < 3; look++) await control.lookForNewer();
    assert.deepEqual(control.troubles, ['file_refused']);
    assert.equal((await events()).filter((event) => event.startsWith('alarm config_refused')).length, 1);
  });

  test('a file that the API stands in the way of is taken up when that is gone, and tried after each revision only', async (context) => {
    const store = await database.open(context);
    const path = join(makeTempDirectory(context), 'fairlead.yaml');
    let now = Date.UTC(2026, 10, 28);
    const options = { now: () => now };
    const { control, events, compiled } = makeInstance(
      store,
      await writeFileOf(path, fileWith('acme')),
      options,
    );
    await control.start();
    const key = { kind: 'keys', name: 'acme/k', value: { secretHash: 'a'.repeat(64) } } as const;
    const until = new Date(now + 60_000).toISOString();
    const grant = { kind: 'grants', name: 'acme/m', value: { until } } as const;
    await control.change(API, put(key));
    await control.change(API, put(grant));
    // It is noticed also where the store was away when the file was written.
    await withoutRevisions(store, async () => {
      writeFileSync(path, fileWith('globex'));
      await control.reloadFile();
    });
    for (let look = 0; look < 3; look++) await control.lookForNewer();
    assert.deepEqual(control.troubles, ['file_pending']);
    const refusals = async () => (await events()).filter((event) => event.startsWith('alarm config_refused'));
    assert.equal((await refusals()).length, 1);
    assert.match(String((await refusals())[0]), /does not fit what is declared elsewhere.*tried again/);

    const tried = compiled();
    await control.change(API, (layers) => [
      { owner: 'api', ...key, before: layers.find('keys', 'acme/k')?.value, after: undefined },
    ]);
    await control.lookForNewer();
    assert.deepEqual([control.troubles, Object.keys(control.config.tenants)], [['file_pending'], ['acme']]);
    // The revision alone was compiled: what is refused is not.
    assert.equal(compiled(), tried + 1);
    assert.equal((await refusals()).length, 2, 'a grant alone is in the way now');

    // The grant ends: that is no revision.
    now += 60_000;
    await control.lookForNewer();
    assert.deepEqual([control.troubles, Object.keys(control.config.tenants)], [[], ['globex']]);
    assert.equal((await events()).filter((event) => event.startsWith('info config_accepted')).length, 1);
  });

  test('whoever looks while a look is under way, or waits for its turn, shares it', async (context) => {
    const store = await database.open(context);
    const { control } = makeInstance(store, fileOf(fileWith('acme')));
    await control.start();
    const first = control.lookForNewer();
    assert.equal(control.lookForNewer(), first);
    await first;
    assert.notEqual(control.lookForNewer(), first);
  });

  test('whoever makes a change tells others of it, and whoever takes one up tells nobody', async (context) => {
    const store = await database.open(context);
    const [one, two] = [makeInstance(store, fileOf(null)), makeInstance(store, fileOf(null))];
    await one.control.start();
    await two.control.start();
    await one.control.change(API, put({ kind: 'models', name: 'mine', value: { targets: ['echo/x'] } }));
    assert.deepEqual([one.told(), two.told()], [1, 0]);
    await two.control.lookForNewer();
    await two.control.readCredentialFiles();
    assert.deepEqual([two.control.revision, two.told()], [one.control.revision, 0]);
    await two.control.change(API, () => []);
    assert.equal(two.told(), 0, 'nothing has changed');
    await two.control.takeUpKeys();
    assert.equal(two.told(), 1, 'of keys that are in no revision others are told, too');
  });

  test('what is written beside a change is written where nothing else changes', async (context) => {
    const store = await database.open(context);
    const { control } = makeInstance(store, fileOf(fileWith('acme')));
    await control.start();
    assert.equal((await control.change(API, () => [])).revision, 1);
    let written = 0;
    const alongside = async () => {
      written += 1;
    };
    const { revision, changes } = await control.change(API, () => [], { alongside });
    assert.deepEqual([revision, changes, written], [2, [], 1]);
  });

  test('whoever stops waits for what is under way only so long', async (context) => {
    const store = await database.open(context);
    const { control } = makeInstance(store, fileOf(fileWith('acme')));
    await control.start();
    const gate = Promise.withResolvers<void>();
    const plan = put({ kind: 'models', name: 'mine', value: { targets: ['echo/x'] } });
    const change = control.change(API, plan, { alongside: () => gate.promise });
    assert.equal(await control.settle(1), false);
    gate.resolve();
    await change;
    assert.equal(await control.settle(60_000), true);
  });

  test('what takes something away waits for the change under way, and for none that waits', async (context) => {
    const store = await database.open(context);
    const { control } = makeInstance(store, fileOf(fileWith('acme')));
    await control.start();
    const model = (name: string) => put({ kind: 'models', name, value: { targets: ['echo/x'] } });
    const [gate, held] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const alongside = () => {
      held.resolve();
      return gate.promise;
    };
    const running = control.change(API, model('running'), { alongside });
    await held.promise;
    const waiting = ['one', 'two'].map((name) => control.change(API, model(name)));
    const urgent = control.change(API, model('urgent'), { urgency: 'urgent' });
    gate.resolve();
    const outcomes = await Promise.all([running, urgent, ...waiting]);
    assert.deepEqual(
      outcomes.map(({ revision }) => revision),
      [2, 3, 4, 5],
    );
  });

  test('a restart with an earlier file has it in force again, and says whose it was', async (context) => {
    const store = await database.open(context);
    const [old, newer] = [fileOf(fileWith('acme')), fileOf(fileWith('globex'))];
    await makeInstance(store, old).control.start();
    const two = makeInstance(store, newer);
    await two.control.start();
    assert.equal((await two.events()).filter((event) => event.includes('config_file_again')).length, 0);
    const again = makeInstance(store, old);
    await again.control.start();
    assert.deepEqual(Object.keys(again.control.config.tenants), ['acme']);
    const told = (await again.events()).filter((event) => event.includes('config_file_again'));
    assert.equal(told.length, 1);
    assert.match(told[0] ?? '', /^warning config_file_again .*revision 1 .*revision 3/);
  });

  test('a revision that is refused here is not compiled at every look, but again after a while', async (context) => {
    const store = await database.open(context);
    let now = Date.UTC(2026, 10, 28);
    let isRefused = true;
    const loaded = fileOf(fileWith('acme'));
    const one = makeInstance(store, loaded);
    await one.control.start();
    const two = makeInstance(store, loaded, {
      now: () => now,
      compile: ({ models }) => {
        if (isRefused && models['mine']) throw new Error('not here');
      },
    });
    await two.control.start();
    await one.control.change(API, put({ kind: 'models', name: 'mine', value: { targets: ['echo/x'] } }));
    const before = two.compiled();
    for (let look = 0; look < 5; look++) await two.control.lookForNewer();
    assert.equal(two.compiled(), before + 1);
    assert.deepEqual(two.control.troubles, ['behind']);
    await withoutRevisions(store, () => two.control.lookForNewer());
    assert.deepEqual(two.control.troubles, ['behind', 'store_unreachable']);
    await two.control.lookForNewer();
    assert.deepEqual(two.control.troubles, ['behind'], 'the store answered');
    // What was missing here (a file with a credential, say) is there.
    isRefused = false;
    await two.control.lookForNewer();
    assert.equal(two.control.revision, 1);
    now += 30_000;
    await two.control.lookForNewer();
    assert.deepEqual([two.control.revision, two.control.troubles], [2, []]);
  });

  test('a revision that another makes while one is restored is undone, too', {
    skip: database.name === 'SQLite',
  }, async (context) => {
    // The other holds the number, not committed yet, when this one wants it: a database of one writer has no such moment.
    const store = await database.open(context);
    const loaded = fileOf(fileWith('acme'));
    const [one, two] = [makeInstance(store, loaded), makeInstance(store, loaded)];
    await one.control.start();
    await two.control.start();
    const model = (name: string) => put({ kind: 'models', name, value: { targets: ['echo/x'] } });
    await one.control.change(API, model('first'));
    const [gate, held] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const alongside = () => {
      held.resolve();
      return gate.promise;
    };
    const change = two.control.change(API, model('second'), { alongside });
    await held.promise;
    const restored = one.control.restore(1, 'ops', false);
    await untilBlocked(store);
    gate.resolve();
    assert.equal((await change).revision, 3);
    assert.equal((await restored).revision, 4);
    assert.deepEqual(Object.keys(one.control.config.models), ['m']);
    await two.control.lookForNewer();
    assert.deepEqual(Object.keys(two.control.config.models), ['m']);
  });

  test('a revision whose commit is not confirmed is found to be made, once', {
    skip: database.name === 'SQLite',
  }, async (context) => {
    const url = new URL(await database.makeUrl(context));
    const wire = await startSlowWire(Number(url.port));
    context.after(() => wire.close());
    const direct = await openStore(url.href);
    context.after(() => direct.close());
    url.hostname = '127.0.0.1';
    url.port = String(wire.port);
    const store = await openStore(url.href);
    context.after(() => store.close());
    const { control } = makeInstance(store, fileOf(fileWith('acme')));
    await control.start();
    const other = makeInstance(direct, fileOf(fileWith('acme')));
    const model = put({ kind: 'models', name: 'mine', value: { targets: ['echo/x'] } });
    let isLost = false;
    const alongside = async () => {
      if (isLost) return;
      isLost = true;
      // The server commits, and its answer is lost.
      wire.set('muted');
      void untilNumber(other.control, 2).then(() => {
        wire.cut();
        wire.set('open');
      });
    };
    const change = control.change(API, model, { alongside });
    assert.equal((await change).revision, 2);
    assert.equal(control.revision, 2);
    assert.equal(await other.control.revisions.newestNumber(), 2);
  });
});

async function untilNumber({ revisions }: ControlPlane, number: number): Promise<void> {
  while ((await revisions.newestNumber()) < number) await sleep(10);
}
