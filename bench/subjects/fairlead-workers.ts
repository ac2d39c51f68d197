import { oneTenant, readVersion, startFairlead } from './fairlead.ts';
import { findMissingRedis, startRedis } from './redis.ts';
import type { Subject } from './subject.ts';

/** The gateway as one process and as two workers, on the same two cores, both with their limits in a Redis. */
export const fairleadOneWorker = withWorkers(1);
export const fairleadTwoWorkers = withWorkers(2);

function withWorkers(workers: number): Subject {
  return {
    name: `fairlead-workers-${workers}`,
    findMissing: findMissingRedis,
    async start(site) {
      const { url: state } = await startRedis(site);
      const more = { server: { workers }, state };
      const started = await startFairlead({ ...site, cpus: site.pairOfCpus }, oneTenant(site), more);
      return { ...started, version: readVersion() };
    },
  };
}
