import { readFileSync } from 'node:fs';
import { findCommand } from '../processes.ts';

/** Which CPUs run what, in `taskset --cpu-list` notation; `undefined` leaves it to the scheduler. */
export interface CpuPlan {
  gateway: string | undefined;
  traffic: string | undefined;
  /** Two, for a gateway that runs on several: of a machine that has no more, the second is that of upstream and load, too. */
  pair: string | undefined;
  /** One line for the report. */
  description: string;
}

/** Reads a kernel CPU list such as `0-3,8,10-11`. */
export function parseCpuList(list: string): number[] {
  const cpus: number[] = [];
  for (const range of list.trim().split(',')) {
    const [first, last = first] = range.split('-').map(Number);
    if (first === undefined || last === undefined || Number.isNaN(first + last)) {
      throw new Error(`not a CPU list: ${list}`);
    }
    for (let cpu = first; cpu <= last; cpu++) cpus.push(cpu);
  }
  return cpus;
}

/** The gateway gets the first CPU for itself; upstream and load share all others. */
export function planCpus(allowed: readonly number[], canPin: boolean): CpuPlan {
  const [gateway, ...traffic] = allowed;
  if (!canPin) return unpinned('not pinned: taskset is missing (apt-get install util-linux)');
  if (gateway === undefined || traffic.length === 0) return unpinned('not pinned: only one CPU is there');
  return {
    gateway: String(gateway),
    traffic: traffic.join(','),
    pair: `${gateway},${traffic[0]}`,
    description: `gateway on CPU ${gateway}; upstream and load on CPU ${traffic.join(',')}`,
  };
}

/** The plan for this machine, from the CPUs this process may use. */
export function planCpusHere(): CpuPlan {
  const status = readFileSync('/proc/self/status', 'utf8');
  const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(status)?.[1];
  if (list === undefined) throw new Error('/proc/self/status has no Cpus_allowed_list');
  return planCpus(parseCpuList(list), findCommand('taskset') !== undefined);
}

function unpinned(description: string): CpuPlan {
  return { gateway: undefined, traffic: undefined, pair: undefined, description };
}
