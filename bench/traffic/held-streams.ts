import { setTimeout as sleep } from 'node:timers/promises';
import type { Scenario } from '../scenarios.ts';
import { describeCalls } from './call-spec.ts';
import { pick } from './closed-loop.ts';
import { type Connection, openConnection } from './connection.ts';
import type { HoldJob } from './protocol.ts';

/** How many may be begun and not open yet, so that no queue of connections overflows, however slow the subject is. */
const AT_ONCE = 100;

const held: Connection[] = [];

/** Resolves when as many streams are open as the job says, each with its first bytes. Rejects where one fails or ends. */
export async function holdStreams(scenario: Scenario, job: HoldJob): Promise<void> {
  const specs = describeCalls(scenario, job);
  const { promise: failed, reject } = Promise.withResolvers<void>();
  let begun = held.length;
  const listener = {
    onConnected: (connection: Connection) => connection.send(),
    onFirstBytes: (connection: Connection) => void held.push(connection),
    onAnswer: () => reject(new Error('a stream ended that was to stay open')),
    onFailure: reject,
  };
  const expire = () =>
    reject(new Error(`${held.length} of ${job.streams} streams open in ${job.timeoutMs} ms`));
  const timer = setTimeout(expire, job.timeoutMs);
  try {
    while (held.length < job.streams) {
      for (; begun < job.streams && begun - held.length < AT_ONCE; begun++) {
        openConnection(pick(specs, begun), listener);
      }
      await Promise.race([failed, sleep(5)]);
    }
  } finally {
    clearTimeout(timer);
  }
}

export function releaseStreams(): void {
  for (const connection of held.splice(0)) connection.close();
}
