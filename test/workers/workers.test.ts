import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'yaml';
import type { UsageRecord } from '../../src/usage/record.ts';
import { startFakeOpenAi } from '../support/fake-openai.ts';
import type { FakeProvider } from '../support/fake-provider.ts';
import { ADMIN_KEY, TEST_KEY } from '../support/gateway.ts';
import { type GatewayProcess, spawnGateway } from '../support/gateway-process.ts';
import { parseMetrics, type Sample } from '../support/prometheus-text.ts';
import { redisMissing, startRedis, type TestRedis } from '../support/redis.ts';
import { makeTempDirectory } from '../support/temp-store.ts';
import { call, KeepAliveClients } from './keep-alive-clients.ts';

const LIMITED = 'sk-fl-key-of-limited-000000000000';
const BOUNDED = 'sk-fl-key-of-bounded-000000000000';
const SLOTS = 6;

let redis: TestRedis;
let provider: FakeProvider;
const directory = mkdtempSync(join(tmpdir(), 'fairlead-'));
let gateway: GatewayProcess;
let url: string;

/** The folder and environment of a gateway with two workers. */
function prepare(folder: string, server: object = {}) {
  const file = join(folder, 'fairlead.yaml');
  const tenant = (secret: string, limits?: object) => ({
    models: ['*'],
    ...(limits && { limits }),
    keys: [{ name: 'app', secret }],
  });
  writeFileSync(
    file,
    stringify({
      server: { port: 0, workers: 2, ...server },
      state: redis.url,
      // A machine that is busy with other tests is not to look like a Redis that is away.
      stateTimeout: '10s',
      providers: {
        fake: {
          adapter: 'openai',
          baseUrl: provider.url,
          accounts: [{ name: 'a', apiKey: provider.apiKey }],
        },
      },
      tenants: {
        acme: tenant(TEST_KEY),
        limited: tenant(LIMITED, { requestsPerMinute: 100 }),
        bounded: tenant(BOUNDED, { concurrentCalls: SLOTS }),
      },
    }),
  );
  return { FAIRLEAD_CONFIG: file, FAIRLEAD_DATA: folder, FAIRLEAD_ADMIN_KEY: ADMIN_KEY };
}

const asAdmin = (path: string) => fetch(url + path, { headers: { authorization: `Bearer ${ADMIN_KEY}` } });

async function scrape(): Promise<Sample[]> {
  return parseMetrics(await (await asAdmin('/metrics')).text());
}

async function total(name: string, labels: Record<string, string> = {}): Promise<number> {
  const own = (await scrape()).filter(
    (sample) =>
      sample.name === name &&
      Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
  );
  return own.reduce((sum, { value }) => sum + value, 0);
}

async function until(what: string, isSo: () => Promise<boolean> | boolean): Promise<void> {
  for (let tries = 0; !(await isSo()); tries++) {
    assert.ok(tries < 1_200, `${what}\n${gateway.output()}`);
    await sleep(25);
  }
}

async function records(tenant: string): Promise<UsageRecord[]> {
  const all: UsageRecord[] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const from: string = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const page = (await (await asAdmin(`/admin/v1/calls?limit=1000&tenant=${tenant}${from}`)).json()) as {
      data: UsageRecord[];
      nextCursor: string | null;
    };
    all.push(...page.data);
    cursor = page.nextCursor;
  }
  return all;
}

/** Every answer that is whole has its record, and no call has two. */
async function allAreRecorded({ outcomes }: KeepAliveClients): Promise<void> {
  const answered = outcomes.map(({ id }) => id).filter((id) => id !== undefined);
  let ids: string[] = [];
  await until('every answer is recorded', async () => {
    ids = (await records('acme')).map(({ id }) => id);
    const known = new Set(ids);
    return answered.every((id) => known.has(id));
  });
  assert.equal(new Set(ids).size, ids.length);
}

/** Of the newest line that says so. */
function workerPids(): number[] {
  const lines = [...gateway.output().matchAll(/"(?:workers|pids)":\[([\d,]+)\]/g)];
  return (lines.at(-1)?.[1] ?? '').split(',').map(Number);
}

before(async () => {
  if (redisMissing) return;
  redis = await startRedis({ saves: false });
  provider = await startFakeOpenAi({ models: ['gpt-4.1'] });
  gateway = spawnGateway(prepare(directory));
  url = await gateway.url;
});

after(async () => {
  rmSync(directory, { recursive: true, force: true });
  if (redisMissing) return;
  await gateway.kill();
  await provider.close();
  await redis.close();
});

test('two workers let through exactly what a limit allows; every call is recorded once, and metrics are those of both', {
  skip: redisMissing,
}, async () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 60 });
  const body = { model: 'echo/echo', messages: [{ role: 'user', content: 'Hello' }] };
  const answers = await Promise.all(Array.from({ length: 300 }, () => call(url, agent, body, LIMITED)));
  agent.destroy();
  const statuses = Object.groupBy(answers, ({ status }) => status);
  assert.deepEqual([statuses[200]?.length, statuses[429]?.length], [100, 200]);
  const ok = { tenant: 'limited', outcome: 'ok' };
  await until('calls are told', async () => (await total('fairlead_calls_total', ok)) === 100);
  const ids = (await records('limited')).filter(({ outcome }) => outcome === 'ok').map(({ id }) => id);
  assert.deepEqual(
    new Set(ids),
    new Set(statuses[200]?.map(({ headers }) => String(headers['x-request-id']))),
  );
  assert.equal(ids.length, 100);
  assert.equal(await total('fairlead_call_duration_seconds_count', { outcome: 'ok' }), 100);
  assert.deepEqual([await total('fairlead_workers'), await total('fairlead_calls_in_flight')], [2, 0]);
  assert.equal(await total('fairlead_config_revision'), 1);
});

test('connections go to both workers, and what is not a call says which of them answered', {
  skip: redisMissing,
}, async () => {
  const seen = new Set<string | null>();
  for (let asked = 0; asked < 20; asked++) {
    const headers = { connection: 'close', authorization: `Bearer ${ADMIN_KEY}` };
    const answer = await fetch(`${url}/admin/v1/health`, { headers });
    const { worker } = (await answer.json()) as { worker: number };
    assert.equal(answer.headers.get('x-fairlead-worker'), String(worker));
    seen.add(String(worker));
  }
  assert.deepEqual(seen, new Set(['1', '2']));
});

test('a key that one worker makes is known to the other at once', { skip: redisMissing }, async () => {
  for (let made = 0; made < 3; made++) {
    const answer = await fetch(`${url}/admin/v1/tenants/acme/keys`, {
      method: 'POST',
      headers: { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': 'application/json' },
      body: JSON.stringify({ name: `made${made}` }),
    });
    assert.equal(answer.status, 201, await answer.clone().text());
    const { secret } = (await answer.json()) as { secret: string };
    await sleep(100);
    const body = { model: 'echo/echo', messages: [{ role: 'user', content: 'Hello' }] };
    for (let worker = 0; worker < 2; worker++) {
      const agent = new Agent();
      assert.equal((await call(url, agent, body, secret)).status, 200);
    }
  }
});

test('a rolling restart under load fails no call: new workers have the port before the old ones give it up', {
  skip: redisMissing,
}, async (context) => {
  const old = workerPids();
  const clients = new KeepAliveClients(url, 8);
  await clients.answered(50);
  gateway.signal('SIGUSR2');
  await until('the workers are replaced', () => /workers_restarted/.test(gateway.output()));
  await clients.answered(50);
  await clients.end();
  assert.deepEqual(clients.failures, []);
  const now = workerPids();
  assert.ok(now.length === 2 && !now.some((pid) => old.includes(pid)), `${now} after ${old}`);
  assert.ok(old.every(isGone), 'the old ones are gone');
  await allAreRecorded(clients);
  const calls = (await records('acme')).length;
  await until('what the old ones counted is counted on', async () => {
    return (await total('fairlead_calls_total', { tenant: 'acme' })) === calls;
  });
  const events = await (await asAdmin('/admin/v1/events?limit=20')).text();
  assert.match(events, /workers_restarted/);
  context.diagnostic(`${calls} calls`);
});

test('of a worker that is killed only what it had under way fails; it is replaced, nothing is lost, and nothing stays reserved', {
  skip: redisMissing,
}, async (context) => {
  const agent = new Agent();
  const slow = { model: 'fake/gpt-4.1', stream: true };
  const talk = (content: string) => ({ ...slow, messages: [{ role: 'user', content }] });
  const clients = new KeepAliveClients(url, 8);
  const held = Promise.allSettled(
    Array.from({ length: SLOTS }, () => call(url, agent, talk('a\nlong 40\nslow 50 ms per chunk'), BOUNDED)),
  );
  await clients.answered(50);
  const [killed = 0] = workerPids();
  // Of new connections one is on its way to it when it is killed.
  process.kill(killed, 'SIGSTOP');
  const fresh = Promise.allSettled(
    Array.from({ length: 4 }, () => call(url, new Agent(), talk('c\nlong 2'), TEST_KEY)),
  );
  await sleep(200);
  const killedAtMs = performance.now();
  process.kill(killed, 'SIGKILL');
  const lost = (await fresh).filter(({ status }) => status === 'rejected').length;
  assert.ok(lost <= 1, `${lost} new connections were lost`);
  await until('it is replaced', () => /worker_replaced/.test(gateway.output()));
  await clients.answered(50);
  await clients.end();
  for (const { startedAtMs, endedAtMs, failure } of clients.failures) {
    assert.ok(startedAtMs <= killedAtMs, `${failure}: began ${startedAtMs - killedAtMs} ms after the kill`);
    assert.ok(
      endedAtMs - killedAtMs < 1_000,
      `${failure}: ended ${endedAtMs - killedAtMs} ms after the kill`,
    );
  }
  const settled = await held;
  const cutOff = settled.filter(({ status }) => status === 'rejected').length;
  assert.ok(cutOff > 0 && cutOff < SLOTS, `${cutOff} of the slow ones were cut off`);
  await allAreRecorded(clients);
  await until('those that were cut off are recorded', async () => {
    const bounded = await records('bounded');
    return bounded.filter(({ outcome }) => outcome === 'interrupted').length === cutOff;
  });
  const again = Array.from({ length: SLOTS }, () =>
    call(url, agent, talk('b\nlong 5\nslow 50 ms per chunk'), BOUNDED),
  );
  assert.deepEqual(
    (await Promise.all(again)).map(({ status }) => status),
    Array.from({ length: SLOTS }, () => 200),
  );
  const events = await (await asAdmin('/admin/v1/events?limit=20')).text();
  assert.match(events, /worker_died/);
  assert.equal(await total('fairlead_worker_deaths_total'), 1);
  context.diagnostic(`${clients.failures.length} of ${clients.outcomes.length} calls failed`);
});

test('a worker that is told to end lets its calls finish and is replaced, and that is no death', {
  skip: redisMissing,
}, async () => {
  const deaths = await total('fairlead_worker_deaths_total');
  const before = gateway.output().length;
  const ended = workerPids().find((pid) => !isGone(pid)) ?? 0;
  const messages = [{ role: 'user', content: 'a\nlong 20\nslow 20 ms per chunk' }];
  const seen = provider.requests.length;
  const answers = Array.from({ length: 4 }, () =>
    call(url, new Agent(), { model: 'fake/gpt-4.1', stream: true, messages }),
  );
  await until('all are under way', () => provider.requests.length === seen + 4);
  process.kill(ended, 'SIGTERM');
  for (const { status, text } of await Promise.all(answers)) {
    assert.equal(status, 200);
    assert.match(text, /data: \[DONE\]\n\n$/);
  }
  await until('it is replaced', () => /worker_replaced/.test(gateway.output().slice(before)));
  assert.doesNotMatch(gateway.output().slice(before), /worker_died/);
  assert.equal(await total('fairlead_worker_deaths_total'), deaths);
});

test('a second signal ends the calls of all workers, and no worker has died of that', {
  skip: redisMissing,
}, async (context) => {
  const hurried = spawnGateway(prepare(makeTempDirectory(context)));
  context.after(() => hurried.kill());
  const itsUrl = await hurried.url;
  const messages = [{ role: 'user', content: 'a\nlong 500\nslow 50 ms per chunk' }];
  const seen = provider.requests.length;
  const answers = Promise.all(
    Array.from({ length: 4 }, () =>
      call(itsUrl, new Agent(), { model: 'fake/gpt-4.1', stream: true, messages }),
    ),
  );
  await until('all are under way', () => provider.requests.length === seen + 4);
  hurried.signal('SIGTERM');
  await sleep(700);
  hurried.signal('SIGTERM');
  assert.equal(await hurried.exit, 1);
  for (const { text } of await answers) assert.match(text, /"error"/);
  assert.doesNotMatch(hurried.output(), /worker_died/);
});

test('SIGTERM lets calls finish that are under way, and ends with 0', { skip: redisMissing }, async () => {
  const messages = [{ role: 'user', content: 'a\nlong 20\nslow 20 ms per chunk' }];
  const seen = provider.requests.length;
  const body = { model: 'fake/gpt-4.1', stream: true, messages };
  const answers = Array.from({ length: 4 }, () => call(url, new Agent(), body));
  await until('all are under way', () => provider.requests.length === seen + 4);
  const pids = workerPids();
  assert.equal(await gateway.stop(), 0, gateway.output());
  for (const { status, text } of await Promise.all(answers)) {
    assert.equal(status, 200);
    assert.match(text, /data: \[DONE\]\n\n$/);
  }
  assert.ok(pids.every(isGone));
});

test('a worker that cannot start at the first start ends the whole with its error', {
  skip: redisMissing,
}, async (context) => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  context.after(() => taken.close());
  const { port } = taken.address() as AddressInfo;
  const failing = spawnGateway({ ...prepare(makeTempDirectory(context)), PORT: String(port) });
  assert.equal(await failing.exit, 1);
  assert.match(failing.output(), /could not start worker 1: .*EADDRINUSE/);
});

function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
}
