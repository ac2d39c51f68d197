import { setTimeout as sleep } from 'node:timers/promises';
import type { Scenario } from '../scenarios.ts';
import { describeCalls } from './call-spec.ts';
import { pick } from './closed-loop.ts';
import { type Connection, openConnection } from './connection.ts';
import type { HoldJob } from './protocol.ts';

/** How many are begun at once, so that no queue of connections overflows. */
const AT_ONCE = 50;

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
      for (let opened = 0; opened < AT_ONCE && begun < job.streams; opened++, begun++) {
        openConnection(pick(specs, begun), listener);
      }
      await Promise.race([failed, sleep(10)]);
    }
  } finally {
    clearTimeout(timer);
  }
}

export function releaseStreams(): void {
  for (const connection of held.splice(0)) connection.close();
}
