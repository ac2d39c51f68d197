import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { after } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const LAUNCHER = fileURLToPath(new URL('../../bin/fairlead.js', import.meta.url));

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
  /** Where it listens; rejects where it ends before it does. */
  url: Promise<string>;
  output(): string;
  /** `kill -9`; resolves when it is gone. */
  kill(): Promise<void>;
  /** SIGTERM; resolves with the exit code. */
  stop(): Promise<number | null>;
}

export function spawnGateway(env: Record<string, string>): GatewayProcess {
  const child = spawn(process.execPath, [LAUNCHER, 'start'], {
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
  };
}
