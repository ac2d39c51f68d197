import assert from 'node:assert/strict';
import { readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'yaml';
import { readTreeMemoryMb } from '../../bench/measure/memory.ts';
import { median } from '../../bench/measure/statistics.ts';
import { stopAllProcesses } from '../../bench/processes.ts';
import { SCENARIOS, versionOf } from '../../bench/scenarios.ts';
import { BENCH_KEY, startTraffic, type Traffic } from '../../bench/traffic/start.ts';
import { startFakeOpenAi } from '../support/fake-openai.ts';
import type { FakeProvider } from '../support/fake-provider.ts';
import { ADMIN_KEY, TEST_KEY } from '../support/gateway.ts';
import { type GatewayProcess, spawnGateway } from '../support/gateway-process.ts';
import { type HeldByProcess, INSPECTED, measureHeld } from '../support/inspected-process.ts';
import { parseMetrics } from '../support/prometheus-text.ts';
import { scale } from '../support/scale.ts';
import { makeTempDirectory } from '../support/temp-store.ts';
import { call } from '../workers/keep-alive-clients.ts';

/** Seconds of load before what is held is measured first; the soak; a round of it. The share of a core that the gateway is to be busy. */
const { warmUpSeconds, soakSeconds, roundSeconds, busy, heapRoomMb } = scale({
  sample: { warmUpSeconds: 4, soakSeconds: 6, roundSeconds: 2, busy: 0.3, heapRoomMb: 3 },
  heavy: { warmUpSeconds: 120, soakSeconds: 780, roundSeconds: 10, busy: 0.7, heapRoomMb: 8 },
});

/** Of what the process holds altogether, which is not given back at once. Judged in the long soak alone: V8's heap takes minutes to find its size. */
const MEMORY_ROOM = 1.15;
const LOOP_DELAY_S = 0.02;
/** For so long a connection to a provider that says nothing else is kept, and somewhat more. */
const KEPT_ALIVE_MS = 5_000;

after(stopAllProcesses);

async function startSoaked(context: TestContext, traffic: Traffic, provider: FakeProvider) {
  const folder = makeTempDirectory(context);
  const file = join(folder, 'fairlead.yaml');
  const models = SCENARIOS.map(({ name }) => name);
  writeFileSync(
    file,
    stringify({
      server: { metrics: 'open' },
      providers: {
        up: {
          adapter: 'openai-compatible',
          baseUrl: `http://127.0.0.1:${traffic.upstreamPort}/v1`,
          accounts: [{ name: 'a', apiKey: 'sk-upstream' }],
        },
        fake: {
          adapter: 'openai',
          baseUrl: provider.url,
          accounts: [{ name: 'a', apiKey: provider.apiKey }],
        },
      },
      models: {
        ...Object.fromEntries(models.map((name) => [name, { targets: [`up/${versionOf(name)}`] }])),
        failing: { targets: ['fake/gpt-4.1', 'fake/gpt-4o'], timeouts: { firstByte: '1s', idle: '1s' } },
      },
      prices: { 'up/*': { input: 1, output: 2 } },
      tenants: {
        bench: {
          models: ['*'],
          limits: { requestsPerMinute: 1e9, tokensPerMinute: 1e12, concurrentCalls: 1e6 },
          keys: [
            { name: 'bench', secret: BENCH_KEY },
            { name: 'test', secret: TEST_KEY },
          ],
        },
      },
    }),
  );
  const gateway = spawnGateway({
    FAIRLEAD_CONFIG: file,
    FAIRLEAD_DATA: folder,
    FAIRLEAD_ADMIN_KEY: ADMIN_KEY,
    NODE_OPTIONS: INSPECTED,
  });
  context.after(() => gateway.kill());
  return { gateway, url: await gateway.url };
}

/** Streams that are left in the middle, answers that fail in every way, and those that hang: one caller each, over connections that it keeps. */
const MISHAPS = [
  'fail 500',
  'fail 429',
  'break mid-stream\nlong 20',
  'error mid-stream\nlong 20',
  'close early',
  'hang before headers',
  'hang mid-stream\nlong 20',
  'truncated json',
  'long 20\nslow 5 ms per chunk',
];

/** Calls until it is told to end, and tells how many there were. */
function keepFailing(url: string) {
  const agents = MISHAPS.map(() => new Agent({ keepAlive: true, maxSockets: 1 }));
  let isOver = false;
  let calls = 0;
  const run = async (agent: Agent, mishap: string) => {
    for (let turn = 0; !isOver; turn++) {
      const stream = turn % 2 === 0;
      const body = { model: 'failing', stream, messages: [{ role: 'user', content: mishap }] };
      if (turn % 3 === 2) await leave(url, body, 5 + (turn % 40));
      // What becomes of it is not asked here.
      else await call(url, agent, body).catch(() => undefined);
      calls++;
      await sleep(20);
    }
  };
  const done = Promise.all(agents.map((agent, index) => run(agent, MISHAPS[index] ?? '')));
  return {
    end: async () => {
      isOver = true;
      await done;
      for (const agent of agents) agent.destroy();
      return calls;
    },
  };
}

/** A call whose caller goes away after so many milliseconds. */
function leave(url: string, body: object, afterMs: number): Promise<void> {
  return new Promise((resolve) => {
    const headers = { authorization: `Bearer ${TEST_KEY}`, 'content-type': 'application/json' };
    const asked = request(`${url}/v1/chat/completions`, { method: 'POST', headers }, (answer) => {
      answer.on('error', () => {}).resume();
    });
    asked.on('error', () => {}).on('close', () => resolve());
    asked.end(JSON.stringify(body));
    setTimeout(() => asked.destroy(), afterMs);
  });
}

function countSockets(pid: number): number {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).filter((fd) => isSocket(join(folder, fd))).length;
}

function isSocket(fd: string): boolean {
  try {
    return readlinkSync(fd).startsWith('socket:');
  } catch {
    // Closed since it was listed.
    return false;
  }
}

async function readMetric(url: string, name: string): Promise<number> {
  const samples = parseMetrics(await (await fetch(`${url}/metrics`)).text());
  return samples.filter((sample) => sample.name === name).reduce((sum, { value }) => sum + value, 0);
}

/** Waits until nothing is under way, and tells what is held then. */
async function measureAtRest(
  gateway: GatewayProcess,
  url: string,
): Promise<HeldByProcess & { sockets: number }> {
  for (const name of ['fairlead_calls_in_flight', 'fairlead_pending_records']) {
    for (let tries = 0; (await readMetric(url, name)) > 0; tries++) {
      assert.ok(tries < 400, `${name} stays above zero`);
      await sleep(50);
    }
  }
  // Connections that callers closed are gone from both ends, and those to providers have been of no use for as long as they are kept.
  await sleep(KEPT_ALIVE_MS);
  return { ...(await measureHeld(gateway.output())), sockets: countSockets(gateway.pid) };
}

const skipOutsideLinux = process.platform !== 'linux' && 'it reads /proc';

test('a soak of calls and streams, with callers that leave and providers that fail: nothing grows, nothing is left', {
  skip: skipOutsideLinux,
  timeout: (warmUpSeconds + soakSeconds + 200) * 1_000,
}, async (context) => {
  const paced = SCENARIOS.find(({ name }) => name === 'latency-1000');
  const streams = SCENARIOS.find(({ name }) => name === 'stream-one-by-one');
  assert.ok(paced?.measure === 'latency' && streams?.measure === 'cpu');
  const traffic = await startTraffic(makeTempDirectory(context), undefined);
  const streaming = await startTraffic(makeTempDirectory(context), undefined);
  const provider = await startFakeOpenAi({ models: ['gpt-4.1', 'gpt-4o'] });
  context.after(() => provider.close());
  const { gateway, url } = await startSoaked(context, traffic, provider);
  const port = Number(new URL(url).port);

  let callsPerSecond = 200;
  let calls = 0;
  /** Load for so long; gives what it measured of each round. */
  const load = async (seconds: number) => {
    const rounds: { memoryMb: number; busy: number }[] = [];
    const failing = keepFailing(url);
    for (let at = 0; at < seconds; at += roundSeconds) {
      const cpuBefore = await readMetric(url, 'process_cpu_seconds_total');
      const [{ latenciesMs }] = await Promise.all([
        traffic.pace({ ...paced, callsPerSecond }, { port }, roundSeconds),
        streaming.call({ ...streams, connections: 10 }, { port }, 10 * roundSeconds * 0.8),
      ]);
      calls += latenciesMs.length + 8 * roundSeconds;
      const cpu = (await readMetric(url, 'process_cpu_seconds_total')) - cpuBefore;
      // Of the time that the load was meant to take: on a machine that is busy with others it takes longer, and more of it would not help.
      const share = cpu / roundSeconds;
      rounds.push({ memoryMb: readTreeMemoryMb(gateway.pid), busy: share });
      callsPerSecond = Math.min(8_000, Math.max(100, Math.round((callsPerSecond * busy) / share)));
    }
    calls += await failing.end();
    return rounds;
  };

  await load(warmUpSeconds);
  const before = await measureAtRest(gateway, url);
  const rounds = await load(soakSeconds);
  const after = await measureAtRest(gateway, url);
  const loopDelay = await readMetric(url, 'nodejs_eventloop_lag_p99_seconds');
  context.diagnostic(
    `${calls} calls, busy ${Math.round(median(rounds.map((round) => round.busy)) * 100)} %, ` +
      `heap ${megabytes(before.heapBytes)} then ${megabytes(after.heapBytes)}, ` +
      `sockets ${before.sockets} then ${after.sockets}, event loop p99 ${Math.round(loopDelay * 1_000)} ms late, ` +
      `held ${JSON.stringify(after.resources)}`,
  );

  const grown = after.heapBytes - before.heapBytes;
  // Compiled code and sums that are kept by the hour come late.
  assert.ok(grown < heapRoomMb * 1024 ** 2, `the heap has grown by ${megabytes(grown)}`);
  assert.ok(after.sockets <= before.sockets + 5, `${after.sockets} sockets, ${before.sockets} before`);
  for (const kind of Object.keys(after.resources)) {
    const [now = 0, then = 0] = [after.resources[kind], before.resources[kind]];
    assert.ok(now <= then + 5, `${now} of ${kind}, ${then} before`);
  }
  for (const name of ['fairlead_calls_running', 'fairlead_calls_waiting']) {
    assert.equal(await readMetric(url, name), 0, name);
  }
  if (scale({ sample: false, heavy: true })) {
    const memory = rounds.map(({ memoryMb }) => memoryMb);
    const third = Math.floor(memory.length / 3);
    const [first, last] = [median(memory.slice(0, third)), median(memory.slice(-third))];
    assert.ok(last <= first * MEMORY_ROOM, `${last} MB in the last third, ${first} MB in the first`);
    assert.ok(loopDelay < LOOP_DELAY_S, `the event loop is ${loopDelay} s late`);
  }
  assert.equal(await gateway.stop(), 0, gateway.output().slice(-2_000));
});

function megabytes(bytes: number): string {
  return `${(bytes / 1024 ** 2).toFixed(1)} MB`;
}
