import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Address } from '../../../src/upstream/addresses/address.ts';
import { AddressChecks } from '../../../src/upstream/addresses/address-checks.ts';
import type { CheckOptions } from '../../../src/upstream/addresses/servers.ts';
import { VirtualSchedule } from '../../support/virtual-schedule.ts';

const CHECK: CheckOptions = {
  path: '/health',
  interval: 5_000,
  timeout: 2_000,
  unhealthyAfter: 3,
  healthyAfter: 2,
};

/** Checks of one address on a clock that stands still; `server` says whether it is well, and counts how often it was asked. */
function setUp(check: CheckOptions | undefined) {
  const time = new VirtualSchedule();
  const server = { isWell: true, asked: 0 };
  const changes: [number, boolean][] = [];
  const address = new Address('http://10.0.0.1:8000', undefined, { weight: 1, priority: 0 }, 0);
  const checks = new AddressChecks({
    check,
    schedule: time.schedule,
    now: () => time.nowMs,
    probe: async () => {
      server.asked += 1;
      if (!server.isWell) throw new Error('it said no');
    },
    onChange: ({ isWell }) => changes.push([time.nowMs, isWell]),
    onPassed: () => {},
  });
  return { time, server, changes, address, checks };
}

test('an address that is well is asked once an interval', async () => {
  const { time, server, changes, address, checks } = setUp(CHECK);
  checks.follow([address]);
  await time.advance(20_000);
  assert.deepEqual([server.asked, changes, address.isWell], [5, [], true]);
});

test('an address that fails is asked each second, is out after three failures, and back after two that went well', async () => {
  const { time, server, changes, address, checks } = setUp(CHECK);
  checks.follow([address]);
  await time.advance(6_000);
  server.isWell = false;
  await time.advance(10_000);
  assert.deepEqual(changes, [[12_000, false]]);
  assert.deepEqual([address.isWell, address.sinceMs, address.lastError], [false, 12_000, 'it said no']);
  server.isWell = true;
  await time.advance(10_000);
  assert.deepEqual(changes, [
    [12_000, false],
    [18_000, true],
  ]);
  assert.deepEqual([address.isWell, address.sinceMs, address.lastError], [true, 18_000, 'it said no']);
});

test('two failures with one between them that went well are no reason', async () => {
  const { time, server, changes, address, checks } = setUp(CHECK);
  checks.follow([address]);
  await time.advance(4_000);
  for (let round = 0; round < 5; round++) {
    server.isWell = false;
    await time.advance(2_000);
    server.isWell = true;
    await time.advance(5_000);
  }
  assert.deepEqual(changes, []);
});

test('an address that was never well is out at its first failed check', async () => {
  const { time, server, changes, address, checks } = setUp(CHECK);
  server.isWell = false;
  checks.follow([address]);
  await time.advance(0);
  assert.deepEqual(changes, [[0, false]]);
});

test('an address that refused a connection is out at once, and back when it passes its checks', async () => {
  const { time, changes, address, checks } = setUp(CHECK);
  checks.follow([address]);
  await time.advance(1_500);
  checks.refused(address);
  assert.deepEqual(changes, [[1_500, false]]);
  await time.advance(5_000);
  assert.deepEqual(changes, [
    [1_500, false],
    [3_500, true],
  ]);
});

test('without a configured check only what refused a connection is asked, until it is back', async () => {
  const { time, server, changes, address, checks } = setUp(undefined);
  checks.follow([address]);
  await time.advance(60_000);
  assert.equal(server.asked, 0);
  server.isWell = false;
  checks.refused(address);
  checks.refused(address);
  await time.advance(10_000);
  assert.equal(server.asked, 10);
  server.isWell = true;
  await time.advance(60_000);
  assert.deepEqual([server.asked, time.waitingTasks], [11, 0]);
  assert.deepEqual(changes, [
    [60_000, false],
    [71_000, true],
  ]);
});

test('an address that is not listed any more is not asked, and nothing is behind a stop', async () => {
  const { time, server, address, checks } = setUp(CHECK);
  const other = new Address('http://10.0.0.2:8000', undefined, { weight: 1, priority: 0 }, 0);
  checks.follow([address, other]);
  await time.advance(0);
  assert.equal(server.asked, 2);
  checks.follow([other]);
  await time.advance(5_000);
  assert.equal(server.asked, 3);
  checks.stop();
  checks.refused(other);
  await time.advance(60_000);
  assert.deepEqual([server.asked, time.waitingTasks, other.isWell], [3, 0, false]);
});
