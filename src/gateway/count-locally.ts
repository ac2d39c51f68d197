import type { GatewayError } from '../conversation/gateway-error.ts';
import { COUNT_DIALECTS } from '../dialects/registry.ts';
import type { Target } from '../routing/target.ts';
import { findEndpoint, pathSegment } from '../upstream/endpoint.ts';
import type { Call } from './call.ts';
import type { Gateway } from './gateway.ts';
import { MODEL_MISSING } from './missing-model.ts';
import { decodeCount } from './prepare.ts';
import { sendJson } from './respond.ts';

/** Whether the gateway itself must count, because the target's provider cannot. */
export function mustCountLocally(call: Call, { upstream, model }: Target): boolean {
  const { operation, dialect } = call.door;
  if (operation !== 'count') return false;
  const request = { operation, model, stream: false, dialect: dialect.name };
  return findEndpoint(upstream, upstream.accounts[0], request) === undefined;
}

/**
 * How they say that they do not count: a model, at a place, or for an account that may not ask for it. All else that they refuse is the
 * caller's to mend, or the operator's.
 *
 * Sources: Bedrock ("The provided model doesn't support counting tokens.", "not authorized to perform: bedrock:CountTokens"); Vertex, which names
 * what is not there ("Publisher Model `…/models/count-tokens` was not found"). What a tool of this name is told of is none of it.
 */
const DOES_NOT_COUNT =
  /\bsupport(?:s|ed)? (?:\w+ )?(?:counting tokens|count[ -]?tokens|token[ -]counting)\b|\b(?:counting tokens|token[ -]counting) (?:is|are) (?:not|un)|\bbedrock:CountTokens\b|\/models\/count-tokens\b/i;
/** What Bedrock answers where it has not this operation at all. */
const NO_OPERATION = 'UnknownOperationException';

/** Whether the gateway counts for a target whose provider does not count all of its models and has said that this is one. */
export function countsInstead({ door, stream }: Call, target: Target, failure: GatewayError): boolean {
  const { operation, dialect } = door;
  if (operation !== 'count') return false;
  const { upstream, model } = target;
  const endpoint = findEndpoint(upstream, upstream.accounts[0], {
    ...{ operation, model, stream },
    dialect: dialect.name,
  });
  if (endpoint?.surface.countsInPart !== true) return false;
  const { kind, code, message, status } = failure;
  const isMissing = status === 404 || code === MODEL_MISSING;
  // Some refusals are the operator's to hear of, and have codes for that.
  if (kind !== 'upstream_rejected' && !isMissing && code !== 'upstream_permission_denied') return false;
  // Where no model stands in the address, it is the count that is not there, unless the model is named.
  const isNoModel = isMissing && !endpoint.path.includes(pathSegment(model)) && !message.includes(model);
  return isNoModel || code === NO_OPERATION || DOES_NOT_COUNT.test(message);
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
