import type { Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { GatewayError } from './conversation/gateway-error.ts';
import type { Gateway } from './gateway/gateway.ts';
import { interruptCall } from './gateway/handle-call.ts';
import { isLetIn } from './http/let-in.ts';

/** How often a draining app looks whether its calls are done. */
const DRAIN_POLL_MS = 20;

/** How long clients have for the end of what they began: to read the error that ends a call, to finish a request. */
const LAST_WORDS_MS = 1_000;

/** A request of which nothing more came for so long is not waited for. */
const STALLED_MS = 5_000;

type OpenSocket = Socket & { _httpMessage?: ServerResponse | null };

/**
 * The connections of a server, to be asked when it stops which of them have a request that is not answered yet: its body may be
 * arriving still. That costs something for each connection, and nothing for a request.
 */
export class OpenConnections {
  readonly #sockets = new Set<OpenSocket>();
  /** How much had come over a connection, and when it was that much for the first time. */
  readonly #seen = new WeakMap<OpenSocket, { bytes: number; atMs: number }>();
  /** The same of a connection without a request. */
  readonly #idle = new WeakMap<OpenSocket, { bytes: number; atMs: number }>();

  constructor(server: Server) {
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
  }

  /**
   * Whether there is a request of somebody with a key that is here whole, or of which something comes still. Whoever has none
   * is answered from the head, and could hold a stop as long as they like.
   */
  haveRequests(nowMs: number): boolean {
    let found = false;
    for (const socket of this.#sockets) {
      // Node's own handler of client errors looks at the same field.
      const response = socket._httpMessage;
      if (!response || !isLetIn(response.req)) continue;
      if (response.req.complete || this.#isArriving(socket, nowMs)) found = true;
    }
    return found;
  }

  /** Has those that have a request closed when it is answered, as far as the answer has not begun. */
  closeAfterAnswers(): void {
    for (const { _httpMessage: response } of this.#sockets) {
      if (response && !response.headersSent) response.shouldKeepAlive = false;
    }
  }

  /** Closes those that have no request and over which nothing came for so long since it is asked. Gives how many are left. */
  closeIdle(nowMs: number, idleMs: number): number {
    for (const socket of this.#sockets) {
      const { bytesRead: bytes, _httpMessage: response } = socket;
      const idle = this.#idle.get(socket);
      if (response) this.#idle.delete(socket);
      else if (idle?.bytes !== bytes) this.#idle.set(socket, { bytes, atMs: nowMs });
      else if (nowMs - idle.atMs >= idleMs) socket.destroy();
    }
    return this.#sockets.size;
  }

  #isArriving(socket: OpenSocket, nowMs: number): boolean {
    const { bytesRead: bytes } = socket;
    const seen = this.#seen.get(socket);
    if (seen?.bytes === bytes) return nowMs - seen.atMs < STALLED_MS;
    this.#seen.set(socket, { bytes, atMs: nowMs });
    return true;
  }
}

/**
 * Waits for running calls and for requests that are arriving; those that outlast the time-out, or the time that is left, are ended
 * with an error that their clients are told.
 */
export async function drain(
  gateway: Gateway,
  connections: OpenConnections,
  timeoutMs: number,
  noTimeLeft?: AbortSignal,
): Promise<void> {
  const isBusy = () => gateway.calls.size > 0 || connections.haveRequests(gateway.monotonicMs());
  await waitWhile(gateway, timeoutMs, () => noTimeLeft?.aborted !== true && isBusy());
  if (gateway.calls.size === 0) return;
  if (noTimeLeft?.aborted !== true)
    gateway.log.warn({ calls: gateway.calls.size }, 'calls outlast the drain time-out and are ended');
  for (const call of gateway.calls.list()) {
    interruptCall(
      call,
      new GatewayError('overloaded', 'The gateway is stopping; try again.', { retryAfterMs: 1000 }),
    );
  }
  await waitWhile(gateway, LAST_WORDS_MS, () => gateway.calls.size > 0);
  for (const call of gateway.calls.list()) call.response.destroy();
}

/** Connections that are idle close at once; those that hold half a request are cut off after a moment. */
export async function closeServer(server: FastifyInstance): Promise<void> {
  const cutOff = setTimeout(() => server.server.closeAllConnections(), LAST_WORDS_MS);
  await server.close();
  clearTimeout(cutOff);
}

async function waitWhile(gateway: Gateway, timeoutMs: number, isRunning: () => boolean): Promise<void> {
  const deadline = gateway.monotonicMs() + timeoutMs;
  while (isRunning() && gateway.monotonicMs() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, DRAIN_POLL_MS));
  }
}
