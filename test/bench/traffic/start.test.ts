import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { findFreePort, stopAllProcesses } from '../../../bench/processes.ts';
import { SCENARIOS } from '../../../bench/scenarios.ts';
import { startTraffic } from '../../../bench/traffic/start.ts';

const skipOutsideLinux = process.platform !== 'linux' && 'the bench needs Linux';
const directory = mkdtempSync(join(tmpdir(), 'fairlead-bench-test-'));
after(async () => {
  await stopAllProcesses();
  rmSync(directory, { recursive: true });
});

test('load and upstream agree on every scenario, and a wrong answer fails the job', {
  skip: skipOutsideLinux,
}, async () => {
  const traffic = await startTraffic(directory, undefined);
  for (const scenario of SCENARIOS) {
    const upstream = { port: traffic.upstreamPort };
    switch (scenario.measure) {
      case 'cpu':
        assert.equal((await traffic.call(scenario, upstream, 3)).calls, 3, scenario.name);
        break;
      case 'latency': {
        const { latenciesMs, lateMs } = await traffic.pace(scenario, upstream, 0.1);
        assert.equal(latenciesMs.length, Math.ceil(scenario.callsPerSecond / 10), scenario.name);
        assert.equal(lateMs.length, latenciesMs.length);
        assert.ok(latenciesMs.every((ms) => ms > 0));
        break;
      }
      case 'fresh':
        await traffic.hold(scenario, upstream, 60);
        await traffic.hold(scenario, upstream, 70);
        await traffic.release();
    }
  }
  const nobody = await findFreePort();
  const scenario = SCENARIOS.find(({ measure }) => measure === 'cpu');
  assert.ok(scenario?.measure === 'cpu');
  await assert.rejects(traffic.call(scenario, { port: nobody }, 3), /ECONNREFUSED/);
  const unknown = { ...scenario, name: 'of another bench' };
  await assert.rejects(
    traffic.call(unknown, { port: traffic.upstreamPort }, 3),
    /no scenario of another bench/,
  );
});

test('a subject that stands still delays every call that was to begin meanwhile, and not one alone', {
  skip: skipOutsideLinux,
}, async (context) => {
  const traffic = await startTraffic(directory, undefined);
  const scenario = SCENARIOS.find(({ name }) => name === 'latency-1000');
  assert.ok(scenario?.measure === 'latency');
  const standing = await startStandingProxy(traffic.upstreamPort, 300);
  context.after(standing.close);
  const { latenciesMs } = await traffic.pace(scenario, { port: standing.port }, 1);
  assert.equal(latenciesMs.length, 1_000);
  const delayed = latenciesMs.filter((ms) => ms > 100).length;
  assert.ok(delayed > 150, `${delayed} calls waited for longer than 100 ms`);
});

test('an answer that is not of the caller’s dialect fails the job', {
  skip: skipOutsideLinux,
}, async (context) => {
  const traffic = await startTraffic(directory, undefined);
  const scenario = SCENARIOS.find(({ name }) => name === 'translated-1kb');
  assert.ok(scenario?.measure === 'cpu');
  const proxy = await startRelay(traffic.upstreamPort, (bytes) =>
    Buffer.from(bytes.toString('latin1').replace('/v1/chat/completions', '/v1/messages'), 'latin1'),
  );
  context.after(proxy.close);
  await assert.rejects(traffic.call(scenario, { port: proxy.port }, 3), /no "object":"chat.completion" in/);
});

/** Passes bytes on to the upstream, the requests changed. */
async function startRelay(upstreamPort: number, change: (bytes: Buffer) => Buffer) {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(upstreamPort, '127.0.0.1');
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket
        .on('error', () => {})
        .on('close', () => {
          client.destroy();
          upstream.destroy();
        });
    }
    client.on('data', (bytes: Buffer) => void upstream.write(change(bytes)));
    upstream.pipe(client);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  return { port: (server.address() as AddressInfo).port, close };
}

/** The same, unchanged, which does nothing at all for a while once a fifth of a thousand requests have come. */
function startStandingProxy(upstreamPort: number, forMs: number) {
  let requests = 0;
  return startRelay(upstreamPort, (bytes) => {
    if (++requests === 200) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, forMs);
    return bytes;
  });
}
