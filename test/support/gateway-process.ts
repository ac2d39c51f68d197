import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'yaml';
import type { UsageRecord } from '../../src/usage/record.ts';
import { placeEmptyStore } from './empty-store.ts';
import { ADMIN_KEY } from './gateway.ts';
import { LAUNCHER } from './launcher.ts';

const running = new Set<ChildProcess>();
after(() => {
  for (const child of running) killGroup(child);
});

function killGroup({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** A gateway in a process of its own, which a test may kill. */
export interface GatewayProcess {
  pid: number;
  /** Where it listens; rejects where it ends before it does. */
  url: Promise<string>;
  output(): string;
  /** `kill -9`; resolves when it is gone. */
  kill(): Promise<void>;
  /** SIGTERM; resolves with the exit code. */
  stop(): Promise<number | null>;
  /** To the process that was started alone, not to those that it started. */
  signal(name: NodeJS.Signals): void;
  exit: Promise<number | null>;
}

/** `cwd`: where it looks for a config file; here where absent. */
export function spawnGateway(env: Record<string, string>, cwd?: string): GatewayProcess {
  const child = spawn(process.execPath, [LAUNCHER, 'start'], {
    cwd,
    env: { PATH: process.env['PATH'], PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  running.add(child);
  let output = '';
  child.stdout.on('data', (chunk) => (output += chunk));
  child.stderr.on('data', (chunk) => (output += chunk));
  const exit = once(child, 'exit').then(([code]) => {
    running.delete(child);
    return code as number | null;
  });
  const readUrl = async () => {
    while (child.exitCode === null && child.signalCode === null) {
      const url = /"url":"([^"]+)"/.exec(output)?.[1];
      if (url !== undefined) return url;
      await sleep(10);
    }
    throw new Error(`the gateway did not start: ${output}`);
  };
  const url = readUrl();
  // Whoever kills a gateway that is starting does not ask where it listens.
  url.catch(() => undefined);
  return {
    pid: child.pid ?? 0,
    url,
    output: () => output,
    kill: async () => {
      killGroup(child);
      await exit;
    },
    stop: () => {
      child.kill('SIGTERM');
      return exit;
    },
    signal: (name) => void child.kill(name),
    exit,
  };
}

/** A gateway in a process of its own that listens, with a folder for its config file and its data. */
export interface StartedGateway {
  url: string;
  data: string;
  /** All usage records, newest first. */
  calls(): Promise<UsageRecord[]>;
  /** Ends it; its data stays. */
  stop(): Promise<void>;
  /** Ends it and removes its data. */
  close(): Promise<void>;
}

/** `data`: the folder of an earlier one whose data it goes on with. */
export async function startGatewayProcess(config: object, data?: string): Promise<StartedGateway> {
  const folder = data ?? (await mkdtemp(join(tmpdir(), 'fairlead-')));
  const configFile = join(folder, 'fairlead.yaml');
  await writeFile(configFile, stringify(config));
  await placeEmptyStore(join(folder, 'fairlead.db'));
  const env = { FAIRLEAD_DATA: folder, FAIRLEAD_CONFIG: configFile, FAIRLEAD_ADMIN_KEY: ADMIN_KEY };
  const gateway = spawnGateway(env, folder);
  const url = await gateway.url;
  const stop = async () => {
    await gateway.stop();
  };
  return {
    url,
    data: folder,
    calls: async () => {
      const response = await fetch(`${url}/admin/v1/calls?limit=1000`, {
        headers: { authorization: `Bearer ${ADMIN_KEY}` },
      });
      return ((await response.json()) as { data: UsageRecord[] }).data;
    },
    stop,
    close: async () => {
      await stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
