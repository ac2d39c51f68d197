import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, closeSync, constants, existsSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Where Debian puts daemons, which the PATH of an ordinary user leaves out. */
const SYSTEM_FOLDERS = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

/** How long a process may take to end by itself before it is killed. */
const STOP_TIMEOUT_MS = 5_000;

export interface ProcessSpec {
  command: string;
  args: readonly string[];
  /** `taskset` CPU list to run on. */
  cpus: string | undefined;
  /** Gets what the process prints. */
  logFile: string;
  env?: Readonly<Record<string, string>>;
  /** Opens a message channel to it (for Node processes). */
  channel?: boolean;
}

export interface RunningProcess {
  pid: number;
  child: ChildProcess;
  /** Last lines that it printed, for an error message. */
  readLogTail(): string;
}

/** Every started process and its end. */
const running = new Map<ChildProcess, Promise<void>>();
// Not SIGKILL: an nginx master that is killed leaves its worker behind.
process.on('exit', () => {
  for (const child of running.keys()) child.kill('SIGTERM');
});

/** Asks every process that was started to end, and makes those that do not. */
export async function stopAllProcesses(): Promise<void> {
  const timer = setTimeout(() => {
    for (const child of running.keys()) child.kill('SIGKILL');
  }, STOP_TIMEOUT_MS);
  for (const child of running.keys()) child.kill('SIGTERM');
  await Promise.all(running.values());
  clearTimeout(timer);
}

/** Asks one process to end, and waits until it has. */
export async function stopProcess({ child }: RunningProcess): Promise<void> {
  const ended = running.get(child);
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
  child.kill('SIGTERM');
  await ended;
  clearTimeout(timer);
}

/** Starts a process that ends with the bench at the latest. Throws when the command cannot be run. */
export async function startProcess(spec: ProcessSpec): Promise<RunningProcess> {
  const log = openSync(spec.logFile, 'a');
  // taskset replaces itself by the command, so the pid is the command's.
  const [command, ...args] =
    spec.cpus === undefined
      ? [spec.command, ...spec.args]
      : ['taskset', '--cpu-list', spec.cpus, spec.command, ...spec.args];
  const child = spawn(command, args, {
    stdio: ['ignore', log, log, ...(spec.channel ? (['ipc'] as const) : [])],
    env: { ...process.env, ...spec.env },
  });
  closeSync(log);
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
  running.set(
    child,
    exited.then(() => void running.delete(child)),
  );
  const { pid } = child;
  if (pid === undefined) throw new Error(`${spec.command} has no process id`);
  return {
    pid,
    child,
    readLogTail: () => readFileSync(spec.logFile, 'utf8').trimEnd().split('\n').slice(-15).join('\n'),
  };
}

/** Starts a process that serves, and tells how long it took until the address answered. Throws as `waitUntilReady` does. */
export async function startServing(
  spec: ProcessSpec,
  url: string,
  timeoutMs: number,
): Promise<{ process: RunningProcess; startMs: number }> {
  const startedAt = performance.now();
  const process = await startProcess(spec);
  await waitUntilReady(process, url, timeoutMs);
  return { process, startMs: performance.now() - startedAt };
}

/** Polls until the address answers `GET path` with a 2xx. Throws with the process's own words when it ends or takes too long. */
async function waitUntilReady(process: RunningProcess, url: string, timeoutMs: number): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (Date.now() < deadline) {
    if (process.child.exitCode !== null) break;
    if (await answers(url)) return;
    await sleep(10);
  }
  const why = process.child.exitCode === null ? `no answer within ${timeoutMs} ms` : 'it ended';
  throw new Error(`${url}: ${why}\n${process.readLogTail()}`);
}

async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(1_000) });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    // Not listening yet: that is what is being waited for.
    return false;
  }
}

/** Full path of a command, or undefined where it is not installed. */
export function findCommand(name: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), ...SYSTEM_FOLDERS];
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

function isExecutable(path: string): boolean {
  if (!existsSync(path)) return false;
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** A TCP port that nothing listens on at the moment. */
export async function findFreePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no free TCP port');
  return address.port;
}
