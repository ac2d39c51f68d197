import { GatewayError } from '../conversation/gateway-error.ts';
import { tryParseJson } from '../conversation/json.ts';
import type { UpstreamDialect } from '../dialects/dialect.ts';
import { EventReader } from '../upstream/event-reader.ts';

/** Errors that stand in a stream stand at its beginning, or there was output before them. */
const LOOK_BYTES = 64 * 1024;

/** Lines of server-sent events (WHATWG HTML): comments begin with a colon. */
const EVENT_STREAM = /^\uFEFF?\s*(?:data|event|id|retry)?:/;

/** What is wrong with an answer that should have been one JSON object; the error that it holds, if it does. */
export function unreadableAnswer(body: Buffer, dialect: UpstreamDialect | undefined): GatewayError {
  const head = body.subarray(0, LOOK_BYTES);
  if (EVENT_STREAM.test(head.toString('latin1'))) {
    return streamedError(head, dialect) ?? unavailable('an event stream instead of JSON');
  }
  const text = body.toString('utf8');
  if (text.trim() === '') return unavailable('an empty answer');
  if (tryParseJson(text) !== undefined) return unavailable('an answer that is no JSON object');
  return /^\s*[{[]/.test(text) ? cutOff() : unavailable('an answer that is not JSON');
}

export function cutOff(): GatewayError {
  return unavailable('an answer that is cut off');
}

function streamedError(head: Buffer, dialect: UpstreamDialect | undefined): GatewayError | undefined {
  const decoder = dialect?.streamDecoder();
  if (!decoder) return undefined;
  for (const message of new EventReader().push(head)) {
    const failed = decoder.push(message).find((event) => event.type === 'error');
    if (failed) return failed.error;
  }
  return undefined;
}

function unavailable(what: string): GatewayError {
  return new GatewayError('upstream_unavailable', `The provider sent ${what}.`);
}
