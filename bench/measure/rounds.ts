import { setTimeout as sleep } from 'node:timers/promises';
import { type CpuScenario, unitsPerCall } from '../scenarios.ts';
import type { RunningSubject, Subject } from '../subjects/subject.ts';
import type { CallsResult } from '../traffic/protocol.ts';
import type { Traffic } from '../traffic/start.ts';
import {
  type CpuTime,
  type ProcessStat,
  readTree,
  subtractCpuTime,
  sumCpuTime,
  TICK_US,
  totalUs,
} from './proc-stat.ts';
import { cpuUsPerUnit, type Ratio, type Round, type ScenarioResult, type SubjectResult } from './results.ts';
import { summariseRatios } from './statistics.ts';
import { type Entrant, type TurnPlan, takeTurns } from './turns.ts';

/** How long a subject is watched after a round for work that it put off, and how little of it counts as rest. */
const REST_POLL_MS = 150;
const REST_LIMIT_MS = 3_000;

/** A process of a subject that did less than this share of its work waited for the others: nginx's master, a primary. */
const WORKED = 0.02;

/** Measures what calls or chunks of one scenario cost. */
export async function measureScenario(
  scenario: CpuScenario,
  entrants: readonly Entrant[],
  traffic: Traffic,
  { calls, ...plan }: TurnPlan & { calls: number },
): Promise<ScenarioResult> {
  const subjects = await takeTurns(entrants, plan, (subject, running) =>
    measureRound(scenario, running, traffic, Math.ceil(calls * shareOf(subject, scenario))),
  );
  const { name, title, per } = scenario;
  return { scenario: name, title, per, subjects, ratios: compareSubjects(subjects) };
}

function shareOf({ shareOfCalls }: Subject, { per }: CpuScenario): number {
  return shareOfCalls?.[per] ?? 1;
}

/** What a subject had used at some moment. */
interface Used {
  processes: ProcessStat[];
  allocatedBytes: number | undefined;
}

async function measureRound(
  scenario: CpuScenario,
  subject: RunningSubject,
  traffic: Traffic,
  calls: number,
): Promise<Round> {
  const { process } = subject;
  const readUsed = async (processes: ProcessStat[]): Promise<Used> => ({
    processes,
    allocatedBytes: await subject.readAllocatedBytes?.(),
  });
  const before = process && (await readUsed(readTree(process.pid)));
  const ends = traffic.readCpuTimes();
  const load = await traffic.call(scenario, subject, calls);
  const endsAfter = traffic.readCpuTimes();
  const after = process && (await readUsed(await readTreeAtRest(process.pid)));
  return describeRound(scenario, load, before && after && { before, after }, {
    upstream: subtractCpuTime(endsAfter.upstream, ends.upstream),
    load: subtractCpuTime(endsAfter.load, ends.load),
  });
}

/**
 * A subject's processes once they have come to rest: what they leave for after the answer (records to write, memory to
 * collect) belongs to the calls as much as what they do before.
 */
async function readTreeAtRest(pid: number): Promise<ProcessStat[]> {
  const deadline = Date.now() + REST_LIMIT_MS;
  let last = readTree(pid);
  while (Date.now() < deadline) {
    await sleep(REST_POLL_MS);
    const now = readTree(pid);
    if (totalUs(sumCpuTime(now)) - totalUs(sumCpuTime(last)) <= TICK_US) return now;
    last = now;
  }
  return last;
}

function describeRound(
  scenario: CpuScenario,
  load: CallsResult,
  used: { before: Used; after: Used } | undefined,
  ends: { upstream: CpuTime; load: CpuTime },
): Round {
  const units = load.calls * unitsPerCall(scenario);
  const wallUs = load.wallMs * 1_000;
  const spent = used && subtractCpuTime(sumCpuTime(used.after.processes), sumCpuTime(used.before.processes));
  const allocated =
    used?.after.allocatedBytes !== undefined && used.before.allocatedBytes !== undefined
      ? used.after.allocatedBytes - used.before.allocatedBytes
      : undefined;
  return {
    calls: load.calls,
    units,
    wallMs: load.wallMs,
    readsPerUnit: load.reads / units,
    userUsPerUnit: spent && spent.userUs / units,
    systemUsPerUnit: spent && spent.systemUs / units,
    allocatedBytesPerUnit: allocated && allocated / units,
    shares: used ? shareWork(used.before.processes, used.after.processes) : [],
    busy: {
      subject: spent && totalUs(spent) / wallUs,
      upstream: totalUs(ends.upstream) / wallUs,
      load: totalUs(ends.load) / wallUs,
    },
  };
}

/** Each process's share of what all of them spent, of those that worked, most first. */
export function shareWork(before: readonly ProcessStat[], after: readonly ProcessStat[]): number[] {
  const earlier = new Map(before.map((stat) => [stat.pid, totalUs(sumCpuTime([stat]))]));
  const spent = after.map((stat) => totalUs(sumCpuTime([stat])) - (earlier.get(stat.pid) ?? 0));
  const all = spent.reduce((sum, us) => sum + us, 0);
  return spent
    .map((us) => us / all)
    .filter((share) => share >= WORKED)
    .toSorted((a, b) => b - a);
}

/** Every subject with figures against every other. */
function compareSubjects(subjects: readonly SubjectResult[]): Ratio[] {
  const series = new Map<string, number[]>();
  for (const { subject, rounds } of subjects) {
    const costs = rounds.map(cpuUsPerUnit).filter((cost) => cost !== undefined);
    if (costs.length > 0) series.set(subject, costs);
  }
  const ratios: Ratio[] = [];
  for (const [subject, ours] of series) {
    for (const [against, theirs] of series) {
      if (subject !== against) ratios.push({ subject, against, spread: summariseRatios(ours, theirs) });
    }
  }
  return ratios;
}
