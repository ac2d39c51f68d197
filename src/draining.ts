import type { FastifyInstance } from 'fastify';
import { GatewayError } from './conversation/gateway-error.ts';
import type { Gateway } from './gateway/gateway.ts';
import { interruptCall } from './gateway/handle-call.ts';

/** How often a draining app looks whether its calls are done. */
const DRAIN_POLL_MS = 20;

/** How long clients have for the end of what they began: to read the error that ends a call, to finish a request. */
const LAST_WORDS_MS = 1_000;

/** Waits for running calls; those that outlast the time-out are ended with an error that their clients are told. */
export async function drain(gateway: Gateway, timeoutMs: number): Promise<void> {
  await waitForCalls(gateway, timeoutMs);
  if (gateway.calls.size === 0) return;
  gateway.log.warn({ calls: gateway.calls.size }, 'calls outlast the drain time-out and are ended');
  for (const call of gateway.calls.list()) {
    interruptCall(
      call,
      new GatewayError('overloaded', 'The gateway is stopping; try again.', { retryAfterMs: 1000 }),
    );
  }
  await waitForCalls(gateway, LAST_WORDS_MS);
  for (const call of gateway.calls.list()) call.response.destroy();
}

/** Connections that are idle close at once; those that hold half a request are cut off after a moment. */
export async function closeServer(server: FastifyInstance): Promise<void> {
  const cutOff = setTimeout(() => server.server.closeAllConnections(), LAST_WORDS_MS);
  await server.close();
  clearTimeout(cutOff);
}

async function waitForCalls(gateway: Gateway, timeoutMs: number): Promise<void> {
  const deadline = gateway.monotonicMs() + timeoutMs;
  while (gateway.calls.size > 0 && gateway.monotonicMs() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, DRAIN_POLL_MS));
  }
}
