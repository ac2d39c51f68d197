import assert from 'node:assert/strict';
import { mkdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { ControlNews } from '../../src/control/control-news.ts';
import { EventLog } from '../../src/control/event-log.ts';
import { adminClient } from '../support/admin.ts';
import { onEachDatabase } from '../support/databases.ts';
import { startGateway } from '../support/gateway.ts';
import { redisMissing, startRedis } from '../support/redis.ts';
import { makeTempDirectory, openTempStore } from '../support/temp-store.ts';
import { VirtualSchedule } from '../support/virtual-schedule.ts';

const MINUTE_MS = 60_000;
const silent = { info: () => {}, warn: () => {}, error: () => {} };

interface Told {
  kind: string;
  severity: string;
  details: Record<string, unknown>;
}

/** The events of these kinds, oldest first, once there are so many of them. */
async function waitForEvents(url: string, kinds: readonly string[], count: number): Promise<Told[]> {
  for (let tries = 0; tries < 400; tries++) {
    const { body } = await adminClient(url).must('GET', '/events?limit=100');
    const found = (body['data'] as unknown as Told[]).filter(({ kind }) => kinds.includes(kind));
    if (found.length >= count) return found.toReversed();
    await sleep(25);
  }
  throw new Error(`there are fewer than ${count} events of ${kinds}`);
}

test('a Redis that goes and comes is an alarm and its end in the events', {
  skip: redisMissing,
}, async (context) => {
  const redis = await startRedis();
  const gateway = await startGateway({ state: redis.url });
  context.after(async () => {
    await gateway.stop();
    await redis.close();
  });
  await redis.stop();
  const kinds = ['quota_state_lost', 'quota_state_back'];
  const [lost] = await waitForEvents(gateway.url, kinds, 1);
  assert.deepEqual([lost?.severity, lost?.details['onStateLoss']], ['alarm', 'local']);
  await redis.start();
  const told = await waitForEvents(gateway.url, kinds, 2);
  assert.deepEqual([told[1]?.kind, told[1]?.severity], ['quota_state_back', 'info']);
});

test('a journal of a killed process that cannot be read is an alarm in the events', async (context) => {
  const folder = makeTempDirectory(context);
  const path = join(folder, 'journal', `${'0'.repeat(32)}-000001.log`);
  mkdirSync(path, { recursive: true });
  const gateway = await startGateway({}, undefined, { folder });
  context.after(() => gateway.stop());
  const [failed] = await waitForEvents(gateway.url, ['journal_recovery_failed'], 1);
  assert.equal(failed?.severity, 'alarm');
  assert.match(String(failed?.details['reason']), /EISDIR/);
  rmdirSync(path);
});

test('what is told again and again is an event once a minute, with how often it was not', async (context) => {
  const store = await openTempStore(context);
  const time = new VirtualSchedule();
  const now = () => time.nowMs;
  const events = new EventLog({
    store,
    now,
    schedule: time.schedule,
    redact: (value) => value,
    onFailure: (error) => assert.fail(String(error)),
  });
  const logged: object[] = [];
  const news = new ControlNews({
    log: { ...silent, error: (fields) => logged.push(fields) },
    events,
    schedule: time.schedule,
  });
  for (let call = 1; call <= 5; call++) news.tellOften('alarm', 'record_lost', 'lost', { call });
  news.tellOften('alarm', 'journal_failed', 'failed', {});
  await time.advance(MINUTE_MS);
  news.tellOften('alarm', 'record_lost', 'lost', { call: 6 });
  news.close();
  const told = await events.list(undefined, 10);
  // Those of one millisecond come in any order.
  assert.deepEqual(told.map(({ kind, details }) => `${kind} ${JSON.stringify(details)}`).toSorted(), [
    'journal_failed {}',
    'record_lost {"call":1}',
    'record_lost {"call":5,"untold":3}',
    'record_lost {"call":6}',
  ]);
  assert.equal(logged.length, 7, 'the log has all');
});

onEachDatabase((database) => {
  test('an event that the store does not take is written when it does, in its place', async (context) => {
    const store = await database.open(context);
    const time = new VirtualSchedule(database.settle);
    const failures: unknown[] = [];
    const events = new EventLog({
      store,
      now: () => time.nowMs,
      schedule: time.schedule,
      redact: (value) => value,
      onFailure: (error) => failures.push(error),
    });
    await sql`alter table events rename to away`.execute(store.db);
    events.note('one', 'alarm', 'the store is away', {});
    await time.advance(3 * MINUTE_MS);
    events.note('two', 'alarm', 'the store is away', {});
    await events.flush();
    assert.equal(failures.length, 1, 'it is told once that the store does not take them');
    await sql`alter table away rename to events`.execute(store.db);
    await time.advance(MINUTE_MS);
    await events.flush();
    const told = await events.list(undefined, 10);
    assert.deepEqual(
      told.map(({ kind, createdAt }) => [kind, createdAt]),
      [
        ['two', 3 * MINUTE_MS],
        ['one', 0],
      ],
    );
    await events.close();
  });

  test('events of one millisecond are told in the order in which they were noted', async (context) => {
    const events = new EventLog({
      store: await database.open(context),
      now: () => 1_800_000_000_000,
      schedule: new VirtualSchedule(database.settle).schedule,
      redact: (value) => value,
      onFailure: (error) => assert.fail(String(error)),
    });
    const kinds = Array.from({ length: 50 }, (_, count) => `event_${count}`);
    for (const kind of kinds) events.note(kind, 'info', 'something happened');
    const told = await events.list(undefined, 50);
    assert.deepEqual(
      told.map(({ kind }) => kind),
      kinds.toReversed(),
    );
    await events.close();
  });
});
