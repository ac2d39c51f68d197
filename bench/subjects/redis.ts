import { findCommand, findFreePort, type RunningProcess, startProcess } from '../processes.ts';
import type { Site } from './subject.ts';

/** What a user has to do to have a Redis. */
export function findMissingRedis(): string | undefined {
  return findCommand('redis-server') === undefined
    ? 'redis-server is not installed (apt-get install redis-server)'
    : undefined;
}

/** Starts a Redis for the limits of a subject, on the CPUs of upstream and load: what it uses is not the subject's. */
export async function startRedis({
  directory,
  trafficCpus,
}: Pick<Site, 'directory' | 'trafficCpus'>): Promise<{ url: string; process: RunningProcess }> {
  const port = await findFreePort();
  const process = await startProcess({
    command: findCommand('redis-server') ?? 'redis-server',
    args: ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', directory],
    cpus: trafficCpus,
    logFile: `${directory}/redis.log`,
  });
  return { url: `redis://127.0.0.1:${port}/0`, process };
}
