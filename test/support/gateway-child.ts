import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import type { UsageRecord } from '../../src/usage/record.ts';
import { ADMIN_KEY } from './gateway.ts';

const LAUNCHER = fileURLToPath(new URL('../../bin/fairlead.js', import.meta.url));

/** A gateway in a process of its own. */
export interface GatewayProcess {
  url: string;
  output(): string;
  /** All usage records, newest first. */
  calls(): Promise<UsageRecord[]>;
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Ends it and removes its data. */
  close(): Promise<void>;
}

/** `data`: the directory of an earlier one whose data it goes on with. */
export async function startGatewayProcess(
  config: object,
  data?: string,
): Promise<GatewayProcess & { data: string }> {
  const folder = data ?? (await mkdtemp(join(tmpdir(), 'fairlead-')));
  await writeFile(join(folder, 'fairlead.yaml'), stringify(config));
  const child: ChildProcess = spawn(process.execPath, [LAUNCHER, 'start'], {
    env: {
      PATH: process.env['PATH'],
      PORT: '0',
      FAIRLEAD_DATA: folder,
      FAIRLEAD_CONFIG: join(folder, 'fairlead.yaml'),
      FAIRLEAD_ADMIN_KEY: ADMIN_KEY,
    },
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  // A test that fails or runs out of time closes nothing.
  process.on('exit', () => child.kill('SIGKILL'));
  let output = '';
  child.stdout?.on('data', (chunk) => (output += chunk));
  child.stderr?.on('data', (chunk) => (output += chunk));
  const exit = once(child, 'exit');
  let url: string | undefined;
  while (url === undefined && child.exitCode === null) {
    await sleep(20);
    url = /"url":"([^"]+)"/.exec(output)?.[1];
  }
  if (url === undefined) throw new Error(`a gateway did not start: ${output}`);
  const kill = async (signal: NodeJS.Signals) => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    await exit;
  };
  const origin = url;
  return {
    url: origin,
    data: folder,
    output: () => output,
    calls: async () => {
      const response = await fetch(`${origin}/admin/v1/calls?limit=1000`, {
        headers: { authorization: `Bearer ${ADMIN_KEY}` },
      });
      return ((await response.json()) as { data: UsageRecord[] }).data;
    },
    kill,
    close: async () => {
      await kill('SIGTERM');
      await rm(folder, { recursive: true, force: true });
    },
  };
}
