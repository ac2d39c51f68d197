import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Address } from '../../../src/upstream/addresses/address.ts';
import { AddressChecks } from '../../../src/upstream/addresses/address-checks.ts';
import { AddressPool } from '../../../src/upstream/addresses/address-pool.ts';
import { Ejections } from '../../../src/upstream/addresses/ejections.ts';
import type { CheckOptions } from '../../../src/upstream/addresses/servers.ts';
import { VirtualSchedule } from '../../support/virtual-schedule.ts';

const CHECK: CheckOptions = {
  path: '/health',
  interval: 5_000,
  timeout: 2_000,
  unhealthyAfter: 3,
  healthyAfter: 2,
};

/** A pool of so many addresses on a clock that stands still, and what is told of them: `[at, address, for how long]`, 0 for back. */
function setUp(count: number) {
  const time = new VirtualSchedule();
  const told: [atMs: number, host: string, forMs: number][] = [];
  const pool = new AddressPool({ origin: 'http://models.test', path: '/v1' }, () => time.nowMs);
  const found = Array.from({ length: count }, (_, index) => ({ host: `s${index}`, weight: 1, priority: 0 }));
  pool.replace(found);
  const open = () =>
    new Ejections({
      schedule: time.schedule,
      now: () => time.nowMs,
      onEjected: ({ origin }, forMs) => told.push([time.nowMs, origin.slice(7), forMs]),
      onReadmitted: ({ origin }) => told.push([time.nowMs, origin.slice(7), 0]),
    });
  const ejections = open();
  pool.onOutlier = (address, reason) => ejections.eject(address, reason);
  const at = (index: number): Address => {
    const address = pool.addresses[index];
    assert.ok(address);
    return address;
  };
  const fail = (index: number, times = 1) => {
    const { nowMs } = time;
    for (let nth = 0; nth < times; nth += 1)
      pool.fail(at(index), { sentMs: nowMs, nowMs, isBroken: false, reason: 'status_500' });
  };
  const isChosen = (index: number) => pool.choose([]) === at(index) || pool.choose([]) === at(index);
  return { time, told, pool, found, ejections, open, at, fail, isChosen };
}

test('an address that fails five times in a row while another works is left out for 30 s', async () => {
  const { time, told, at, fail, isChosen } = setUp(2);
  await time.advance(1_000);
  fail(0, 4);
  assert.deepEqual([told, isChosen(0)], [[], true]);
  fail(0);
  assert.deepEqual([told, isChosen(0), isChosen(1)], [[[1_000, 's0', 30_000]], false, true]);
  assert.equal(at(0).lastError, '5 attempts one after another failed, the last one: status_500');
  await time.advance(29_999);
  assert.equal(isChosen(0), false);
  await time.advance(1);
  assert.deepEqual([told.at(-1), isChosen(0), time.waitingTasks], [[31_000, 's0', 0], true, 0]);
});

test('a success in between begins the count anew', () => {
  const { told, pool, at, fail } = setUp(2);
  for (let round = 0; round < 5; round += 1) {
    fail(0, 4);
    pool.succeed(at(0));
  }
  assert.deepEqual(told, []);
});

test('so is one that ten clients left one after another, who had waited for long, while another answers', async () => {
  const { time, told, pool, at, isChosen } = setUp(2);
  const leave = (index: number, times: number) => {
    for (let nth = 0; nth < times; nth += 1) pool.leave(at(index));
  };
  leave(0, 9);
  pool.succeed(at(0));
  leave(0, 9);
  assert.deepEqual(told, [], 'one was answered in between');
  leave(1, 1);
  leave(0, 5);
  assert.deepEqual(told, [], 'the other does no better');
  pool.succeed(at(1));
  leave(0, 1);
  assert.deepEqual([told, isChosen(0)], [[[0, 's0', 30_000]], false]);
  assert.equal(at(0).lastError, '15 clients one after another left before they were answered');
  await time.advance(30_000);
  leave(0, 9);
  assert.equal(isChosen(0), true, 'the count begins anew');
});

test('each further time is 30 s longer, up to 300 s, and is forgiven by 10 s of good behaviour', async () => {
  const { time, told, fail } = setUp(2);
  for (let nth = 0; nth < 12; nth += 1) {
    fail(0, 5);
    await time.advance(Math.min((nth + 1) * 30_000, 300_000));
  }
  const times = told.filter(([, , forMs]) => forMs > 0).map(([, , forMs]) => forMs / 1000);
  assert.deepEqual(times, [30, 60, 90, 120, 150, 180, 210, 240, 270, 300, 300, 300]);
  await time.advance(100_000);
  fail(0, 5);
  assert.equal(told.at(-1)?.[2], 90_000);
  await time.advance(3_600_000);
  fail(0, 5);
  assert.equal(told.at(-1)?.[2], 30_000);
});

test('where the others fail as well, none is left out, until one of them works again', () => {
  const { told, pool, at, fail } = setUp(3);
  for (let round = 0; round < 10; round += 1) for (const index of [0, 1, 2]) fail(index);
  assert.deepEqual(told, []);
  pool.succeed(at(2));
  fail(0);
  assert.deepEqual(told, [[0, 's0', 30_000]]);
});

test('one that is not there is no other that works', () => {
  const { told, at, fail } = setUp(2);
  at(1).isWell = false;
  fail(0, 9);
  assert.deepEqual(told, []);
});

test('whatever fails, no more than the half is left out, and one that is not is chosen', async () => {
  const anyStep = fc.record({ index: fc.nat(7), isOk: fc.boolean(), afterMs: fc.nat(20_000) });
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 8 }),
      fc.array(anyStep, { minLength: 50, maxLength: 150 }),
      async (count, steps) => {
        const { time, pool, at, fail } = setUp(count);
        for (const { index, isOk, afterMs } of steps) {
          if (isOk) pool.succeed(at(index % count));
          else fail(index % count, 3);
          const ejected = pool.addresses.filter(({ ejectedUntilMs }) => ejectedUntilMs !== undefined);
          assert.ok(ejected.length <= count / 2);
          const chosen = pool.choose([]);
          assert.ok(chosen && !ejected.includes(chosen));
          await time.advance(afterMs);
        }
      },
    ),
    { numRuns: 30 },
  );
});

test('connections that break together are one failure, answers and time-outs one each', () => {
  const { told, pool, at } = setUp(2);
  const lose = (sentMs: number, nowMs: number) =>
    pool.fail(at(0), { sentMs, nowMs, isBroken: true, reason: 'connection_reset' });
  for (let nth = 0; nth < 20; nth += 1) lose(nth, 100);
  assert.deepEqual([at(0).row.length, told], [1, []]);
  for (let nth = 1; nth < 5; nth += 1) lose(nth * 100, nth * 100 + 50);
  assert.deepEqual([at(0).row.length, told.length], [5, 1]);
});

test('one that is left out goes before one that is not there', () => {
  const { pool, at, fail } = setUp(2);
  fail(0, 5);
  at(1).isWell = false;
  assert.deepEqual([pool.choose([]), pool.isWell, pool.hasOther([])], [at(0), false, false]);
  at(1).isWell = true;
  assert.deepEqual([pool.choose([at(1)]), pool.hasOther([at(1)])], [at(1), false]);
});

test('a configured check that passes brings it back before its time, one that fails does not', async () => {
  const { time, told, pool, at, fail, ejections } = setUp(2);
  const server = { isWell: true };
  const checks = new AddressChecks({
    ...{ check: CHECK, schedule: time.schedule, now: () => time.nowMs, onChange: () => {} },
    probe: async () => {
      if (!server.isWell) throw new Error('unwell');
    },
    onPassed: (address) => ejections.readmit(address),
  });
  pool.onOutlier = (address, reason) => {
    ejections.eject(address, reason);
    checks.doubt(address);
  };
  checks.follow(pool.addresses);
  await time.advance(12_000);
  server.isWell = false;
  fail(0, 5);
  await time.advance(2_500);
  assert.deepEqual(told, [[12_000, 's0', 30_000]]);
  server.isWell = true;
  await time.advance(2_000);
  assert.deepEqual([told.at(-1), at(0).row.length, at(0).isUsable], [[16_000, 's0', 0], 0, true]);
  await time.advance(60_000);
  assert.equal(told.length, 2);
});

test('without a configured check nothing asks it', async () => {
  const { time, pool, fail, ejections } = setUp(2);
  let asked = 0;
  const checks = new AddressChecks({
    ...{ check: undefined, schedule: time.schedule, now: () => time.nowMs, onChange: () => {} },
    probe: async () => {
      asked += 1;
    },
    onPassed: (address) => ejections.readmit(address),
  });
  pool.onOutlier = (address, reason) => {
    ejections.eject(address, reason);
    checks.doubt(address);
  };
  checks.follow(pool.addresses);
  fail(0, 5);
  await time.advance(29_000);
  assert.equal(asked, 0);
});

test('what is left out stays so for the rest of its time when another takes over, and not when it is not listed any more', async () => {
  const { time, told, pool, found, ejections, open, at, fail, isChosen } = setUp(4);
  fail(0, 5);
  fail(1, 5);
  await time.advance(10_000);
  const next = open();
  next.follow(pool.addresses);
  ejections.stop();
  const [first] = [at(0)];
  pool.replace(found.slice(1));
  next.follow(pool.addresses);
  await time.advance(20_000);
  assert.deepEqual(told.at(-1), [30_000, 's1', 0]);
  assert.deepEqual([first.ejectedUntilMs, time.waitingTasks, isChosen(0)], [30_000, 0, true]);
});
