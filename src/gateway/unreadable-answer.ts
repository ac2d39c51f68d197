import { GatewayError } from '../conversation/gateway-error.ts';
import { tryParseJson } from '../conversation/json.ts';
import type { Usage } from '../conversation/usage.ts';
import type { UpstreamDialect } from '../dialects/dialect.ts';
import { EventReader } from '../upstream/event-reader.ts';

/** As much of a stream as is read for its error, which stands at the beginning, and its usage, which stands at the end. */
const LOOK_BYTES = 1024 * 1024;

/** Lines of server-sent events (WHATWG HTML): comments begin with a colon. */
const EVENT_STREAM = /^\uFEFF?\s*(?:data|event|id|retry)?:/;

/** What is wrong with an answer that should have been one JSON object; the error and the usage that it holds, if it does. */
export function unreadableAnswer(body: Buffer, dialect: UpstreamDialect | undefined): GatewayError {
  const head = body.subarray(0, LOOK_BYTES);
  if (EVENT_STREAM.test(head.toString('latin1'))) {
    return readStream(head, dialect);
  }
  const text = body.toString('utf8');
  if (text.trim() === '') return unavailable('an empty answer');
  if (tryParseJson(text) !== undefined) return unavailable('an answer that is no JSON object');
  return /^\s*[{[]/.test(text) ? cutOff() : unavailable('an answer that is not JSON');
}

export function cutOff(): GatewayError {
  return unavailable('an answer that is cut off');
}

function readStream(head: Buffer, dialect: UpstreamDialect | undefined): GatewayError {
  const decoder = dialect?.streamDecoder();
  let usage: Usage | undefined;
  for (const message of new EventReader().push(head)) {
    for (const event of decoder?.push(message) ?? []) {
      if (event.type === 'error') return event.error;
      if (event.type === 'usage') usage = event.usage;
    }
  }
  return unavailable('an event stream instead of JSON', usage);
}

function unavailable(what: string, usage?: Usage): GatewayError {
  return new GatewayError('upstream_unavailable', `The provider sent ${what}.`, { usage });
}
