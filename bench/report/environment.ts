import { spawnSync } from 'node:child_process';
import { cpus, loadavg, release, totalmem } from 'node:os';
import type { CpuPlan } from '../measure/cpus.ts';

/** What a reader needs to know to judge the figures. */
export interface Environment {
  cpu: string;
  cpuCount: number;
  memoryGb: number;
  kernel: string;
  node: string;
  /** Commit of the checkout, with `+` where files are changed; undefined outside one. */
  commit: string | undefined;
  /** Load of the machine before the run: above zero, others were using it. */
  loadAverage: number;
  cpus: CpuPlan;
  subjects: { name: string; version: string }[];
}

/** Of the machine at the moment: processes that run or want to, over the last minute. */
export function readLoad(): number {
  return loadavg()[0] ?? Number.NaN;
}

export function describeEnvironment(
  plan: CpuPlan,
  subjects: Environment['subjects'],
  loadAverage: number,
): Environment {
  return {
    cpu: `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown CPU'}`,
    cpuCount: cpus().length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.versions.node,
    commit: readCommit(),
    loadAverage,
    cpus: plan,
    subjects,
  };
}

function readCommit(): string | undefined {
  const described = spawnSync('git', ['describe', '--always', '--dirty=+'], {
    cwd: import.meta.dirname,
    encoding: 'utf8',
  });
  return described.status === 0 ? described.stdout.trim() : undefined;
}
