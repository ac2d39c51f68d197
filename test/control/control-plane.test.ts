import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { onEachDatabase } from '../support/databases.ts';
import { makeTempDirectory } from '../support/temp-store.ts';
import { fileOf, makeInstance, put, withoutRevisions, writeFileOf } from './support.ts';

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

  test('a file that is wrong is refused once the store is back, and not tried again', async (context) => {
    const store = await database.open(context);
    const path = join(makeTempDirectory(context), 'fairlead.yaml');
    const { control, events } = makeInstance(store, await writeFileOf(path, fileWith('acme')));
    await control.start();
    await control.change(API, put({ kind: 'models', name: 'mine', value: { targets: ['echo/x'] } }));
    await withoutRevisions(store, async () => {
      writeFileSync(path, fileWith('acme').replace('models: {', 'models: { mine: { targets: [echo/y] },'));
      await control.reloadFile();
    });
    for (let look = 0; look < 3; look++) await control.lookForNewer();
    assert.deepEqual(control.troubles, ['file_refused']);
    assert.equal((await events()).filter((event) => event.startsWith('alarm config_refused')).length, 1);
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

  test('whoever stops waits for what is under way only so long', async (context) => {
    const store = await database.open(context);
    const { control } = makeInstance(store, fileOf(fileWith('acme')));
    await control.start();
    const gate = Promise.withResolvers<void>();
    const plan = put({ kind: 'models', name: 'mine', value: { targets: ['echo/x'] } });
    const change = control.change(API, plan, () => gate.promise);
    assert.equal(await control.settle(1), false);
    gate.resolve();
    await change;
    assert.equal(await control.settle(60_000), true);
  });
});
