import { setTimeout as sleep } from 'node:timers/promises';
import { type Scenario, unitsPerCall } from '../scenarios.ts';
import type { RunningSubject } from '../subjects/subject.ts';
import type { LoadResult } from '../traffic/protocol.ts';
import type { Traffic } from '../traffic/start.ts';
import { type CpuTime, readTreeCpuTime, subtractCpuTime, TICK_US, totalUs } from './proc-stat.ts';
import { cpuUsPerUnit, type Ratio, type Round, type ScenarioResult, type SubjectResult } from './results.ts';
import { summariseRatios } from './statistics.ts';

/** A subject that could be started, or why it could not. */
export interface Entrant {
  name: string;
  running: RunningSubject | undefined;
  failure: string | undefined;
}

export interface RoundPlan {
  warmUps: number;
  rounds: number;
  calls: number;
  onProgress(line: string): void;
}

/** How long a subject is watched after a round for work that it put off, and how little of it counts as rest. */
const REST_POLL_MS = 150;
const REST_LIMIT_MS = 3_000;

/**
 * Measures one scenario: every subject takes its turn in every round, so that whatever else the machine does meets
 * all of them. A subject that gives a wrong answer is out; the others go on.
 */
export async function measureScenario(
  scenario: Scenario,
  entrants: readonly Entrant[],
  traffic: Traffic,
  plan: RoundPlan,
): Promise<ScenarioResult> {
  const subjects: SubjectResult[] = entrants.map(({ name, failure }) => ({
    subject: name,
    rounds: [],
    failure,
  }));
  for (let round = -plan.warmUps; round < plan.rounds; round++) {
    const name = round < 0 ? 'warm-up' : `round ${round + 1}/${plan.rounds}`;
    for (const [index, { running }] of entrants.entries()) {
      const result = subjects[index];
      if (running === undefined || result === undefined || result.failure !== undefined) continue;
      plan.onProgress(`${scenario.name}  ${name}  ${result.subject}`);
      try {
        const measured = await measureRound(scenario, running, traffic, plan.calls);
        if (round >= 0) result.rounds.push(measured);
      } catch (error) {
        result.failure = error instanceof Error ? error.message : String(error);
        result.rounds = [];
      }
    }
  }
  const { name, title, per } = scenario;
  return { scenario: name, title, per, subjects, ratios: compareSubjects(subjects) };
}

async function measureRound(
  scenario: Scenario,
  subject: RunningSubject,
  traffic: Traffic,
  calls: number,
): Promise<Round> {
  const readSubject = (): CpuTime | undefined =>
    subject.pid === undefined ? undefined : readTreeCpuTime(subject.pid);
  const before = { subject: readSubject(), ...traffic.readCpuTimes() };
  const load = await traffic.run(scenario, subject, calls);
  const after = traffic.readCpuTimes();
  const subjectSpent =
    subject.pid === undefined || before.subject === undefined
      ? undefined
      : subtractCpuTime(await readCpuTimeAtRest(subject.pid), before.subject);
  return describeRound(scenario, load, {
    subject: subjectSpent,
    upstream: subtractCpuTime(after.upstream, before.upstream),
    load: subtractCpuTime(after.load, before.load),
  });
}

/**
 * CPU time of a subject once it has come to rest: what it leaves for after the answer (records to write, memory to
 * collect) belongs to the calls as much as what it does before.
 */
async function readCpuTimeAtRest(pid: number): Promise<CpuTime> {
  const deadline = Date.now() + REST_LIMIT_MS;
  let last = readTreeCpuTime(pid);
  while (Date.now() < deadline) {
    await sleep(REST_POLL_MS);
    const now = readTreeCpuTime(pid);
    if (totalUs(now) - totalUs(last) <= TICK_US) return now;
    last = now;
  }
  return last;
}

function describeRound(
  scenario: Scenario,
  load: LoadResult,
  spent: { subject: CpuTime | undefined; upstream: CpuTime; load: CpuTime },
): Round {
  const units = load.calls * unitsPerCall(scenario);
  const wallUs = load.wallMs * 1_000;
  return {
    calls: load.calls,
    units,
    wallMs: load.wallMs,
    readsPerUnit: load.reads / units,
    userUsPerUnit: spent.subject && spent.subject.userUs / units,
    systemUsPerUnit: spent.subject && spent.subject.systemUs / units,
    busy: {
      subject: spent.subject && totalUs(spent.subject) / wallUs,
      upstream: totalUs(spent.upstream) / wallUs,
      load: totalUs(spent.load) / wallUs,
    },
  };
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
