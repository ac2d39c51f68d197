import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Change } from '../../src/control/change.ts';
import { RevisionStore } from '../../src/control/revision-store.ts';
import { onEachDatabase } from '../support/databases.ts';

const made = (
  kind: Change['kind'],
  name: string,
  after: Change['after'],
  owner: Change['owner'] = 'api',
): Change => ({
  owner,
  kind,
  name,
  before: undefined,
  after,
});

onEachDatabase((database) => {
  test('all entries are read as they were written, those of one owner and kind by their age', async (context) => {
    const store = new RevisionStore(await database.open(context));
    assert.deepEqual(await store.readAll(), { number: 0, entries: [] });
    const revisions: Change[][] = [
      [made('tenants', 'z', { models: ['*'] }), made('keys', 'z/old', { secretHash: 'x' })],
      [
        made('keys', 'z/b', { note: 'a\nline, "quoted"\\' }),
        made('keys', 'z/a', { models: ['m,n'] }),
        made('grants', 'z/odd"name\\,', {}),
        made('settings', 'prices', ['a list', 1, null, { deep: true }]),
        made('keys', 'f/k', {}, 'file'),
      ],
      [{ ...made('keys', 'z/old', { secretHash: 'y' }), before: { secretHash: 'x' } }],
    ];
    for (const [index, changes] of revisions.entries()) {
      const revision = {
        number: index + 1,
        createdAt: 1,
        author: 'a',
        source: 'api',
        documentHash: null,
      } as const;
      assert.equal(await store.append({ ...revision, changes }), true);
    }
    const { number, entries } = await store.readAll();
    assert.equal(number, 3);
    const told = entries.map(
      ({ owner, kind, name, value }) => `${owner} ${kind} ${name} ${JSON.stringify(value)}`,
    );
    assert.deepEqual(
      told.filter((line) => line.startsWith('api keys')),
      [
        'api keys z/old {"secretHash":"y"}',
        'api keys z/a {"models":["m,n"]}',
        `api keys z/b ${JSON.stringify({ note: 'a\nline, "quoted"\\' })}`,
      ],
    );
    assert.deepEqual(told.filter((line) => !line.startsWith('api keys')).sort(), [
      'api grants z/odd"name\\, {}',
      'api settings prices ["a list",1,null,{"deep":true}]',
      'api tenants z {"models":["*"]}',
      'file keys f/k {}',
    ]);
  });

  test('a thousand entries of one revision come in the order of their names, whatever was written first', async (context) => {
    const store = new RevisionStore(await database.open(context));
    const names = Array.from(
      { length: 3_000 },
      (_, index) => `t${String(index % 300).padStart(3, '0')}/k${String(index).padStart(4, '0')}`,
    );
    const changes = names.map((name) => made('keys', name, { name }));
    await store.append({ number: 1, createdAt: 1, author: 'a', source: 'api', documentHash: null, changes });
    const { entries } = await store.readAll();
    assert.deepEqual(
      entries.map(({ name }) => name),
      names.toSorted(),
    );
    for (const { name, value } of entries) assert.deepEqual(value, { name });
  });
});
