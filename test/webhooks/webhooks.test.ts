import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { type TestContext, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import type { WebhookConfig } from '../../src/config/resolve.ts';
import { EventLog } from '../../src/control/event-log.ts';
import type { Store } from '../../src/store/store.ts';
import { MOST_WAITING } from '../../src/webhooks/outbox.ts';
import { type WebhookProblem, Webhooks } from '../../src/webhooks/webhooks.ts';
import { onEachDatabase, type TestDatabase } from '../support/databases.ts';
import { openTempStore } from '../support/temp-store.ts';
import { VirtualSchedule } from '../support/virtual-schedule.ts';
import { startWebhookReceiver, type WebhookReceiver } from '../support/webhook-receiver.ts';

const SECRET = `whsec_${randomBytes(32).toString('base64')}`;
const HOUR = 3_600_000;

function webhook(url: string, more: Partial<WebhookConfig> = {}): WebhookConfig {
  return { url, secret: SECRET, events: ['*'], severity: 'info', ...more };
}

const refuse =
  (status: number, headers: Record<string, string> = {}) =>
  (response: ServerResponse) =>
    response.writeHead(status, headers).end();

interface Instance {
  time: VirtualSchedule;
  events: EventLog;
  webhooks: Webhooks;
  problems: WebhookProblem[];
  /** Moves the clock on without what would fall due in between. */
  skip(ms: number): void;
  /** `kind` of all problems. */
  kinds(): string[];
}

/** An instance on a store: its clock stands still, its sockets are real. */
function makeInstance(
  database: Pick<TestDatabase, 'settle'>,
  store: Store,
  configured: Record<string, WebhookConfig>,
  startedAt = Date.now(),
): Instance {
  let underWay = 0;
  const settle = async () => {
    for (let quietTurns = 0; quietTurns < 5; quietTurns += 1) {
      await database.settle();
      await setImmediate();
      if (underWay > 0) quietTurns = -1;
    }
  };
  const time = new VirtualSchedule(settle);
  let skippedMs = 0;
  const now = () => startedAt + skippedMs + time.nowMs;
  const skip = (ms: number) => {
    skippedMs += ms;
  };
  const countedFetch: typeof fetch = async (...args) => {
    underWay += 1;
    try {
      return await fetch(...args);
    } finally {
      underWay -= 1;
    }
  };
  const problems: WebhookProblem[] = [];
  const webhooks = new Webhooks({
    ...{ db: store.db, now, random: () => 0.5, schedule: time.schedule, fetch: countedFetch },
    webhooks: () => configured,
    onProblem: (problem) => problems.push(problem),
  });
  const events = new EventLog({
    ...{ store, now, schedule: time.schedule, redact: <T>(value: T) => value },
    outbox: webhooks,
    onFailure: (error) => assert.fail(String(error)),
  });
  return { time, events, webhooks, problems, skip, kinds: () => problems.map(({ kind }) => kind) };
}

async function startReceiver(context: TestContext): Promise<WebhookReceiver> {
  const receiver = await startWebhookReceiver(SECRET);
  context.after(() => receiver.close());
  return receiver;
}

async function countWaiting(store: Store): Promise<number> {
  const rows = await store.db.selectFrom('webhook_deliveries').select('event_id').execute();
  return rows.length;
}

onEachDatabase((database) => {
  test('an event is sent as soon as it is written, signed, and once', async (context) => {
    const store = await database.open(context);
    const receiver = await startReceiver(context);
    const { time, events, webhooks, problems } = makeInstance(database, store, {
      ops: webhook(receiver.url),
    });
    context.after(() => webhooks.stop());
    webhooks.start();
    await time.advance(0);
    events.note('alert_raised', 'alarm', 'Too much fails.', { alert: 'errors' });
    await time.advance(0);
    const [event] = receiver.received;
    assert.equal(event?.type, 'alert_raised');
    assert.deepEqual(
      [event.data.severity, event.data.message, event.data.details],
      ['alarm', 'Too much fails.', { alert: 'errors' }],
    );
    assert.equal(event.id, `evt_${event.data.id}`);
    assert.ok(Math.abs(Date.parse(event.timestamp) - Date.now()) < 60_000);
    await time.advance(HOUR / 6);
    assert.deepEqual([receiver.received.length, receiver.forged, problems], [1, 0, []]);
    assert.equal(await countWaiting(store), 0);
  });

  test('a receiver that fails is sent the same event again, with growing pauses, until it takes it', async (context) => {
    const store = await database.open(context);
    const receiver = await startReceiver(context);
    const { time, events, webhooks, problems } = makeInstance(database, store, {
      ops: webhook(receiver.url),
    });
    context.after(() => webhooks.stop());
    receiver.answer = refuse(500);
    webhooks.start();
    events.note('credential_rejected', 'alarm', '…');
    await time.advance(4_000);
    assert.equal(receiver.received.length, 1);
    await time.advance(6_000);
    assert.equal(receiver.received.length, 2, 'after five seconds');
    await time.advance(20_000);
    assert.equal(receiver.received.length, 2, 'not again so soon');
    receiver.answer = undefined;
    await time.advance(30_000);
    assert.equal(receiver.received.length, 3);
    await time.advance(HOUR / 6);
    assert.equal(receiver.received.length, 3, 'it took it');
    assert.equal(new Set(receiver.received.map(({ id }) => id)).size, 1, 'by its id it is the same one');
    assert.deepEqual(
      problems.map((problem) => problem.kind === 'webhook_failed' && [problem.reason, problem.retryInMs]),
      [
        ['answered 500', 5_000],
        ['answered 500', 30_000],
      ],
    );
    assert.equal(await countWaiting(store), 0);
  });

  test('what was not sent when an instance was killed is sent by whoever comes next', async (context) => {
    const store = await database.open(context);
    const receiver = await startReceiver(context);
    const configured = { ops: webhook(receiver.url) };
    const killed = makeInstance(database, store, configured);
    receiver.answer = refuse(503);
    killed.webhooks.start();
    killed.events.note('config_refused', 'alarm', 'one');
    await killed.time.advance(0);
    killed.events.note('config_refused', 'alarm', 'two');
    await killed.time.advance(0);
    await killed.webhooks.stop();
    receiver.answer = undefined;
    const before = receiver.received.length;
    const next = makeInstance(database, store, configured, Date.now() + 60_000);
    context.after(() => next.webhooks.stop());
    next.webhooks.start();
    await next.time.advance(60_000);
    const messages = receiver.received.slice(before).map(({ data }) => data.message);
    assert.deepEqual(messages.toSorted(), ['one', 'two']);
  });

  test('two instances on a store send an event once', async (context) => {
    const store = await database.open(context);
    const receiver = await startReceiver(context);
    const configured = { ops: webhook(receiver.url) };
    const instances = [1, 2].map(() => makeInstance(database, store, configured));
    context.after(() => Promise.all(instances.map(({ webhooks }) => webhooks.stop())));
    for (const { webhooks } of instances) webhooks.start();
    const [first] = instances;
    for (let nth = 0; nth < 10; nth += 1) first?.events.note('config_changed', 'info', `${nth}`);
    await first?.events.flush();
    await Promise.all(instances.map(({ time }) => time.advance(120_000)));
    const ids = receiver.received.map(({ id }) => id);
    assert.deepEqual([ids.length, new Set(ids).size], [10, 10]);
  });

  test('what waits for a webhook that is not configured any more is forgotten', async (context) => {
    const store = await database.open(context);
    const receiver = await startReceiver(context);
    const configured: Record<string, WebhookConfig> = { ops: webhook(receiver.url) };
    const { time, events, webhooks } = makeInstance(database, store, configured);
    context.after(() => webhooks.stop());
    receiver.answer = refuse(500);
    webhooks.start();
    events.note('config_changed', 'info', '…');
    await time.advance(0);
    delete configured['ops'];
    await time.advance(3 * HOUR);
    assert.equal(await countWaiting(store), 0);
  });
});

/** Enough on one database: what is left does not depend on it. */
async function setUp(
  context: TestContext,
  more: (receiver: WebhookReceiver) => Record<string, WebhookConfig>,
) {
  const store = await openTempStore(context);
  const receiver = await startReceiver(context);
  const instance = makeInstance({ settle: () => setImmediate() }, store, more(receiver));
  context.after(() => instance.webhooks.stop());
  instance.webhooks.start();
  return { store, receiver, ...instance };
}

test('a webhook is sent the events that it wants, by kind and severity, and none about webhooks', async (context) => {
  const { time, events, receiver } = await setUp(context, ({ url }) => ({
    alerts: webhook(`${url}/alerts`, { events: ['alert_*', 'credential_rejected'] }),
    loud: webhook(`${url}/loud`, { severity: 'alarm' }),
  }));
  events.note('alert_raised', 'alarm', '…');
  events.note('alert_cleared', 'info', '…');
  events.note('config_changed', 'info', '…');
  events.note('webhook_given_up', 'alarm', '…');
  await time.advance(60_000);
  assert.deepEqual(receiver.paths.toSorted(), ['/hook/alerts', '/hook/alerts', '/hook/loud']);
});

test('a webhook that hangs holds up no other', async (context) => {
  const { time, events, receiver, webhooks } = await setUp(context, ({ url }) => ({
    hangs: webhook(`${url}/hangs`),
    works: webhook(`${url}/works`),
  }));
  receiver.answer = (response, path) => path.endsWith('works') && response.writeHead(204).end();
  events.note('config_changed', 'info', '…');
  // Time does not go on while a request is under way: the one that hangs never ends by itself.
  const advancing = time.advance(0);
  while (!receiver.paths.some((path) => path.endsWith('works'))) await setImmediate();
  await webhooks.stop();
  await advancing;
});

test('what one instance is sending no other sends, until that has had more than the time for it', async (context) => {
  const { time, events, receiver, webhooks, store } = await setUp(context, ({ url }) => ({
    ops: webhook(url),
  }));
  receiver.answer = () => undefined;
  events.note('config_changed', 'info', '…');
  const advancing = time.advance(0);
  while (receiver.received.length === 0) await setImmediate();
  const configured = { ops: webhook(receiver.url) };
  const other = makeInstance({ settle: () => setImmediate() }, store, configured);
  context.after(() => other.webhooks.stop());
  receiver.answer = undefined;
  other.webhooks.start();
  await other.time.advance(50_000);
  assert.equal(receiver.received.length, 1);
  await other.time.advance(20_000);
  assert.equal(receiver.received.length, 2, 'the first may have been killed');
  await webhooks.stop();
  await advancing;
});

test('a redirect is not followed, and 410 ends it', async (context) => {
  const { time, events, receiver, problems, store } = await setUp(context, ({ url }) => ({
    ops: webhook(url),
  }));
  receiver.answer = refuse(302, { location: receiver.url.replace('/hook', '/internal') });
  events.note('config_changed', 'info', 'moved');
  await time.advance(0);
  assert.deepEqual(receiver.paths, ['/hook']);
  receiver.answer = refuse(410);
  await time.advance(HOUR);
  assert.deepEqual(
    problems.map((problem) => 'reason' in problem && `${problem.kind} ${problem.reason}`),
    ['webhook_failed answered 302', 'webhook_given_up answered 410'],
  );
  assert.equal(await countWaiting(store), 0);
});

test('retry-after is heeded, and after two days it is given up', async (context) => {
  const { time, events, receiver, problems, skip } = await setUp(context, ({ url }) => ({
    ops: webhook(url),
  }));
  receiver.answer = refuse(429, { 'retry-after': '600' });
  events.note('config_changed', 'info', '…');
  await time.advance(590_000);
  assert.equal(receiver.received.length, 1);
  await time.advance(20_000);
  assert.equal(receiver.received.length, 2);
  receiver.answer = refuse(500);
  for (let day = 0; day < 12; day += 1) {
    skip(24 * HOUR);
    await time.advance(10_000);
  }
  assert.equal(problems.at(-1)?.kind, 'webhook_given_up');
  assert.equal(receiver.received.length, 12);
});

test('the time that a receiver names holds for every event, as it does for the one that it refused', async (context) => {
  const { time, events, receiver } = await setUp(context, ({ url }) => ({ ops: webhook(url) }));
  receiver.answer = refuse(429, { 'retry-after': '3600' });
  events.note('config_changed', 'info', 'one');
  await time.advance(0);
  events.note('config_changed', 'info', 'two');
  await time.advance(HOUR - 1_000);
  assert.equal(receiver.received.length, 1);
  receiver.answer = undefined;
  await time.advance(10_000);
  assert.deepEqual(
    receiver.received
      .slice(1)
      .map(({ data }) => data.message)
      .toSorted(),
    ['one', 'two'],
  );
});

test('a receiver that goes on failing is left alone for longer each time, five minutes at most, however much is for it', async (context) => {
  const { time, events, receiver } = await setUp(context, ({ url }) => ({ ops: webhook(url) }));
  receiver.answer = refuse(500);
  for (let nth = 0; nth < 20; nth += 1) events.note('config_changed', 'info', `${nth}`);
  const byMinute: number[] = [];
  for (const minutes of [1, 2, 3, 4, 10]) {
    const before = receiver.received.length;
    await time.advance(minutes * 60_000);
    byMinute.push(receiver.received.length - before);
  }
  assert.deepEqual(byMinute, [4, 2, 1, 0, 2]);
});

test('one that cannot be reached is tried again, and the log does not say what stands there', async (context) => {
  const { time, events, problems } = await setUp(context, () => ({
    ops: webhook('http://127.0.0.1:1/hook'),
  }));
  events.note('config_changed', 'info', '…');
  await time.advance(0);
  const [problem] = problems;
  assert.ok(
    problem?.kind === 'webhook_failed' && /^could not be reached/.test(problem.reason),
    JSON.stringify(problem),
  );
});

test('the oldest are given up where more wait than are kept', async (context) => {
  const { time, events, receiver, kinds, store, webhooks } = await setUp(context, ({ url }) => ({
    ops: webhook(url),
  }));
  await webhooks.stop();
  for (let nth = 0; nth < MOST_WAITING; nth += 1) events.note('config_changed', 'info', `${nth}`);
  await events.flush();
  events.note('config_changed', 'info', 'one more');
  await time.advance(0);
  assert.equal(await countWaiting(store), MOST_WAITING);
  assert.deepEqual(kinds(), ['webhook_full']);
  assert.deepEqual(receiver.paths, []);
});
