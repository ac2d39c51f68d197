import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { KeptHere, KeptResponse } from '../../src/responses/kept-response.ts';
import { type ArchiveProblem, ResponseArchive } from '../../src/responses/response-archive.ts';
import type { Store } from '../../src/store/store.ts';
import { onEachDatabase, type TestDatabase } from '../support/databases.ts';
import { VirtualSchedule } from '../support/virtual-schedule.ts';

const DAY = 24 * 3_600_000;
const ACME = { tenant: 'acme', life: 0 };

function keptHere(differences: Partial<KeptHere> = {}): KeptHere {
  return {
    where: 'here',
    id: 'resp_1',
    tenant: 'acme',
    life: 0,
    key: 'app',
    createdAt: 0,
    expiresAt: 30 * DAY,
    target: 'echo/echo',
    input: '"Hi"',
    response: { id: 'resp_1', output: [] },
    ...differences,
  };
}

interface Bench {
  archive: ResponseArchive;
  clock: VirtualSchedule;
  store: Store;
  problems: ArchiveProblem[];
  rows(): Promise<string[]>;
}

async function openArchiveOn(
  database: TestDatabase,
  context: TestContext,
  maxPending: number,
): Promise<Bench> {
  const store = await database.open(context);
  const clock = new VirtualSchedule(database.settle);
  const problems: ArchiveProblem[] = [];
  const { schedule } = clock;
  const archive = new ResponseArchive({
    store,
    now: () => clock.nowMs,
    schedule,
    maxPending,
    onProblem: (problem) => problems.push(problem),
  });
  const rows = async () => {
    const found = await store.db.selectFrom('responses').select(['tenant', 'id']).orderBy('id').execute();
    return found.map(({ tenant, id }) => `${tenant} ${id}`);
  };
  return { archive, clock, store, problems, rows };
}

/** As a disk that is full, or a database that another process has locked. */
async function breakStore({ store }: Bench): Promise<void> {
  await store.db.schema.alterTable('responses').renameTo('gone').execute();
}

async function mendStore({ store }: Bench): Promise<void> {
  await store.db.schema.alterTable('gone').renameTo('responses').execute();
}

onEachDatabase((database) => {
  const openArchive = async (context: TestContext, maxPending = 10) =>
    openArchiveOn(database, context, maxPending);

  test('a response is found at once, before it is in the store and after', async (context) => {
    const { archive, clock, rows, problems } = await openArchive(context);
    const kept = keptHere();
    archive.keep(kept);
    assert.deepEqual(await rows(), []);
    assert.deepEqual(await archive.find(ACME, 'resp_1'), kept);
    await clock.advance(0);
    assert.deepEqual(await rows(), ['acme resp_1']);
    assert.deepEqual(await archive.find(ACME, 'resp_1'), kept);
    assert.deepEqual(problems, []);
  });

  test('a note of a provider that keeps it comes back as it was', async (context) => {
    const { archive, clock } = await openArchive(context);
    const { input: _, response: __, ...rest } = keptHere();
    const kept: KeptResponse = { ...rest, where: 'provider', account: 'main' };
    archive.keep(kept);
    await clock.advance(0);
    assert.deepEqual(await archive.find(ACME, 'resp_1'), kept);
  });

  test('tenants have the same id each for themselves', async (context) => {
    const { archive, clock, rows } = await openArchive(context);
    archive.keep(keptHere({ input: '"of acme"' }));
    archive.keep(keptHere({ tenant: 'beta', input: '"of beta"' }));
    for (const state of ['waiting', 'written']) {
      for (const tenant of ['acme', 'beta']) {
        const found = await archive.find({ tenant, life: 0 }, 'resp_1');
        assert.equal(found?.where === 'here' && found.input, `"of ${tenant}"`, state);
      }
      assert.equal(await archive.find({ tenant: 'gamma', life: 0 }, 'resp_1'), undefined);
      await clock.advance(0);
    }
    await archive.remove(ACME, 'resp_1');
    assert.deepEqual(await rows(), ['beta resp_1']);
  });

  test('tenants of one name have the same id each for themselves', async (context) => {
    const { archive, clock, rows } = await openArchive(context);
    archive.keep(keptHere({ input: '"of the first"' }));
    archive.keep(keptHere({ life: 7, input: '"of the second"' }));
    for (const state of ['waiting', 'written']) {
      for (const [life, input] of [
        [0, '"of the first"'],
        [7, '"of the second"'],
      ] as const) {
        const found = await archive.find({ tenant: 'acme', life }, 'resp_1');
        assert.equal(found?.where === 'here' && found.input, input, state);
      }
      assert.equal(await archive.find({ tenant: 'acme', life: 8 }, 'resp_1'), undefined);
      await clock.advance(0);
    }
    await archive.remove({ tenant: 'acme', life: 7 }, 'resp_1');
    assert.deepEqual(await rows(), ['acme resp_1']);
    assert.ok(await archive.find(ACME, 'resp_1'));
  });

  test('one that was removed is gone, written or not', async (context) => {
    const { archive, clock, rows } = await openArchive(context);
    archive.keep(keptHere());
    await archive.remove(ACME, 'resp_1');
    await clock.advance(0);
    assert.deepEqual(await rows(), []);
    archive.keep(keptHere());
    await clock.advance(0);
    await archive.remove(ACME, 'resp_1');
    assert.deepEqual([await rows(), await archive.find(ACME, 'resp_1')], [[], undefined]);
  });

  test('a response of the same id is replaced', async (context) => {
    const { archive, clock, rows } = await openArchive(context);
    archive.keep(keptHere({ input: '"old"' }));
    await clock.advance(0);
    archive.keep(keptHere({ input: '"new"' }));
    await clock.advance(0);
    const found = await archive.find(ACME, 'resp_1');
    assert.equal(found?.where === 'here' && found.input, '"new"');
    assert.equal((await rows()).length, 1);
  });

  test('what has expired is not found from that moment on, and is deleted soon after', async (context) => {
    const { archive, clock, rows } = await openArchive(context, 2_000);
    for (let index = 0; index < 1_200; index += 1) {
      archive.keep(keptHere({ id: `resp_${index}`, expiresAt: index < 1_100 ? DAY : 2 * DAY }));
    }
    await clock.advance(DAY - 1);
    assert.equal((await rows()).length, 1_200);
    assert.ok(await archive.find(ACME, 'resp_0'));
    await clock.advance(1);
    assert.equal(await archive.find(ACME, 'resp_0'), undefined);
    await clock.advance(10 * 60_000);
    assert.equal((await rows()).length, 100);
    assert.ok(await archive.find(ACME, 'resp_1150'));
    await clock.advance(DAY);
    assert.deepEqual(await rows(), []);
  });

  test('a store that fails is tried again, and what waits is found meanwhile', async (context) => {
    const bench = await openArchive(context);
    const { archive, clock, rows, problems } = bench;
    await clock.advance(0);
    await breakStore(bench);
    archive.keep(keptHere());
    await clock.advance(0);
    assert.deepEqual(
      problems.map((problem) => problem.kind === 'write_failed' && problem.retryInMs),
      [200],
    );
    assert.ok(await archive.find(ACME, 'resp_1'));
    await mendStore(bench);
    await clock.advance(200);
    assert.deepEqual(await rows(), ['acme resp_1']);
  });

  test('no more than there is room for waits; what is lost is told', async (context) => {
    const { archive, problems } = await openArchive(context, 2);
    for (const id of ['a', 'b', 'c']) archive.keep(keptHere({ id }));
    assert.deepEqual(problems, [{ kind: 'response_lost', id: 'c' }]);
  });

  test('closing writes what waits', async (context) => {
    const { archive, rows, problems } = await openArchive(context, 100);
    for (let index = 10; index < 60; index += 1) archive.keep(keptHere({ id: `resp_${index}` }));
    await archive.close();
    assert.equal((await rows()).length, 50);
    archive.keep(keptHere({ id: 'late' }));
    assert.deepEqual(problems, [{ kind: 'response_lost', id: 'late' }]);
  });

  test('closing over a store that fails gives up after a while, and says so', async (context) => {
    const bench = await openArchive(context);
    await bench.clock.advance(0);
    await breakStore(bench);
    bench.archive.keep(keptHere());
    const closed = bench.archive.close();
    await bench.clock.advance(60_000);
    await closed;
    assert.deepEqual(
      bench.problems.map((problem) => problem.kind === 'write_failed' && problem.retryInMs),
      [200, 400, null],
    );
    await mendStore(bench);
  });
});
