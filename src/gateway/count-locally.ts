import { COUNT_DIALECTS } from '../dialects/registry.ts';
import type { Target } from '../routing/target.ts';
import { findEndpoint } from '../upstream/endpoint.ts';
import type { Call } from './call.ts';
import type { Gateway } from './gateway.ts';
import { decodeCount } from './prepare.ts';
import { sendJson } from './respond.ts';

/** Whether the gateway itself must count, because the target's provider cannot. */
export function mustCountLocally(call: Call, { upstream, model }: Target): boolean {
  const { operation, dialect } = call.door;
  if (operation !== 'count') return false;
  const request = { operation, model, stream: false, dialect: dialect.name };
  return findEndpoint(upstream, upstream.accounts[0], request) === undefined;
}

/** Where the gateway counts for a call that no provider has counted, although it may: those of some do not count all models. */
export function countsInstead(call: Call, plan: Iterable<{ target: Target }>): Target | undefined {
  const { operation, dialect } = call.door;
  if (operation !== 'count') return undefined;
  for (const { target } of plan) {
    const request = { operation, model: target.model, stream: false, dialect: dialect.name };
    const endpoint = findEndpoint(target.upstream, target.upstream.accounts[0], request);
    if (endpoint?.surface.countsInPart) return target;
  }
  return undefined;
}

/**
 * Answers a call for a count without asking anyone: with an estimate, as every count of ours is.
 *
 * @throws GatewayError `invalid_request` where the request is not in the caller's dialect, `overloaded` where too much waits.
 */
export async function countLocally(gateway: Gateway, call: Call, target: Target): Promise<void> {
  const tokens = await gateway.tokens.countConversation(decodeCount(call), target.model);
  if (call.cancelled) return;
  call.target = target;
  const caller = COUNT_DIALECTS[call.door.dialect.name];
  sendJson(gateway, call, Buffer.from(JSON.stringify(caller?.encodeResponse(tokens))));
}
