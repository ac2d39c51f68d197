import { performance } from 'node:perf_hooks';
import type { Scenario } from '../scenarios.ts';
import { describeCalls } from './call-spec.ts';
import { type Connection, openConnection } from './connection.ts';
import type { CallsJob, CallsResult } from './protocol.ts';

/** Makes the calls of a job, as many at once as it has connections. Rejects at the first answer that is not the expected one. */
export async function runCalls(scenario: Scenario, job: CallsJob): Promise<CallsResult> {
  const specs = describeCalls(scenario, job);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let started = 0;
  let answered = 0;
  let reads = 0;
  const takeTurn = (connection: Connection): void => {
    if (started++ < job.calls) connection.send();
  };
  const listener = {
    onConnected: takeTurn,
    onRead: () => {
      reads++;
    },
    onAnswer: (connection: Connection) => {
      answered++;
      if (answered === job.calls) resolve();
      takeTurn(connection);
    },
    onFailure: reject,
  };

  const expire = () => reject(new Error(`${answered} of ${job.calls} calls answered in ${job.timeoutMs} ms`));
  const timer = setTimeout(expire, job.timeoutMs);
  const startedAt = performance.now();
  const connections = Array.from({ length: job.connections }, (_, index) =>
    openConnection(pick(specs, index), listener),
  );
  try {
    await promise;
    const wallMs = performance.now() - startedAt;
    return { calls: answered, wallMs, reads };
  } finally {
    clearTimeout(timer);
    for (const connection of connections) connection.close();
  }
}

/** By turns. */
export function pick<T>(list: readonly T[], index: number): T {
  const item = list[index % list.length];
  if (item === undefined) throw new Error('a list of nothing has no turns');
  return item;
}
