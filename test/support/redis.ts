import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { freePort } from './free-port.ts';

/** A real Redis server of the test's own, on a free port of this machine. */
export interface TestRedis {
  /** Redis URL. */
  url: string;
  /** A client of the test's own. */
  client: Redis;
  /** Ends the server; `start` begins it again on the same port, with the data that it had if it `saves`. */
  stop(): Promise<void>;
  start(): Promise<void>;
  /** Lets the server stand still, as one that hangs, and go on. */
  freeze(): void;
  thaw(): void;
  close(): Promise<void>;
}

/** Why there is no Redis to test with; to be given to a test as `skip`. */
export const redisMissing: string | false = findRedis();

function findRedis(): string | false {
  if (isInstalled()) return false;
  // A machine that is only for tests may have it installed: Debian's package, as root.
  if (process.getuid?.() === 0) {
    spawnSync('apt-get', ['install', '-y', '--no-install-recommends', 'redis-server'], {
      stdio: 'ignore',
      timeout: 180_000,
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' },
    });
    if (isInstalled()) return false;
  }
  const reason = 'SKIPPED: there is no redis-server here. Install it (apt-get install redis-server).';
  process.stderr.write(`${reason}\n`);
  return reason;
}

function isInstalled(): boolean {
  try {
    execFileSync('redis-server', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** `saves`: keeps its data over a restart (an append-only file, written at once). */
export async function startRedis({ saves = true } = {}): Promise<TestRedis> {
  const folder = await mkdtemp(join(tmpdir(), 'fairlead-redis-'));
  const port = await freePort();
  const url = `redis://127.0.0.1:${port}/0`;
  let server: ChildProcess | undefined;
  const client = new Redis(url, { lazyConnect: true, maxRetriesPerRequest: 50, retryStrategy: () => 50 });
  client.on('error', () => {});

  // A test that fails or runs out of time closes nothing.
  const killLeft = () => void server?.kill('SIGKILL');
  process.on('exit', killLeft);

  const start = async () => {
    const options = {
      port: String(port),
      bind: '127.0.0.1',
      dir: folder,
      save: '',
      appendonly: saves ? 'yes' : 'no',
      appendfsync: 'always',
    };
    const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
    server = spawn('redis-server', args, { stdio: 'ignore' });
    for (let tries = 0; tries < 100; tries++) {
      const asked = spawnSync('redis-cli', ['-p', String(port), 'ping'], { encoding: 'utf8' });
      if (asked.stdout.trim() === 'PONG') return;
      await sleep(50);
    }
    throw new Error('redis-server does not answer');
  };
  const stop = async () => {
    if (!server || server.exitCode !== null || server.signalCode !== null) return;
    const ended = once(server, 'exit');
    server.kill('SIGCONT');
    server.kill('SIGTERM');
    await ended;
  };
  await start();
  await client.connect();
  return {
    url,
    client,
    start,
    stop,
    freeze: () => server?.kill('SIGSTOP'),
    thaw: () => server?.kill('SIGCONT'),
    close: async () => {
      client.disconnect();
      await stop();
      process.off('exit', killLeft);
      await rm(folder, { recursive: true, force: true });
    },
  };
}
