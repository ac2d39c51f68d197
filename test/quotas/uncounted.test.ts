import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Uncounted } from '../../src/quotas/uncounted.ts';
import { onEachDatabase } from '../support/databases.ts';

const EXPIRES_AT = Date.UTC(2100, 0, 1);
const BUDGETS = 1_001;

onEachDatabase((database) => {
  test('what many budgets spent is written and taken away in some statements for all of them', async (context) => {
    const store = await database.open(context);
    let statements = 0;
    const db = store.db.withPlugin({
      transformQuery: ({ node }) => {
        statements += 1;
        return node;
      },
      transformResult: async ({ result }) => result,
    });
    const one = new Uncounted({ db }, 'one');
    const other = new Uncounted({ db }, 'other');
    const places = Array.from({ length: BUDGETS }, (_, index) => `budget ${index}`);
    const countRows = async () => (await new Uncounted({ db }, 'third').readOthers(0)).length;
    for (const place of places) one.note(place, 'part', 5, EXPIRES_AT);
    one.note('kept', 'part', 5, EXPIRES_AT);
    await one.save();
    for (const place of places) one.drop(place, 'part');
    await one.save();
    assert.ok(statements <= 12, `${statements} statements`);
    assert.equal(await countRows(), 1);

    for (const place of places) one.note(place, 'part', 5, EXPIRES_AT);
    await one.save();
    const read = await other.readOthers(0);
    assert.equal(read.length, BUDGETS + 1);
    // What came to it since it was read is not in the counters.
    one.note('kept', 'part', 6, EXPIRES_AT);
    await one.save();
    statements = 0;
    await other.remove(read);
    assert.ok(statements <= 6, `${statements} statements`);
    assert.equal(await countRows(), 1);
    assert.deepEqual(await other.sum(), new Map([['kept', 6]]));
  });
});
