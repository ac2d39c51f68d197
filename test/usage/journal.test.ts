import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import type { CallRow } from '../../src/store/schema.ts';
import { Journal, type JournalProblem } from '../../src/usage/journal.ts';
import { listOwners, listSegments, OwnerLock } from '../../src/usage/journal-directory.ts';
import { readJournal, type StartedCall, writeRecordLine } from '../../src/usage/journal-lines.ts';
import { Ledger } from '../../src/usage/ledger.ts';
import { PriceBook } from '../../src/usage/prices.ts';
import { JournalTakeover, recoverJournals } from '../../src/usage/recover.ts';
import { makeJournalDirectory, openTempJournal } from '../support/temp-journal.ts';
import { makeRecord } from '../support/usage-records.ts';
import { VirtualSchedule } from '../support/virtual-schedule.ts';

function makeStart(id: string, differences: Partial<StartedCall> = {}): StartedCall {
  return {
    ...{ id, startedAt: Date.UTC(2026, 10, 23, 12), tenant: 'acme', key: 'app', dialect: 'chat' },
    ...{ operation: 'generate', model: 'smart', target: 'openai/gpt-4.1-2025-04-14', account: 'main' },
    ...{
      stream: false,
      reservedInput: 1_000,
      reservedOutput: 200,
      reservedCostMicroUsd: null,
      countedAlone: false,
    },
    ...differences,
  };
}

/** All that the segments in a directory say. */
function readAll(directory: string) {
  const files = readdirSync(directory).filter((file) => file.endsWith('.log'));
  const contents = files.toSorted().map((file) => readJournal(readFileSync(join(directory, file))));
  return {
    files,
    records: contents.flatMap(({ records }) => records.map(({ id }) => id)),
    started: contents.flatMap(({ started }) => [...started.keys()]),
  };
}

/** Files are deleted in time that nobody waits for. The newest segment is there before it is needed. */
async function waitForSegments(directory: string, count: number): Promise<void> {
  const countSegments = () => readdirSync(directory).filter((file) => file.endsWith('.log')).length;
  for (let waited = 0; waited < 500 && countSegments() !== count; waited++) await sleep(10);
  assert.equal(countSegments(), count);
}

/** What keeps the rows by id and can fail; the ledger that takes over writes to it. */
function openRecovery() {
  const rows = new Map<string, CallRow>();
  const store = {
    broken: false,
    insertCalls: (batch: readonly CallRow[]) => {
      if (store.broken) return Promise.reject(new Error('the store is away'));
      for (const row of batch) if (!rows.has(row.id)) rows.set(row.id, row);
      return Promise.resolve();
    },
  };
  const ledger = new Ledger({
    store,
    prices: new PriceBook(),
    journal: openTempJournal(),
    onProblem: (problem) => assert.fail(problem.kind),
  });
  return { rows, store, ledger };
}

test('what is noted in one turn is in the file before what waits for it goes on', async () => {
  const directory = makeJournalDirectory();
  const journal = openTempJournal({ directory });
  const seen: string[][] = [];
  const note = journal.noteStart(makeStart('a'));
  journal.wait({ proceed: () => seen.push(readAll(directory).started) });
  journal.noteStart(makeStart('b'));
  assert.deepEqual(readAll(directory).started, [], 'nothing is written while the turn lasts');
  await setImmediate();
  assert.deepEqual(seen, [['a', 'b']]);
  const record = makeRecord({ id: 'a' });
  journal.noteRecord(record, 1, false);
  journal.settle(note);
  journal.wait({ proceed: () => seen.push(readAll(directory).records) });
  await setImmediate();
  assert.deepEqual(seen[1], ['a']);
  await journal.close();
});

test('a full segment is followed by another, and deleted when its records are stored', async () => {
  const directory = makeJournalDirectory();
  const journal = openTempJournal({ directory, segmentBytes: 1 });
  for (const number of [1, 2, 3]) {
    journal.noteRecord(makeRecord({ id: `r${number}` }), number, false);
    journal.flush();
  }
  assert.deepEqual(readAll(directory).records, ['r1', 'r2', 'r3']);
  journal.noteStored(2);
  await waitForSegments(directory, 2);
  assert.deepEqual(readAll(directory).records, ['r3']);
  journal.noteStored(3);
  await journal.close();
  assert.deepEqual(readdirSync(directory), []);
});

test('a call that outlasts its segment is noted anew, so that a long stream holds no segments', async () => {
  const directory = makeJournalDirectory();
  const journal = openTempJournal({ directory, segmentBytes: 1 });
  const long = journal.noteStart(makeStart('long'));
  journal.noteRecord(makeRecord({ id: 'r1' }), 1, false);
  journal.flush();
  journal.noteStored(1);
  await waitForSegments(directory, 2);
  const { started, records } = readAll(directory);
  assert.deepEqual([started, records], [['long'], []]);
  journal.noteRecord(makeRecord({ id: 'long' }), 2, false);
  journal.settle(long);
  journal.noteStored(2);
  await journal.close();
  assert.deepEqual(readdirSync(directory), []);
});

test('a journal that cannot be written is told of, holds nobody up, and begins anew with what is under way or not stored', async () => {
  const directory = join(makeJournalDirectory(), 'journal');
  writeFileSync(directory, 'in the way');
  const time = new VirtualSchedule();
  const problems: JournalProblem[] = [];
  const journal = new Journal({
    directory,
    schedule: time.schedule,
    onProblem: (problem) => problems.push(problem),
  });
  const unstored = makeRecord({ id: 'unstored' });
  journal.rewriteFrom(() => ({ records: [unstored], newest: 2 }));
  assert.equal(journal.isWritable, false);
  journal.noteStart(makeStart('running'));
  const done = journal.noteStart(makeStart('done'));
  journal.noteRecord(makeRecord({ id: 'stored' }), 1, false);
  journal.noteRecord(unstored, 2, false);
  journal.settle(done);
  let went = 0;
  journal.wait({ proceed: () => went++ });
  await setImmediate();
  assert.equal(went, 1);
  await time.advance(1_000);
  assert.deepEqual(
    problems.map(({ kind }) => kind),
    ['journal_failed', 'journal_failed'],
  );
  rmSync(directory);
  await time.advance(2_000);
  assert.equal(problems.at(-1)?.kind, 'journal_recovered');
  const { started, records } = readAll(directory);
  assert.deepEqual([started, records], [['running'], ['unstored']]);
  journal.noteStored(2);
  await journal.close();
});

test('a segment that cannot be followed ends the writing until it can', async () => {
  const directory = makeJournalDirectory();
  const time = new VirtualSchedule();
  const problems: string[] = [];
  const journal = openTempJournal({
    directory,
    segmentBytes: 1,
    schedule: time.schedule,
    onProblem: ({ kind }) => problems.push(kind),
  });
  journal.rewriteFrom(() => ({ records: [], newest: 1 }));
  rmSync(directory, { recursive: true });
  journal.noteStart(makeStart('a'));
  journal.flush();
  assert.equal(journal.isWritable, false);
  mkdirSync(directory);
  await time.advance(1_000);
  assert.deepEqual(problems, ['journal_failed', 'journal_recovered']);
  assert.deepEqual(readAll(directory).started, ['a']);
});

test('what a killed process left is taken over: records as they are, calls without one as interrupted, at the cost set aside', async () => {
  const directory = makeJournalDirectory();
  const killed = openTempJournal({ directory, segmentBytes: 1 });
  const answered = killed.noteStart(makeStart('answered'));
  const cutAtMs = Math.floor(Date.now() / 1000) * 1000;
  killed.noteStart(makeStart('cut', { startedAt: cutAtMs - 5_000 }));
  killed.noteStart(makeStart('reserved', { reservedCostMicroUsd: 77, countedAlone: true }));
  killed.noteStart(makeStart('flexible', { target: 'openai/gpt-5', tier: 'flex' }));
  killed.noteStart(makeStart('count', { operation: 'count', reservedInput: null, reservedCostMicroUsd: 0 }));
  killed.flush();
  killed.noteRecord(makeRecord({ id: 'answered' }), 1, false);
  killed.settle(answered);
  // What is open or not stored is left, as by a process that ends without a word.
  await killed.close();
  // Its last sign of life is when it last wrote.
  for (const file of readdirSync(directory))
    utimesSync(join(directory, file), cutAtMs / 1000, cutAtMs / 1000);

  const { rows, ledger, store } = openRecovery();
  store.broken = true;
  const failed = await recoverJournals(directory, ledger);
  assert.deepEqual(
    failed.failures.map(({ error }) => error),
    [new Error('the store is away')],
  );
  store.broken = false;
  const alone: string[] = [];
  const recovery = await recoverJournals(directory, {
    insertRecords: (records, countedAlone) => {
      alone.push(...(countedAlone ?? []));
      return ledger.insertRecords(records);
    },
  });
  assert.deepEqual(alone, ['reserved']);
  assert.deepEqual(recovery, {
    processes: 1,
    records: 1,
    interrupted: 4,
    damagedLines: 0,
    failures: [],
  });
  assert.deepEqual(
    [...rows.values()].map(({ id, outcome, status, cost_micro_usd, input_tokens }) => ({
      ...{ id, outcome, status, cost_micro_usd, input_tokens },
    })),
    [
      { id: 'answered', outcome: 'ok', status: 200, cost_micro_usd: 600, input_tokens: 100 },
      // A thousand tokens at two dollars a million, and two hundred at eight.
      { id: 'cut', outcome: 'interrupted', status: 0, cost_micro_usd: 3_600, input_tokens: 1_000 },
      { id: 'reserved', outcome: 'interrupted', status: 0, cost_micro_usd: 77, input_tokens: 1_000 },
      // At 1.25 and ten dollars a million, of which this tier costs half.
      { id: 'flexible', outcome: 'interrupted', status: 0, cost_micro_usd: 1_625, input_tokens: 1_000 },
      { id: 'count', outcome: 'interrupted', status: 0, cost_micro_usd: 0, input_tokens: null },
    ],
  );
  assert.equal(rows.get('cut')?.output_tokens, 200);
  assert.equal(rows.get('flexible')?.tier, 'flex');
  assert.equal(rows.get('cut')?.latency_ms, 5_000);
  assert.deepEqual(readdirSync(directory), []);
  assert.equal((await recoverJournals(directory, ledger)).processes, 0);
});

test('the segments of a process that lives are its own, also where several share a directory', async () => {
  const directory = makeJournalDirectory();
  const living = openTempJournal({ directory });
  const other = openTempJournal({ directory });
  living.noteStart(makeStart('mine'));
  living.flush();
  other.noteRecord(makeRecord({ id: 'theirs' }), 1, false);
  other.flush();
  const { rows, ledger } = openRecovery();
  assert.equal((await recoverJournals(directory, ledger)).processes, 0);
  assert.equal(rows.size, 0);
  await other.close();
  assert.equal((await recoverJournals(directory, ledger)).processes, 1);
  assert.deepEqual([...rows.keys()], ['theirs']);
  assert.deepEqual(readAll(directory).started, ['mine']);
  await living.close();
});

test('a lock is held across processes, and ends with its process however that ends', async (context) => {
  const directory = makeJournalDirectory();
  const module = new URL('../../src/usage/journal-directory.ts', import.meta.url).href;
  const script = `const { becomeOwner, openSegment } = await import(${JSON.stringify(module)});
    globalThis.lock = becomeOwner(process.argv[1]);
    openSegment(process.argv[1], lock.owner, 1);
    console.log('ready');
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  context.after(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  const takeAll = () => listOwners(directory).map((owner) => OwnerLock.take(directory, owner));
  assert.deepEqual(takeAll(), [undefined]);
  child.kill('SIGKILL');
  await once(child, 'exit');
  const [lock, ...others] = takeAll();
  assert.ok(lock && others.length === 0);
  assert.equal(listSegments(directory, lock.owner).length, 1);
  lock.release();
});

test('a journal that cannot be read holds up no other: it is told once, and tried again while the gateway runs', async () => {
  const directory = makeJournalDirectory();
  const unreadable = [first, last].map((owner) => join(directory, `${owner}-000001.log`));
  for (const path of unreadable) mkdirSync(path);
  const killed = openTempJournal({ directory });
  killed.noteRecord(makeRecord({ id: 'kept' }), 1, false);
  await killed.close();

  const { rows, ledger } = openRecovery();
  const time = new VirtualSchedule();
  const told: string[] = [];
  const takeover = new JournalTakeover({
    directory,
    ledger,
    schedule: time.schedule,
    onRecovered: async ({ records }) => void told.push(`recovered ${records}`),
    onFailed: ({ owner }) => told.push(`failed ${owner}`),
  });
  await takeover.run();
  assert.deepEqual([...rows.keys()], ['kept']);
  assert.deepEqual(told, [`failed ${first}`, `failed ${last}`, 'recovered 1']);

  const writeSegment = (path: string, id: string) => {
    rmdirSync(path);
    writeFileSync(path, writeRecordLine(makeRecord({ id })));
  };
  writeSegment(unreadable[0] ?? '', 'mended');
  await time.advance(60_000);
  await until(() => told.length === 4);
  assert.ok(rows.has('mended'));
  assert.deepEqual(told.slice(3), ['recovered 1'], 'what still fails was told');

  writeSegment(unreadable[1] ?? '', 'mended later');
  await time.advance(60_000);
  await until(() => told.length === 5);
  assert.deepEqual([...rows.keys()], ['kept', 'mended', 'mended later']);
  assert.deepEqual(readdirSync(directory), []);
  assert.equal(time.waitingTasks, 0);
  await takeover.stop();
});

const [first, last] = ['0'.repeat(32), 'z'.repeat(32)];

/** Files are read without the clock of the test. */
async function until(isSo: () => boolean): Promise<void> {
  for (let tries = 0; !isSo(); tries++) {
    assert.ok(tries < 500, 'it does not come to that');
    await sleep(5);
  }
}

test('files of a directory that are no segments are left alone', async () => {
  const directory = makeJournalDirectory();
  writeFileSync(join(directory, 'notes.txt'), 'mine');
  const { ledger } = openRecovery();
  assert.equal((await recoverJournals(directory, ledger)).processes, 0);
  assert.deepEqual(readdirSync(directory), ['notes.txt']);
});
