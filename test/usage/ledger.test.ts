import assert from 'node:assert/strict';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { NO_USAGE, type Usage } from '../../src/conversation/usage.ts';
import { openStore } from '../../src/store/open.ts';
import type { CallRow } from '../../src/store/schema.ts';
import type { Store } from '../../src/store/store.ts';
import { Ledger, type LedgerOptions, type LedgerProblem, type Recount } from '../../src/usage/ledger.ts';
import { PriceBook } from '../../src/usage/prices.ts';
import type { UsageRecord } from '../../src/usage/record.ts';
import { recoverJournals } from '../../src/usage/recover.ts';
import { makeJournalDirectory, openTempJournal } from '../support/temp-journal.ts';
import { makeTempDirectory, openTempStore } from '../support/temp-store.ts';
import { makeRecord } from '../support/usage-records.ts';
import { VirtualSchedule } from '../support/virtual-schedule.ts';

/** A ledger on a clock that stands still, and what it reports. */
function openLedger(store: Pick<Store, 'insertCalls'>, options: Partial<LedgerOptions> = {}) {
  const time = new VirtualSchedule();
  const problems: LedgerProblem[] = [];
  const ledger = new Ledger({
    store,
    prices: new PriceBook(),
    journal: openTempJournal({ schedule: time.schedule }),
    onProblem: (problem) => problems.push(problem),
    schedule: time.schedule,
    ...options,
  });
  return { ledger, time, problems };
}

/** A store that can be broken. It remembers the ids that it was given, batch by batch. */
class FragileStore {
  broken = false;
  readonly batches: string[][] = [];
  readonly rows = new Map<string, CallRow>();

  insertCalls(rows: readonly CallRow[]): Promise<void> {
    if (this.broken) return Promise.reject(new Error('the disk is full'));
    this.batches.push(rows.map((row) => row.id));
    for (const row of rows) this.rows.set(row.id, row);
    return Promise.resolve();
  }
}

function makeRecords(count: number): UsageRecord[] {
  return Array.from({ length: count }, () => makeRecord());
}

async function readIds(store: Store): Promise<string[]> {
  const rows = await store.db.selectFrom('calls').select('id').orderBy('id').execute();
  return rows.map(({ id }) => id);
}

test('records wait for company up to the interval and are then written together, in order', async () => {
  const store = new FragileStore();
  const { ledger, time } = openLedger(store, { intervalMs: 100 });
  const records = makeRecords(3);
  ledger.append(makeRecord());
  await time.advance(99);
  for (const record of records) ledger.append(record);
  assert.equal(store.batches.length, 0);
  await time.advance(1);
  assert.equal(store.batches.length, 1);
  assert.deepEqual(
    store.batches[0]?.slice(1),
    records.map((record) => record.id),
  );
  assert.equal(ledger.pendingRecords, 0);
  assert.equal(time.waitingTasks, 0, 'nothing is waited for when nothing is pending');
});

test('a full batch does not wait for the interval', async () => {
  const store = new FragileStore();
  const { ledger, time } = openLedger(store, { batchSize: 10 });
  for (const record of makeRecords(25)) ledger.append(record);
  await time.advance(0);
  assert.deepEqual(
    store.batches.map((batch) => batch.length),
    [10, 10],
  );
  await time.advance(100);
  assert.deepEqual(
    store.batches.map((batch) => batch.length),
    [10, 10, 5],
  );
});

test('appending writes nothing itself', () => {
  const store = new FragileStore();
  const { ledger } = openLedger(store, { batchSize: 10 });
  for (const record of makeRecords(100)) ledger.append(record);
  assert.equal(store.batches.length, 0);
  assert.equal(ledger.pendingRecords, 100);
});

test('the cost is that of the price book, unless the record says one', async () => {
  const store = new FragileStore();
  const { ledger } = openLedger(store);
  const priced = makeRecord();
  const stated = makeRecord({ costMicroUsd: 7 });
  const unknown = makeRecord({ target: 'echo/echo' });
  const unused = makeRecord({ usage: null });
  for (const record of [priced, stated, unknown, unused]) ledger.append(record);
  await ledger.flush();
  const costs = [priced, stated, unknown, unused].map(({ id }) => store.rows.get(id)?.cost_micro_usd);
  assert.deepEqual(costs, [600, 7, null, null]);
});

test('what is priced is what is stored: counts that no call can have are cut first', async () => {
  const store = new FragileStore();
  const { ledger } = openLedger(store, {
    prices: new PriceBook({ prices: { '*': { input: 1, output: 2 } } }),
  });
  const absurd = makeRecord({ usage: { ...NO_USAGE, input: -5, output: 1e300 } });
  const broken = makeRecord({ usage: { ...NO_USAGE, input: 2.5, output: Number.NaN } });
  for (const record of [absurd, broken]) ledger.append(record);
  await ledger.flush();
  const rows = [absurd, broken].map(({ id }) => store.rows.get(id));
  assert.deepEqual(
    rows.map((row) => [row?.input_tokens, row?.output_tokens, row?.cost_micro_usd]),
    [
      [0, 1_000_000_000, 2_000_000_000],
      [2, 0, 2],
    ],
  );
});

test('flush resolves when every record taken so far is in the database', async (context) => {
  const store = await openTempStore(context);
  const { ledger } = openLedger(store, { batchSize: 10 });
  const records = makeRecords(35);
  for (const record of records) ledger.append(record);
  await ledger.flush();
  assert.deepEqual(
    await readIds(store),
    records.map((record) => record.id),
  );
});

test('a record that is appended twice, also after a restart, is stored once', async (context) => {
  const url = `sqlite:${join(makeTempDirectory(context), 'fairlead.db')}`;
  const [one, other] = [makeRecord(), makeRecord()];
  const before = await openStore(url);
  const first = openLedger(before).ledger;
  first.append(one);
  first.append(one);
  await first.flush();
  first.append(one);
  await first.close();
  await before.close();

  const after = await openStore(url);
  const second = openLedger(after).ledger;
  second.append(one);
  second.append(other);
  await second.close();
  assert.deepEqual(await readIds(after), [one.id, other.id]);
  await after.close();
});

test('what was flushed is in the database after a crash', async (context) => {
  const url = `sqlite:${join(makeTempDirectory(context), 'fairlead.db')}`;
  const crashed = await openStore(url);
  const { ledger } = openLedger(crashed);
  const records = makeRecords(5);
  for (const record of records) ledger.append(record);
  await ledger.flush();
  // No close(): the write-ahead log is as a killed process leaves it.
  const reopened = await openStore(url);
  assert.deepEqual(
    await readIds(reopened),
    records.map((record) => record.id),
  );
  await reopened.close();
  await crashed.close();
});

test('a store that fails is tried again with growing pauses, and nothing is lost when it is back', async () => {
  const store = new FragileStore();
  const { ledger, time, problems } = openLedger(store, { intervalMs: 100, batchSize: 2 });
  const records = makeRecords(5);
  store.broken = true;
  for (const record of records) ledger.append(record);
  await time.advance(10_000);
  const pauses = problems.map((problem) => (problem.kind === 'write_failed' ? problem.retryInMs : problem));
  assert.deepEqual(pauses, [200, 400, 800, 1600, 3200, 6400]);
  assert.ok(problems.every((problem) => problem.kind === 'write_failed' && problem.pendingRecords === 5));

  store.broken = false;
  await time.advance(30_000);
  assert.deepEqual(
    store.batches.flat(),
    records.map((record) => record.id),
  );
  assert.equal(ledger.pendingRecords, 0);

  store.broken = true;
  ledger.append(makeRecord());
  await time.advance(100);
  assert.deepEqual(problems.at(-1), {
    kind: 'write_failed',
    error: new Error('the disk is full'),
    pendingRecords: 1,
    retryInMs: 200,
  });
});

test('the pause between two tries is never longer than half a minute', async () => {
  const store = new FragileStore();
  const { ledger, time, problems } = openLedger(store);
  store.broken = true;
  ledger.append(makeRecord());
  await time.advance(3_600_000);
  const last = problems.at(-1);
  assert.equal(last?.kind === 'write_failed' && last.retryInMs, 30_000);
});

test('records that come while the store fails do not shorten the pause', async () => {
  const store = new FragileStore();
  const { ledger, time, problems } = openLedger(store, { intervalMs: 100, batchSize: 2 });
  store.broken = true;
  ledger.append(makeRecord());
  await time.advance(100);
  assert.equal(problems.length, 1);
  for (const record of makeRecords(10)) ledger.append(record);
  await time.advance(199);
  assert.equal(problems.length, 1);
  await time.advance(1);
  assert.equal(problems.length, 2);
});

test('records for which there is no room are in the journal alone, and stored from it when the store works again', async () => {
  const store = new FragileStore();
  const { ledger, time, problems } = openLedger(store, { maxPendingRecords: 3 });
  store.broken = true;
  const records = makeRecords(8);
  for (const record of records) ledger.append(record);
  assert.deepEqual(problems, [{ kind: 'memory_full', pendingRecords: 3 }]);
  assert.equal(ledger.pendingRecords, 3);
  store.broken = false;
  await time.advance(100);
  await ledger.flush();
  await ledger.close();
  assert.deepEqual(
    [...store.rows.keys()],
    records.map((record) => record.id),
  );
});

test('closing waits for what is on its way from the journal already', async () => {
  const store = new FragileStore();
  const { ledger, time } = openLedger(store, { maxPendingRecords: 1 });
  const records = makeRecords(3);
  for (const record of records) ledger.append(record);
  const insert = store.insertCalls.bind(store);
  store.insertCalls = async (rows) => {
    await sleep(20);
    return insert(rows);
  };
  await time.advance(100);
  await sleep(30);
  await ledger.close();
  assert.equal(store.rows.size, records.length);
});

test('the store that fails while it takes what was in the journal alone is tried again', async () => {
  const store = new FragileStore();
  const { ledger, time, problems } = openLedger(store, { maxPendingRecords: 1, intervalMs: 100 });
  const records = makeRecords(3);
  for (const record of records) ledger.append(record);
  const insert = store.insertCalls.bind(store);
  store.insertCalls = (rows) => {
    store.broken = store.batches.length === 1 && problems.length < 3;
    return insert(rows);
  };
  // Files are read in real time.
  for (let waited = 0; waited < 1_000 && store.rows.size < 3; waited++) await time.advance(100);
  await ledger.close();
  assert.deepEqual(
    problems.map(({ kind }) => kind),
    ['memory_full', 'write_failed', 'write_failed'],
  );
  assert.deepEqual(
    [...store.rows.keys()],
    records.map((record) => record.id),
  );
  assert.equal(time.waitingTasks, 0);
});

test('where the journal cannot be written either, a record without room is handed to the operator whole, one by one', async () => {
  const store = new FragileStore();
  const blocked = join(makeJournalDirectory(), 'file');
  writeFileSync(blocked, '');
  const journal = openTempJournal({ directory: blocked, onProblem: () => {}, schedule: () => () => {} });
  const { ledger, time, problems } = openLedger(store, { maxPendingRecords: 3, journal });
  store.broken = true;
  const records = makeRecords(5);
  for (const record of records) ledger.append(record);
  assert.deepEqual(
    problems,
    records.slice(3).map((record) => ({ kind: 'record_lost', reason: 'full', record })),
  );
  store.broken = false;
  await time.advance(100);
  assert.deepEqual(
    store.batches.flat(),
    records.slice(0, 3).map((record) => record.id),
  );
});

test('flush rejects when the store fails, keeps the records, and they are written later', async () => {
  const store = new FragileStore();
  const { ledger, time } = openLedger(store);
  store.broken = true;
  ledger.append(makeRecord());
  await assert.rejects(ledger.flush(), { message: 'the disk is full' });
  assert.equal(ledger.pendingRecords, 1);
  store.broken = false;
  await time.advance(1000);
  assert.equal(store.rows.size, 1);
});

test('close writes all that is left, and takes nothing more', async (context) => {
  const store = await openTempStore(context);
  const { ledger, time, problems } = openLedger(store, { batchSize: 10 });
  const records = makeRecords(42);
  for (const record of records) ledger.append(record);
  await ledger.close();
  assert.equal((await readIds(store)).length, 42);
  assert.equal(time.waitingTasks, 0);
  const late = makeRecord();
  ledger.append(late);
  assert.deepEqual(problems, [{ kind: 'record_lost', reason: 'closed', record: late }]);
});

test('close tries a failing store again', async () => {
  const store = new FragileStore();
  const { ledger, time } = openLedger(store);
  store.broken = true;
  ledger.append(makeRecord());
  const closed = ledger.close();
  await time.advance(0);
  store.broken = false;
  await time.advance(1000);
  await closed;
  assert.equal(store.rows.size, 1);
});

test('close gives up on a store that stays broken: the records are left for the next start', async () => {
  const store = new FragileStore();
  const directory = makeJournalDirectory();
  const { ledger, time, problems } = openLedger(store, { journal: openTempJournal({ directory }) });
  store.broken = true;
  const records = makeRecords(3);
  for (const record of records) ledger.append(record);
  const closed = ledger.close();
  await time.advance(60_000);
  await closed;
  assert.deepEqual(problems.at(-1), { kind: 'records_left', pendingRecords: 3 });
  assert.equal(time.waitingTasks, 0);
  store.broken = false;
  const next = openLedger(store).ledger;
  await recoverJournals(directory, next);
  assert.deepEqual(
    [...store.rows.keys()],
    records.map((record) => record.id),
  );
  assert.deepEqual(readdirSync(directory), []);
});

test('however appends, pauses, failures and flushes follow each other, every record is stored once and in order', async () => {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ append: fc.integer({ min: 1, max: 12 }) }) },
    { weight: 3, arbitrary: fc.record({ advanceMs: fc.integer({ min: 0, max: 500 }) }) },
    { weight: 1, arbitrary: fc.record({ broken: fc.boolean() }) },
    { weight: 1, arbitrary: fc.constant('flush' as const) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const store = new FragileStore();
      const { ledger, time } = openLedger(store, { batchSize: 5 });
      const appended: string[] = [];
      const flushes: Promise<unknown>[] = [];
      for (const each of steps) {
        if (each === 'flush') flushes.push(Promise.allSettled([ledger.flush()]));
        else if ('broken' in each) store.broken = each.broken;
        else if ('advanceMs' in each) await time.advance(each.advanceMs);
        else {
          for (const record of makeRecords(each.append)) {
            ledger.append(record);
            appended.push(record.id);
          }
        }
      }
      store.broken = false;
      await time.advance(60_000);
      await Promise.all(flushes);
      assert.deepEqual(store.batches.flat(), appended);
      assert.equal(time.waitingTasks, 0);
    }),
    { numRuns: 50 },
  );
});

test('a record that is to be counted again is counted once, before it is written, and keeps its place', async () => {
  const store = new FragileStore();
  const { ledger, time } = openLedger(store, { intervalMs: 100 });
  const [first, second, third] = makeRecords(3);
  assert.ok(first && second && third);
  let counts = 0;
  ledger.append(first);
  ledger.append(second, {
    count: () => {
      counts += 1;
      return Promise.resolve({ ...NO_USAGE, input: 14, output: 7, estimated: true });
    },
    drop: assert.fail,
  });
  ledger.append(third, { count: () => Promise.resolve(undefined), drop: assert.fail });
  assert.equal(counts, 0);
  store.broken = true;
  await time.advance(100);
  store.broken = false;
  await time.advance(1_000);
  assert.equal(counts, 1);
  assert.deepEqual(store.batches, [[first.id, second.id, third.id]]);
  assert.equal(store.rows.get(second.id)?.input_tokens, 14);
  assert.equal(store.rows.get(second.id)?.usage_estimated, 1);
  assert.equal(store.rows.get(third.id)?.input_tokens, third.usage?.input);
});

test('closing waits for counts that are under way', async () => {
  const store = new FragileStore();
  const { ledger } = openLedger(store);
  const record = makeRecord();
  const { promise, resolve } = Promise.withResolvers<Usage>();
  ledger.append(record, { count: () => promise, drop: assert.fail });
  const closed = ledger.close();
  resolve({ ...NO_USAGE, input: 5 });
  await closed;
  assert.equal(store.rows.get(record.id)?.input_tokens, 5);
});

test('a record that is not taken lets go of what it was to be counted by', () => {
  const { ledger } = openLedger(new FragileStore(), { maxPendingRecords: 1 });
  let dropped = 0;
  const recount: Recount = { count: assert.fail, drop: () => dropped++ };
  ledger.append(makeRecord());
  ledger.append(makeRecord(), recount);
  assert.equal(dropped, 1);
});

test('each record is observed once, counted and priced, also while the store fails', async () => {
  const store = new FragileStore();
  const observed: UsageRecord[] = [];
  const prices = { costMicroUsd: () => 12 };
  const { ledger, time } = openLedger(store, {
    ...{ intervalMs: 100, batchSize: 10, prices },
    observe: (records) => observed.push(...records),
  });
  store.broken = true;
  const records = makeRecords(25);
  for (const record of records.slice(0, 15)) ledger.append(record);
  const counted: Usage = { ...NO_USAGE, input: 7 };
  const [recounted] = records.slice(15);
  if (recounted) ledger.append(recounted, { count: async () => counted, drop: () => undefined });
  await time.advance(1_000);
  assert.deepEqual(
    observed.map(({ id, costMicroUsd }) => [id, costMicroUsd]),
    records.slice(0, 16).map(({ id }) => [id, 12]),
    'those behind the batch that fails, too',
  );
  assert.deepEqual(observed[15]?.usage, counted);
  store.broken = false;
  for (const record of records.slice(16)) ledger.append(record);
  await ledger.flush();
  assert.deepEqual(
    observed.map(({ id }) => id),
    records.map(({ id }) => id),
  );
  assert.equal(store.rows.size, 25);
});

test('a record for which there is no room in memory is observed, too', async () => {
  const store = new FragileStore();
  const observed: string[] = [];
  const { ledger, time } = openLedger(store, {
    maxPendingRecords: 2,
    observe: (records) => observed.push(...records.map(({ id }) => id)),
  });
  store.broken = true;
  const records = makeRecords(4);
  for (const record of records) ledger.append(record);
  await time.advance(100);
  store.broken = false;
  await ledger.close();
  assert.equal(store.rows.size, 4);
  assert.deepEqual(observed.toSorted(), records.map(({ id }) => id).toSorted(), 'each once');
});
