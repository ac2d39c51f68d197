import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type CpuTime, readTreeCpuTime } from '../measure/proc-stat.ts';
import { type RunningProcess, startProcess } from '../processes.ts';
import type { Scenario } from '../scenarios.ts';
import type { RunningSubject } from '../subjects/subject.ts';
import type { LoadJob, LoadOutcome, LoadResult, UpstreamReady } from './protocol.ts';

/** The secret that all calls carry. */
export const BENCH_KEY = 'sk-fl-bench-0123456789abcdef0123456789abcdef';

const CALLS_TIMEOUT_MS = 120_000;

/** The two processes at either end of what is measured. */
export interface Traffic {
  upstreamPort: number;
  /** Makes the calls. Throws when an answer was not the expected one or did not come. */
  run(
    scenario: Scenario,
    subject: Pick<RunningSubject, 'port' | 'apiKeys' | 'prompt'>,
    calls: number,
  ): Promise<LoadResult>;
  readCpuTimes(): { upstream: CpuTime; load: CpuTime };
}

/** Starts upstream and load, each a process of its own. */
export async function startTraffic(directory: string, cpus: string | undefined): Promise<Traffic> {
  const upstream = await startEnd('upstream', directory, cpus);
  const { port: upstreamPort } = await receive<UpstreamReady>(upstream);
  const load = await startEnd('load', directory, cpus);
  return {
    upstreamPort,
    async run(scenario, { port, apiKeys = [BENCH_KEY], prompt }, calls) {
      const job: LoadJob = {
        scenario: scenario.name,
        port,
        apiKeys,
        prompt,
        calls,
        timeoutMs: CALLS_TIMEOUT_MS,
      };
      load.child.send(job);
      const outcome = await receive<LoadOutcome>(load);
      if (outcome.kind === 'failed') throw new Error(outcome.reason);
      return outcome.result;
    },
    readCpuTimes: () => ({ upstream: readTreeCpuTime(upstream.pid), load: readTreeCpuTime(load.pid) }),
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
async function receive<Message>({ child, readLogTail }: RunningProcess): Promise<Message> {
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
