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
    ...prepareBody(call, account.headers, model),
    passThrough: true,
    translate: () => {
      throw new Error('a relayed answer is never translated');
    },
  };
}

function prepareBody(
  call: Call,
  headers: string[],
  model: string,
): Pick<UpstreamRequest, 'headers' | 'body'> {
  const { upload, door } = call;
  if (!upload) {
    return {
      headers,
      body: door.passThrough.prepareRequest(call.body, call.spans, { model, stream: false }),
    };
  }
  const { body, length } = upload.open(model);
  const own = withHeader(headers, 'content-type', upload.contentType);
  return { headers: length === undefined ? own : [...own, 'content-length', String(length)], body };
}

function withHeader(headers: string[], name: string, value: string): string[] {
  const result = [name, value];
  for (let at = 0; at + 1 < headers.length; at += 2) {
    const [key = '', said = ''] = [headers[at], headers[at + 1]];
    if (key.toLowerCase() !== name) result.push(key, said);
  }
  return result;
}
