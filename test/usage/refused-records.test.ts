import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ledger, type LedgerProblem } from '../../src/usage/ledger.ts';
import { PriceBook } from '../../src/usage/prices.ts';
import { sumUsage } from '../../src/usage/queries.ts';
import { onEachDatabase } from '../support/databases.ts';
import { openTempJournal } from '../support/temp-journal.ts';
import { makeRecord } from '../support/usage-records.ts';

onEachDatabase((database) => {
  test('a record that the database refuses for ever is set aside and told whole; those around it are stored', async (context) => {
    const store = await database.open(context);
    const problems: LedgerProblem[] = [];
    const ledger = new Ledger({
      store,
      journal: openTempJournal(),
      prices: new PriceBook({ prices: {} }),
      onProblem: (problem) => problems.push(problem),
    });
    const records = Array.from({ length: 450 }, () => makeRecord());
    // No database has a number for that in a column that must have one.
    const refused = [57, 58, 399].map((place) => {
      const record = makeRecord({ latencyMs: Number.NaN });
      records[place] = record;
      return record;
    });
    for (const record of records) ledger.append(record);
    await ledger.flush();
    assert.equal((await sumUsage(store, { groupBy: [] }))[0]?.calls, records.length - refused.length);
    assert.deepEqual(
      problems.map((problem) => problem.kind === 'record_refused' && problem.record),
      refused,
    );
    const later = makeRecord();
    ledger.append(later);
    await ledger.close();
    assert.equal((await sumUsage(store, { groupBy: [] }))[0]?.calls, records.length - refused.length + 1);
    assert.equal(problems.length, refused.length);
  });
});
