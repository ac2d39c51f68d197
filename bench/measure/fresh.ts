import { setTimeout as sleep } from 'node:timers/promises';
import { stopProcess } from '../processes.ts';
import type { FreshScenario } from '../scenarios.ts';
import type { RunningSubject, Subject } from '../subjects/subject.ts';
import type { Traffic } from '../traffic/start.ts';
import { readTreeMemoryMb } from './memory.ts';
import type { FreshResult, FreshSubject, OpenStreams } from './results.ts';
import type { TurnPlan } from './turns.ts';

/** How long a process is left alone before its memory is read: after its start, and with its streams open. */
const SETTLES_MS = 3_000;

export interface FreshPlan extends Pick<TurnPlan, 'onProgress'> {
  starts: number;
  openStreams: readonly number[];
  start(subject: Subject): Promise<RunningSubject>;
}

/** Starts processes that nothing has been asked of yet. The first start of each does not count: some make their files then. */
export async function measureFresh(
  scenario: FreshScenario,
  subjects: readonly Subject[],
  traffic: Traffic,
  plan: FreshPlan,
): Promise<FreshResult> {
  const results: FreshSubject[] = [];
  for (const subject of subjects) {
    const result: FreshSubject = {
      subject: subject.name,
      startsMs: [],
      idleMb: undefined,
      open: [],
      failure: subject.findMissing?.(),
    };
    results.push(result);
    if (result.failure !== undefined) continue;
    plan.onProgress(`${scenario.name}  ${subject.name}`);
    try {
      await measureSubject(scenario, subject, traffic, plan, result);
    } catch (error) {
      result.failure = error instanceof Error ? error.message : String(error);
    }
  }
  return { scenario: scenario.name, title: scenario.title, subjects: results };
}

async function measureSubject(
  scenario: FreshScenario,
  subject: Subject,
  traffic: Traffic,
  plan: FreshPlan,
  result: FreshSubject,
): Promise<void> {
  for (let start = 0; start < plan.starts; start++) {
    const { process, startMs } = await plan.start(subject);
    if (process !== undefined) await stopProcess(process);
    if (start > 0 && startMs !== undefined) result.startsMs.push(startMs);
  }
  const running = await plan.start(subject);
  const { process, startMs } = running;
  if (process === undefined || startMs === undefined) throw new Error('it is no process');
  result.startsMs.push(startMs);
  try {
    await sleep(SETTLES_MS);
    const idleMb = readTreeMemoryMb(process.pid);
    result.idleMb = idleMb;
    for (const streams of plan.openStreams) {
      await traffic.hold(scenario, running, streams);
      await sleep(SETTLES_MS);
      result.open.push(describeOpen(streams, readTreeMemoryMb(process.pid), idleMb));
    }
  } finally {
    await traffic.release();
    await stopProcess(process);
  }
}

function describeOpen(streams: number, memoryMb: number, idleMb: number): OpenStreams {
  return { streams, memoryMb, kbPerStream: ((memoryMb - idleMb) * 1_024) / streams };
}
