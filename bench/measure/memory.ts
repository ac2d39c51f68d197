import { readFileSync } from 'node:fs';
import { readTree } from './proc-stat.ts';

/**
 * Memory that a process and its descendants hold, in MB: `Pss` of `/proc/PID/smaps_rollup` (proc_pid_smaps(5)), which
 * counts a page that several share in parts. What the kernel holds for sockets is in no process. Throws when it is gone.
 */
export function readTreeMemoryMb(rootPid: number): number {
  const sizesKb = readTree(rootPid).map(({ pid }) =>
    parsePssKb(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')),
  );
  return sizesKb.reduce((sum, kb) => sum + kb, 0) / 1_024;
}

/** The `Pss:` line. Throws when there is none. */
export function parsePssKb(rollup: string): number {
  const size = /^Pss:\s+(\d+) kB$/m.exec(rollup)?.[1];
  if (size === undefined) throw new Error(`no Pss in ${rollup.slice(0, 200)}`);
  return Number(size);
}
