import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type CpuTime, readTreeCpuTime } from '../measure/proc-stat.ts';
import { type RunningProcess, startProcess } from '../processes.ts';
import type { CpuScenario, FreshScenario, LatencyScenario, Scenario } from '../scenarios.ts';
import type { RunningSubject } from '../subjects/subject.ts';
import type {
  CallsResult,
  CallTarget,
  LoadJob,
  LoadOutcome,
  PacedResult,
  UpstreamReady,
} from './protocol.ts';

/** The secret that all calls carry. */
export const BENCH_KEY = 'sk-fl-bench-0123456789abcdef0123456789abcdef';

const CALLS_TIMEOUT_MS = 120_000;

/** What of a subject says how it is called. */
export type Called = Pick<
  RunningSubject,
  'port' | 'apiKeys' | 'prompt' | 'headersFor' | 'modelFor' | 'rewritesAnswers'
>;

/** The two processes at either end of what is measured. Each throws when an answer was not the expected one or did not come. */
export interface Traffic {
  upstreamPort: number;
  /** Makes so many calls, as fast as they are answered. */
  call(scenario: CpuScenario, subject: Called, calls: number): Promise<CallsResult>;
  /** Makes calls at set times. */
  pace(scenario: LatencyScenario, subject: Called, seconds: number): Promise<PacedResult>;
  /** Opens streams until so many are open. */
  hold(scenario: FreshScenario, subject: Called, streams: number): Promise<void>;
  /** Closes what is held. */
  release(): Promise<void>;
  readCpuTimes(): { upstream: CpuTime; load: CpuTime };
}

/** Starts upstream and load, each a process of its own. */
export async function startTraffic(directory: string, cpus: string | undefined): Promise<Traffic> {
  const upstream = await startEnd('upstream', directory, cpus);
  const { port: upstreamPort } = await receive<UpstreamReady>(upstream);
  const load = await startEnd('load', directory, cpus);
  const run = async (job: LoadJob): Promise<LoadOutcome> => {
    load.child.send(job);
    const outcome = await receive<LoadOutcome>(load);
    if (outcome.kind === 'failed') throw new Error(outcome.reason);
    return outcome;
  };
  return {
    upstreamPort,
    async call(scenario, subject, calls) {
      const { connections } = scenario;
      const outcome = await run({
        kind: 'calls',
        ...describeTarget(scenario, subject),
        connections,
        calls,
      });
      if (outcome.kind !== 'called') throw new Error(`calls were answered with ${outcome.kind}`);
      return outcome.result;
    },
    async pace(scenario, subject, seconds) {
      const { callsPerSecond, until } = scenario;
      const calls = Math.ceil(callsPerSecond * seconds);
      const outcome = await run({
        kind: 'paced',
        ...describeTarget(scenario, subject),
        callsPerSecond,
        calls,
        until,
      });
      if (outcome.kind !== 'timed') throw new Error(`calls were answered with ${outcome.kind}`);
      return outcome.result;
    },
    hold: async (scenario, subject, streams) =>
      void (await run({ kind: 'hold', ...describeTarget(scenario, subject), streams })),
    release: async () => void (await run({ kind: 'release' })),
    readCpuTimes: () => ({ upstream: readTreeCpuTime(upstream.pid), load: readTreeCpuTime(load.pid) }),
  };
}

function describeTarget(
  scenario: Scenario,
  { port, apiKeys = [BENCH_KEY], prompt, headersFor, modelFor, rewritesAnswers }: Called,
): CallTarget {
  return {
    scenario: scenario.name,
    port,
    apiKeys,
    prompt,
    model: modelFor?.(scenario),
    isRewritten: rewritesAnswers === true || scenario.translated === true,
    headers: headersFor?.(scenario) ?? [],
    timeoutMs: CALLS_TIMEOUT_MS,
  };
}

function startEnd(
  name: 'upstream' | 'load',
  directory: string,
  cpus: string | undefined,
): Promise<RunningProcess> {
  return startProcess({
    command: process.execPath,
    args: [fileURLToPath(new URL(`./${name}.ts`, import.meta.url))],
    cpus,
    logFile: join(directory, `${name}.log`),
    channel: true,
  });
}

/** The next message of one of the two, whose sender is the sibling file. Throws when the process ends instead. */
export async function receive<Message>({ child, readLogTail }: RunningProcess): Promise<Message> {
  const gone = new AbortController();
  const fail = () => gone.abort(new Error(`the process ended:\n${readLogTail()}`));
  child.once('exit', fail);
  try {
    const [message] = await once(child, 'message', { signal: gone.signal });
    return message as Message;
  } catch (error) {
    throw gone.signal.aborted ? gone.signal.reason : error;
  } finally {
    child.off('exit', fail);
  }
}
