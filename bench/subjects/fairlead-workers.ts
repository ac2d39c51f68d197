import { findCommand, findFreePort, startProcess } from '../processes.ts';
import { oneTenant, readVersion, startFairlead } from './fairlead.ts';
import type { RunningSubject, Site, Subject } from './subject.ts';

/** The gateway as one process and as two workers, on the same two cores, both with their limits in a Redis. */
export const fairleadOneWorker = withWorkers(1);
export const fairleadTwoWorkers = withWorkers(2);

function withWorkers(workers: number): Subject {
  return {
    name: `fairlead-workers-${workers}`,
    scenarios: ['workers'],
    findMissing: () =>
      findCommand('redis-server') === undefined
        ? 'redis-server is not installed (apt-get install redis-server)'
        : undefined,
    start: (site) => start(site, workers),
  };
}

async function start(site: Site, workers: number): Promise<RunningSubject> {
  const redisPort = await findFreePort();
  await startProcess({
    command: findCommand('redis-server') ?? 'redis-server',
    args: ['--port', String(redisPort), '--bind', '127.0.0.1', '--save', '', '--dir', site.directory],
    cpus: site.trafficCpus,
    logFile: `${site.directory}/redis.log`,
  });
  const { process, port, startMs } = await startFairlead(
    { ...site, cpus: site.pairOfCpus },
    oneTenant(site),
    {
      server: { workers },
      state: `redis://127.0.0.1:${redisPort}/0`,
    },
  );
  return { port, pid: process.pid, version: readVersion(), startMs };
}
