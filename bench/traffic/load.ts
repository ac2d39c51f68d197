/** The bench's load generator, a process of its own: does the jobs that it is sent, one at a time, and checks every answer. */
import { SCENARIOS, type Scenario } from '../scenarios.ts';
import { runCalls } from './closed-loop.ts';
import { holdStreams, releaseStreams } from './held-streams.ts';
import { runPaced } from './open-loop.ts';
import type { LoadJob, LoadOutcome } from './protocol.ts';

async function runJob(job: LoadJob): Promise<LoadOutcome> {
  switch (job.kind) {
    case 'calls':
      return { kind: 'called', result: await runCalls(findScenario(job.scenario), job) };
    case 'paced':
      return { kind: 'timed', result: await runPaced(findScenario(job.scenario), job) };
    case 'hold':
      await holdStreams(findScenario(job.scenario), job);
      return { kind: 'done' };
    case 'release':
      releaseStreams();
      return { kind: 'done' };
  }
}

function findScenario(name: string): Scenario {
  const scenario = SCENARIOS.find((each) => each.name === name);
  if (scenario === undefined) throw new Error(`no scenario ${name}`);
  return scenario;
}

async function reportJob(job: LoadJob): Promise<LoadOutcome> {
  try {
    return await runJob(job);
  } catch (error) {
    return { kind: 'failed', reason: error instanceof Error ? error.message : String(error) };
  }
}

process.on('message', async (job: LoadJob) => {
  process.send?.(await reportJob(job));
});
// The bench going away, however it does, ends this process.
process.on('disconnect', () => process.exit(0));
