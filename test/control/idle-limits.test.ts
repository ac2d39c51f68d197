import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { onEachDatabase } from '../support/databases.ts';
import { makeTempDirectory } from '../support/temp-store.ts';
import { fileOf, makeInstance, put, writeFileOf } from './support.ts';

const API = { name: 'ops', source: 'api' } as const;

const FILE = 'models: { m: { targets: [echo/one] } }\ntenants: { acme: { models: ["*"] } }\n';

const limitedTo = (...models: string[]) => ({
  kind: 'tenants' as const,
  name: 'lim',
  value: {
    models: ['*'],
    modelLimits: Object.fromEntries(models.map((model) => [model, { requestsPerMinute: 1 }])),
  },
});

const idle = (events: string[]) => events.filter((event) => event.startsWith('warning config_idle'));

onEachDatabase((database) => {
  test("a limit that an earlier version took for a model that is not there is told of, and is in nobody's way", async (context) => {
    const store = await database.open(context);
    const running = makeInstance(store, fileOf(FILE));
    await running.control.start();
    await running.control.revisions.append({
      number: 2,
      createdAt: Date.now(),
      author: 'ops',
      source: 'api',
      documentHash: null,
      changes: put(limitedTo('nomodel', 'm'))(running.control.layers),
    });
    await running.control.lookForNewer();
    assert.deepEqual([running.control.revision, running.control.troubles], [2, []]);
    assert.equal(idle(await running.events()).length, 1);

    const { control, events } = makeInstance(store, fileOf(FILE));
    await control.start();
    assert.deepEqual(Object.keys(control.config.tenants['lim']?.modelLimits ?? {}), ['nomodel', 'm']);
    assert.equal(idle(await events()).length, 2);

    const key = { kind: 'keys' as const, name: 'lim/k', value: { secretHash: 'a'.repeat(64) } };
    await control.change(API, put(key));
    await control.change(API, (layers) => [
      { owner: 'api', ...key, before: layers.find('keys', 'lim/k')?.value, after: undefined },
    ]);
    await control.change(API, put({ kind: 'models', name: 'other', value: { targets: ['echo/x'] } }));
    // It was told before.
    assert.equal(idle(await events()).length, 2);

    await assert.rejects(control.change(API, put(limitedTo('nomodel', 'other'))), {
      message: 'admin API: tenants.lim.modelLimits.nomodel: expected a model that is declared under models',
    });
    await assert.rejects(control.tryChange(put(limitedTo('nomodel'))), /modelLimits\.nomodel/);
    await control.change(API, put(limitedTo('other')));
    await assert.rejects(
      control.change(API, (layers) => [
        {
          owner: 'api',
          kind: 'models',
          name: 'other',
          before: layers.find('models', 'other')?.value,
          after: undefined,
        },
      ]),
      /tenants\.lim\.modelLimits\.other/,
    );
  });

  test('a model goes from the file that a tenant of the API has a limit on: the limit is told of, also at the next start, and a restore takes it as it was', async (context) => {
    const store = await database.open(context);
    const path = join(makeTempDirectory(context), 'fairlead.yaml');
    const { control, events } = makeInstance(store, await writeFileOf(path, FILE));
    await control.start();
    await control.change(API, put(limitedTo('m')));
    const without = FILE.replace(' m: ', ' n: ');
    writeFileSync(path, without);
    await control.reloadFile();
    assert.deepEqual([control.troubles, Object.keys(control.config.models)], [[], ['n']]);
    assert.equal(idle(await events()).length, 1);

    const next = makeInstance(store, await writeFileOf(path, without));
    await next.control.start();
    assert.equal(idle(await next.events()).length, 2);
    const { revision } = next.control;
    await next.control.change(API, (layers) => [
      { owner: 'api', ...limitedTo(), before: layers.find('tenants', 'lim')?.value, after: undefined },
    ]);
    await next.control.restore(revision, 'ops', false);
    assert.ok(next.control.config.tenants['lim']);

    // The model is there again: so is its limit, and when it goes once more that is told again.
    await writeFileOf(path, FILE);
    await next.control.reloadFile();
    const before = idle(await next.events()).length;
    await writeFileOf(path, without);
    await next.control.reloadFile();
    assert.equal(idle(await next.events()).length, before + 1);
  });
});
