import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CALL_COLUMNS } from '../../src/store/schema.ts';
import { type AttemptFields, attemptsFields, readAttempts } from '../../src/usage/attempts-text.ts';
import { fromCallRow, toCallRow } from '../../src/usage/call-row.ts';
import { deleteCalls, onEachDatabase } from '../support/databases.ts';
import { anyRecord, anyRecords, makeRecord } from '../support/usage-records.ts';

test('every column is written', () => {
  assert.deepEqual(Object.keys(toCallRow(makeRecord())), CALL_COLUMNS);
});

test('a record is the same after it was a row', () => {
  fc.assert(fc.property(anyRecord, (record) => assert.deepEqual(fromCallRow(toCallRow(record)), record)));
});

test('attempts are kept with whole microseconds, and with their targets', () => {
  const made = { account: 'main', durationMs: 811.0994, status: 200, outcome: 'ok' as const };
  const attempts = [
    { target: 'openai/gpt-4.1', startedAfterMs: 0.1234567, ...made },
    { target: '', startedAfterMs: 0, ...made },
    { target: 'echo/echo', startedAfterMs: 1, ...made, dropped: ['citations'] },
    { target: 'openai/gpt-4.1', startedAfterMs: 2, ...made, dropped: ['citations', 'logprobs'] },
  ];
  for (const target of ['openai/gpt-4.1', '', null]) {
    const row = toCallRow(makeRecord({ target, attempts }));
    const kept = attempts.map((attempt) => ({ ...attempt, durationMs: 811.099 }));
    assert.deepEqual(fromCallRow(row).attempts, [{ ...kept[0], startedAfterMs: 0.123 }, ...kept.slice(1)]);
  }
});

test('attempts are read as earlier versions wrote them, with fewer places', () => {
  const written: AttemptFields[] = [
    ['main', 120, 811_099, 200, 'ok'],
    ['main', 1, 2, 503, 'upstream_unavailable', 'echo/echo', ['citations']],
    ['main', 1, 2, null, 'upstream_timeout', 0, 0, 0, 'first_byte_timeout'],
    ['main', 1, 2, 200, 'ok', 0, 0, 0, 0, 'http://10.0.0.7:8000'],
  ];
  const [plain, other, failed, placed] = readAttempts(written, 'openai/gpt-4.1');
  assert.deepEqual(plain, {
    ...{ target: 'openai/gpt-4.1', account: 'main', startedAfterMs: 0.12, durationMs: 811.099 },
    ...{ status: 200, outcome: 'ok' },
  });
  assert.deepEqual([other?.target, other?.dropped], ['echo/echo', ['citations']]);
  assert.deepEqual([failed?.reason, failed && 'address' in failed], ['first_byte_timeout', false]);
  assert.deepEqual([placed?.address, placed && 'reason' in placed], ['http://10.0.0.7:8000', false]);
  assert.ok(attemptsFields.safeParse(written).success);
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
