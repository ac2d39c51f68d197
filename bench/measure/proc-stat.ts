import { readdirSync, readFileSync } from 'node:fs';

/**
 * CPU time from the operating system's own accounting: `utime` and `stime` of `/proc/PID/stat` (proc_pid_stat(5)),
 * which cover all threads of a process, those that have ended included.
 */
export interface ProcessStat {
  pid: number;
  parentPid: number;
  userTicks: number;
  systemTicks: number;
}

/** CPU time in microseconds. */
export interface CpuTime {
  userUs: number;
  systemUs: number;
}

/** Linux shows `/proc` times in USER_HZ, which is 100 on every architecture that Node runs on. */
export const TICK_US = 10_000;

/** Reads one line of `/proc/PID/stat`. Throws when it is not one. */
export function parseProcessStat(line: string): ProcessStat {
  // The second field is the command in parentheses and may itself hold spaces and parentheses.
  const commandEnd = line.lastIndexOf(')');
  const rest = line.slice(commandEnd + 2).split(' ');
  const stat = {
    pid: Number.parseInt(line, 10),
    parentPid: Number(rest[1]),
    userTicks: Number(rest[11]),
    systemTicks: Number(rest[12]),
  };
  if (commandEnd === -1 || Object.values(stat).some(Number.isNaN)) {
    throw new Error(`not a /proc/PID/stat line: ${line.slice(0, 80)}`);
  }
  return stat;
}

/** The process and everything that descends from it: nginx works in a child, npm and launchers start one. */
export function selectProcessTree(all: readonly ProcessStat[], rootPid: number): ProcessStat[] {
  const childrenOf = Map.groupBy(all, (stat) => stat.parentPid);
  const tree = all.filter((stat) => stat.pid === rootPid);
  // `tree` grows while it is walked.
  for (const stat of tree) tree.push(...(childrenOf.get(stat.pid) ?? []));
  return tree;
}

export function sumCpuTime(stats: readonly ProcessStat[]): CpuTime {
  let userTicks = 0;
  let systemTicks = 0;
  for (const stat of stats) {
    userTicks += stat.userTicks;
    systemTicks += stat.systemTicks;
  }
  return { userUs: userTicks * TICK_US, systemUs: systemTicks * TICK_US };
}

/** A running process and its descendants. Throws when it is gone. */
export function readTree(rootPid: number): ProcessStat[] {
  const tree = selectProcessTree(readAllProcessStats(), rootPid);
  if (tree.length === 0) throw new Error(`process ${rootPid} is gone`);
  return tree;
}

/** CPU time used so far by a running process and its descendants. Throws when it is gone. */
export function readTreeCpuTime(rootPid: number): CpuTime {
  return sumCpuTime(readTree(rootPid));
}

export function subtractCpuTime(after: CpuTime, before: CpuTime): CpuTime {
  return { userUs: after.userUs - before.userUs, systemUs: after.systemUs - before.systemUs };
}

export function totalUs(time: CpuTime): number {
  return time.userUs + time.systemUs;
}

function readAllProcessStats(): ProcessStat[] {
  const stats: ProcessStat[] = [];
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const line = readUnlessGone(`/proc/${entry}/stat`);
    if (line !== undefined) stats.push(parseProcessStat(line));
  }
  return stats;
}

/** A process may end between the listing and the reading; every other failure is one. */
function readUnlessGone(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ESRCH') return undefined;
    throw error;
  }
}
