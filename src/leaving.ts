import type { Server } from 'node:http';
import { Server as NetServer } from 'node:net';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import type { OpenConnections } from './draining.ts';

/** How often it is looked whether connections are idle. */
const LOOK_MS = 20;

/** A connection over which nothing came for so long is closed: a client that reuses one sooner is told to open another. */
const IDLE_MS = 5_000;

/**
 * Gives a server's connections up without failing a request: no new ones are taken (another process takes them), what comes over
 * those that are open is served, and answered with `connection: close`; those over which nothing comes are closed after a while. Resolves
 * when none is left, or the time has passed, or there is no time left, with how much of the time is left.
 */
export async function leave(
  server: Server,
  connections: OpenConnections,
  { timeoutMs, monotonicMs, hurried }: { timeoutMs: number; monotonicMs: () => number; hurried: AbortSignal },
): Promise<number> {
  const deadline = monotonicMs() + timeoutMs;
  // An HTTP server's own way closes idle connections at once, over which a request may be on its way.
  NetServer.prototype.close.call(server);
  server.prependListener('request', (_request, response) => {
    response.shouldKeepAlive = false;
  });
  connections.closeAfterAnswers();
  while (!hurried.aborted && monotonicMs() < deadline) {
    await sleep(LOOK_MS);
    // What arrived meanwhile is read by then.
    await setImmediate();
    if (connections.closeIdle(monotonicMs(), IDLE_MS) === 0) break;
  }
  return Math.max(0, deadline - monotonicMs());
}
