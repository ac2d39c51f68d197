import { performance } from 'node:perf_hooks';
import type { Scenario } from '../scenarios.ts';
import { describeCalls } from './call-spec.ts';
import { pick } from './closed-loop.ts';
import { type Connection, openConnection } from './connection.ts';
import type { PacedJob, PacedResult } from './protocol.ts';

/** Connections that are open before the first call, and how many there may be: calls that find none free wait, and their time runs. */
const FIRST_CONNECTIONS = 32;
const MOST_CONNECTIONS = 512;

/**
 * Begins calls at times that are set beforehand, and takes their time from then on. A subject that stands still for a
 * while so delays all calls that were to begin meanwhile, and not the one alone that was under way (what is called
 * coordinated omission). Rejects at the first answer that is not the expected one.
 */
export async function runPaced(scenario: Scenario, job: PacedJob): Promise<PacedResult> {
  const specs = describeCalls(scenario, job);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const free: Connection[] = [];
  const all: Connection[] = [];
  /** When the call that a connection makes was to begin. */
  const dueAt = new Map<Connection, number>();
  const waiting: number[] = [];
  const latenciesMs: number[] = [];
  const lateMs: number[] = [];
  let answered = 0;

  const begin = (connection: Connection, due: number): void => {
    dueAt.set(connection, due);
    connection.send();
  };
  const takeTime = (connection: Connection): void => {
    latenciesMs.push(performance.now() - (dueAt.get(connection) ?? Number.NaN));
  };
  const takeNext = (connection: Connection): void => {
    const due = waiting.shift();
    if (due === undefined) free.push(connection);
    else begin(connection, due);
  };
  const listener = {
    onConnected: takeNext,
    ...(job.until === 'first token' && { onFirstBytes: takeTime }),
    onAnswer: (connection: Connection) => {
      if (job.until === 'whole answer') takeTime(connection);
      answered++;
      if (answered === job.calls) resolve();
      else takeNext(connection);
    },
    onFailure: reject,
  };
  const connect = () => void all.push(openConnection(pick(specs, all.length), listener));

  const expire = () => reject(new Error(`${answered} of ${job.calls} calls answered in ${job.timeoutMs} ms`));
  const timer = setTimeout(expire, job.timeoutMs);
  let clock: NodeJS.Timeout | undefined;
  try {
    for (let opened = 0; opened < FIRST_CONNECTIONS; opened++) connect();
    await allConnected(free, FIRST_CONNECTIONS, promise);
    const everyMs = 1_000 / job.callsPerSecond;
    // Timers fire on whole milliseconds of the process's clock: the first is waited for, so that the others are due as they fire.
    await new Promise((started) => setTimeout(started, 1));
    const startedAt = performance.now();
    let begun = 0;
    clock = setInterval(() => {
      const now = performance.now();
      for (; begun < job.calls; begun++) {
        const due = startedAt + Math.ceil((begun + 1) * everyMs);
        if (due > now) return;
        lateMs.push(now - due);
        const connection = free.pop();
        if (connection !== undefined) {
          begin(connection, due);
          continue;
        }
        waiting.push(due);
        if (all.length < MOST_CONNECTIONS) connect();
      }
      clearInterval(clock);
    }, 1);
    await promise;
    return { latenciesMs, lateMs };
  } finally {
    clearTimeout(timer);
    clearInterval(clock);
    for (const connection of all) connection.close();
  }
}

/** Throws what went wrong meanwhile. */
async function allConnected(
  free: readonly Connection[],
  count: number,
  failure: Promise<void>,
): Promise<void> {
  while (free.length < count) {
    await Promise.race([failure, new Promise((resolve) => setTimeout(resolve, 1))]);
  }
}
