import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CALL_COLUMNS } from '../../src/store/schema.ts';
import { fromCallRow, toCallRow } from '../../src/usage/call-row.ts';
import { deleteCalls, onEachDatabase } from '../support/databases.ts';
import { anyRecord, anyRecords, makeRecord } from '../support/usage-records.ts';

test('every column is written', () => {
  assert.deepEqual(Object.keys(toCallRow(makeRecord())), CALL_COLUMNS);
});

test('a record is the same after it was a row', () => {
  fc.assert(fc.property(anyRecord, (record) => assert.deepEqual(fromCallRow(toCallRow(record)), record)));
});

onEachDatabase((database) => {
  test('a record is the same after it was in the database', async (context) => {
    const store = await database.open(context);
    await fc.assert(
      fc.asyncProperty(anyRecords(10), async (records) => {
        await deleteCalls(store);
        await store.insertCalls(records.map(toCallRow));
        const rows = await store.db.selectFrom('calls').selectAll().execute();
        const byId = new Map(rows.map((row) => [row.id, fromCallRow(row)]));
        assert.deepEqual(
          records.map((record) => byId.get(record.id)),
          records,
        );
      }),
      { numRuns: 30 },
    );
  });
});

test('a usage that we counted ourselves stays marked', () => {
  const record = makeRecord();
  assert.ok(record.usage);
  record.usage.estimated = true;
  assert.equal(fromCallRow(toCallRow(record)).usage?.estimated, true);
});
