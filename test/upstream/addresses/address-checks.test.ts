import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Address } from '../../../src/upstream/addresses/address.ts';
import { AddressChecks } from '../../../src/upstream/addresses/address-checks.ts';
import { CheckRefusal } from '../../../src/upstream/addresses/check-refusal.ts';
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
  const server: { isWell: boolean; asked: number; refusal?: CheckRefusal | undefined } = {
    isWell: true,
    asked: 0,
  };
  const changes: [number, boolean][] = [];
  const address = new Address('http://10.0.0.1:8000', undefined, { weight: 1, priority: 0 }, 0);
  const checks = new AddressChecks({
    check,
    schedule: time.schedule,
    now: () => time.nowMs,
    probe: async () => {
      server.asked += 1;
      if (server.refusal) throw server.refusal;
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

test('a limit that a check meets says nothing of the address, and is kept to, also by the checks of the next configuration', async () => {
  const { time, server, changes, address, checks } = setUp(CHECK);
  checks.follow([address]);
  server.refusal = new CheckRefusal('status 429', true, 60_000);
  await time.advance(65_000 - 1);
  assert.deepEqual([server.asked, changes, address.isWell], [2, [], true]);
  server.refusal = new CheckRefusal('status 429', true, undefined);
  await time.advance(11_000);
  assert.equal(server.asked, 5, 'without a time it is asked as often as one that is well');
  server.refusal = new CheckRefusal('status 429', true, 60_000);
  await time.advance(5_000);
  checks.stop();
  const next = setUp(CHECK);
  next.time.nowMs = time.nowMs;
  next.checks.follow([address]);
  await next.time.advance(50_000);
  assert.deepEqual([server.asked, next.server.asked], [6, 0]);
  await next.time.advance(10_000);
  assert.equal(next.server.asked, 1);
});

test('an address that fails and says when it will be well again is not checked before', async () => {
  const { time, server, changes, address, checks } = setUp(CHECK);
  server.refusal = new CheckRefusal('status 503', false, 30_000);
  checks.follow([address]);
  await time.advance(20_000);
  checks.refused(address);
  await time.advance(9_999);
  assert.deepEqual([server.asked, changes], [1, [[0, false]]]);
  await time.advance(1);
  assert.equal(server.asked, 2);
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
