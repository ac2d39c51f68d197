import { GatewayError } from '../conversation/gateway-error.ts';
import { chat } from '../dialects/chat/index.ts';
import { type RelayedPlace, relayedRequest } from '../upstream/relayed-paths.ts';
import type { Call } from './call.ts';
import { withCallersHeaders } from './callers-headers.ts';
import { checkRelayed } from './check-also-named.ts';
import { checkBatchLines } from './check-batch-lines.ts';
import type { Gateway } from './gateway.ts';
import { OBJECT_REQUESTS, type ObjectCall } from './object-call.ts';
import type { PlannedAttempt } from './plan.ts';
import type { UpstreamRequest } from './prepare.ts';

/**
 * Makes the request of a call that is only ever relayed: the caller's bytes with the model replaced.
 *
 * @throws GatewayError `invalid_request` where the provider has no such thing.
 */
export function prepareRelayed(
  gateway: Gateway,
  call: Call,
  planned: PlannedAttempt,
  place: RelayedPlace,
): UpstreamRequest {
  const { target, account } = planned;
  const { upstream } = target;
  const asked = relayedRequest(upstream, account, place, target.model, suffixOf(call.object));
  if (!asked) {
    throw new GatewayError(
      'invalid_request',
      `The provider '${upstream.name}' has no such operation (${call.door.operation}), as far as this gateway knows.`,
      { param: 'model', code: 'unsupported_operation' },
    );
  }
  call.dropped = [];
  const headers = withCallersHeaders(call, planned, upstream.declaration, call.dropped);
  if (call.object && call.object.does !== 'list')
    return prepareObject(gateway, call, call.object, asked.path, planned, headers);
  checkRelayed(call, target);
  return {
    dialect: chat,
    path: asked.path,
    ...prepareBody(call, headers, asked.model),
    passThrough: true,
    translate: neverTranslated,
  };
}

/** Which of the things that are kept, and what is asked of it. */
function suffixOf(object: ObjectCall | undefined): string {
  if (!object || object.does === 'list') return '';
  const id = object.does === 'create' ? '' : `/${encodeURIComponent(object.id)}`;
  return id + OBJECT_REQUESTS[object.does].suffix;
}

function prepareObject(
  gateway: Gateway,
  call: Call,
  object: Exclude<ObjectCall, { does: 'list' }>,
  path: string,
  planned: PlannedAttempt,
  headers: string[],
): UpstreamRequest {
  const pass = (chunks: AsyncIterable<Buffer>, boundary: string) =>
    checkBatchLines(gateway, call, planned, chunks, boundary);
  const { method } = OBJECT_REQUESTS[object.does];
  const hasBody = object.does === 'create';
  return {
    dialect: chat,
    path,
    method,
    ...(hasBody
      ? prepareBody(call, headers, undefined, pass)
      : { headers: withHeader(headers, 'content-type'), body: undefined }),
    passThrough: true,
    translate: neverTranslated,
  };
}

function neverTranslated(): never {
  throw new Error('a relayed answer is never translated');
}

/** `model` replaces the caller's, where there is one. */
function prepareBody(
  { upload, door, body: given, spans }: Call,
  headers: string[],
  model?: string,
  pass?: (chunks: AsyncIterable<Buffer>, boundary: string) => AsyncIterable<Buffer>,
): Pick<UpstreamRequest, 'headers' | 'body'> {
  if (!upload) {
    if (model === undefined) return { headers, body: given };
    return { headers, body: door.passThrough.prepareRequest(given, spans, { model, stream: false }) };
  }
  const { body, length } = upload.open(model, pass && ((chunks) => pass(chunks, upload.boundary)));
  const own = withHeader(headers, 'content-type', upload.contentType);
  return { headers: length === undefined ? own : [...own, 'content-length', String(length)], body };
}

/** Another value for a header, or none. */
function withHeader(headers: string[], name: string, value?: string): string[] {
  const result = value === undefined ? [] : [name, value];
  for (let at = 0; at + 1 < headers.length; at += 2) {
    const [key = '', said = ''] = [headers[at], headers[at + 1]];
    if (key.toLowerCase() !== name) result.push(key, said);
  }
  return result;
}
