import type { FastifyReply, FastifyRequest } from 'fastify';
import { GatewayError } from '../conversation/gateway-error.ts';
import { Call } from '../gateway/call.ts';
import type { Door } from '../gateway/door.ts';
import type { Gateway } from '../gateway/gateway.ts';
import { settleCall } from '../gateway/settle.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The door that the route is, or that a request means, where it takes calls. */
    door?: Door | ((request: FastifyRequest) => Door | undefined);
  }
}

const NO_BODY = Buffer.alloc(0);

/**
 * Records a call that was refused before it was one: its body is too large, or cannot be unpacked. Whoever sent it has a key, and looks
 * for it among the calls.
 */
export function recordRefused(
  gateway: Gateway,
  request: FastifyRequest,
  reply: FastifyReply,
  error: Error & { statusCode?: number },
): void {
  const { caller, snapshot } = request;
  const { door: said } = request.routeOptions.config;
  const door = typeof said === 'function' ? said(request) : said;
  // A client that left before its body was whole made no call.
  if (!caller || !snapshot || !door || reply.raw.destroyed) return;
  const call = new Call({
    id: request.id,
    startedAt: gateway.now(),
    startedMs: gateway.monotonicMs(),
    ...{ door, snapshot, caller, body: NO_BODY, response: reply.raw },
  });
  const { kind, status } = describe(error);
  settleCall(gateway, call, kind, status);
}

function describe(error: Error & { statusCode?: number }): Pick<GatewayError, 'kind' | 'status'> {
  if (error instanceof GatewayError) return error;
  const { statusCode = 500 } = error;
  const kind = statusCode === 413 ? 'payload_too_large' : statusCode < 500 ? 'invalid_request' : 'internal';
  return new GatewayError(kind, error.message);
}
