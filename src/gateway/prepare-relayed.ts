import { GatewayError } from '../conversation/gateway-error.ts';
import { chat } from '../dialects/chat/index.ts';
import { type RelayedPlace, relayedPath } from '../upstream/relayed-paths.ts';
import type { Call } from './call.ts';
import type { PlannedAttempt } from './plan.ts';
import type { UpstreamRequest } from './prepare.ts';

/**
 * Makes the request of a call that is only ever relayed: the caller's bytes with the model replaced.
 *
 * @throws GatewayError `invalid_request` where the provider has no such thing.
 */
export function prepareRelayed(
  call: Call,
  { target, account }: PlannedAttempt,
  place: RelayedPlace,
): UpstreamRequest {
  const { upstream, model } = target;
  const path = relayedPath(upstream, account, place);
  if (path === undefined) {
    throw new GatewayError(
      'invalid_request',
      `The provider '${upstream.name}' has no such operation (${call.door.operation}), as far as this gateway knows.`,
      { param: 'model', code: 'unsupported_operation' },
    );
  }
  call.dropped = [];
  return {
    dialect: chat,
    path,
    headers: account.headers,
    body: call.door.passThrough.prepareRequest(call.body, call.spans, { model, stream: false }),
    passThrough: true,
    translate: () => {
      throw new Error('a relayed answer is never translated');
    },
  };
}
