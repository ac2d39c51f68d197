import { ERROR_KINDS, type GatewayError } from '../../conversation/gateway-error.ts';
import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import { saysContextLength } from '../context-length.ts';
import type { UpstreamFailure } from '../dialect.ts';
import { ReportedError } from '../reported-error.ts';
import { defined, messagesIn, numberIn, readMessage, textIn } from './proto.ts';

/*
 * Errors are `google.rpc.Status` in an `error` field: a code (the HTTP status), a message, a status word, and typed
 * details. Sources: google/rpc/error_details.proto, google/rpc/code.proto, google/api/error_reason.proto.
 */

/** Reasons of `ErrorInfo` that mean: this key will not do, whatever the request. They arrive as 400, 401 or 403. */
const CREDENTIAL_REASONS = new Set([
  'API_KEY_INVALID',
  'API_KEY_SERVICE_BLOCKED',
  'API_KEY_HTTP_REFERRER_BLOCKED',
  'API_KEY_IP_ADDRESS_BLOCKED',
  'API_KEY_ANDROID_APP_BLOCKED',
  'API_KEY_IOS_APP_BLOCKED',
  'ACCESS_TOKEN_EXPIRED',
  'ACCESS_TOKEN_SCOPE_INSUFFICIENT',
  'ACCESS_TOKEN_TYPE_UNSUPPORTED',
  'CREDENTIALS_MISSING',
  'CONSUMER_SUSPENDED',
  'CONSUMER_INVALID',
]);

/** Longest text of a body that is no JSON (a proxy's HTML page, say) that is passed on. */
const MAX_MESSAGE_LENGTH = 500;

/** What the provider means by an error answer; also given an error that came as a stream's event. */
export function decodeError(status: number, body: JsonValue | string): UpstreamFailure {
  const error = errorIn(body);
  if (!error) {
    return defined({
      message:
        typeof body === 'string' ? textMessage(status, body) : `The provider answered with status ${status}.`,
      credentialRejected: status === 401 ? true : undefined,
    });
  }
  const reason = detail(error, 'ErrorInfo')?.['reason'];
  const word = textIn(error, 'status');
  const violation = messagesIn(detail(error, 'BadRequest') ?? {}, 'fieldViolations')[0];
  const rejected =
    status === 401 ||
    word === 'UNAUTHENTICATED' ||
    (typeof reason === 'string' && CREDENTIAL_REASONS.has(reason));
  return defined({
    message: withoutKeys(textIn(error, 'message') ?? `The provider answered with status ${status}.`),
    code: typeof reason === 'string' ? reason : word,
    param: violation && textIn(violation, 'field'),
    retryAfterMs: durationMs(detail(error, 'RetryInfo')?.['retryDelay']),
    credentialRejected: rejected ? true : undefined,
    permissionDenied: !rejected && word === 'PERMISSION_DENIED' ? true : undefined,
    // "Typically due to a concurrency issue": of the same status as ALREADY_EXISTS, which is about the call (google/rpc/code.proto).
    kind: word === 'ABORTED' ? 'upstream_unavailable' : undefined,
  });
}

/** An `error` inside a stream that began with status 200, as the event's error. */
export function decodeStreamError(body: JsonObject): ReportedError {
  const code = numberIn(errorIn(body) ?? {}, 'code');
  return new ReportedError(decodeError(code ?? ERROR_KINDS.upstream_unavailable, body), code);
}

/** The `error` message of a body; streaming endpoints wrap it in a list when they are not asked for SSE. */
export function errorIn(body: JsonValue | string): JsonObject | undefined {
  const outer = Array.isArray(body) ? body[0] : body;
  const error = isObject(outer) ? outer['error'] : undefined;
  return isObject(error) ? readMessage(error) : undefined;
}

function detail(error: JsonObject, type: string): JsonObject | undefined {
  return messagesIn(error, 'details').find((one) => textIn(one, '@type')?.endsWith(`google.rpc.${type}`));
}

/** A protobuf duration: seconds with up to nine decimals and an `s`. */
function durationMs(value: JsonValue | undefined): number | undefined {
  const seconds = typeof value === 'string' ? /^(\d{1,12}(?:\.\d{1,9})?)s$/.exec(value)?.[1] : undefined;
  return seconds === undefined ? undefined : Math.ceil(Number(seconds) * 1000);
}

function textMessage(status: number, body: string): string {
  const title = /<title>([^<]*)<\/title>/i.exec(body.slice(0, 10_000))?.[1]?.trim();
  const text = title || (body.trimStart().startsWith('<') ? '' : body.trim().slice(0, MAX_MESSAGE_LENGTH));
  return text === '' ? `The provider answered with status ${status}.` : withoutKeys(text);
}

/** Google names the key in some refusals ("Consumer 'api_key:…' has been suspended"). */
function withoutKeys(message: string): string {
  return message.replace(/api_key:[\w-]+/g, 'api_key:…').replace(/\bAIza[\w-]{10,}/g, 'AIza…');
}

/** Status words by HTTP status (google/rpc/code.proto). */
const STATUS_WORDS: Record<number, string> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  402: 'FAILED_PRECONDITION',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  409: 'ABORTED',
  413: 'INVALID_ARGUMENT',
  429: 'RESOURCE_EXHAUSTED',
  499: 'CANCELLED',
  500: 'INTERNAL',
  501: 'UNIMPLEMENTED',
  502: 'UNAVAILABLE',
  503: 'UNAVAILABLE',
  504: 'DEADLINE_EXCEEDED',
};

/** Words beside the usual one of a status, which an error of Google's own came with. */
const FURTHER_WORDS: Record<number, readonly string[]> = {
  400: ['FAILED_PRECONDITION', 'OUT_OF_RANGE'],
  409: ['ALREADY_EXISTS'],
};

/** An error as a body of the Gemini API. */
export function encodeError(error: GatewayError): JsonObject {
  const { status, code, param, retryAfterMs } = error;
  const message = saysContextLength(error) ? tooLong(error.message) : error.message;
  const details: JsonObject[] = [];
  const usual = STATUS_WORDS[status] ?? (status < 500 ? 'INVALID_ARGUMENT' : 'INTERNAL');
  const word = code !== undefined && FURTHER_WORDS[status]?.includes(code) ? code : usual;
  // A code that is the word of the status says nothing beside it.
  if (code !== undefined && code !== word) {
    details.push({ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: code });
  }
  if (param !== undefined) {
    details.push({
      '@type': 'type.googleapis.com/google.rpc.BadRequest',
      fieldViolations: [{ field: param, description: message }],
    });
  }
  if (retryAfterMs !== undefined) {
    details.push({
      '@type': 'type.googleapis.com/google.rpc.RetryInfo',
      retryDelay: `${retryAfterMs / 1000}s`,
    });
  }
  return {
    error: defined({
      code: status,
      message,
      status: word,
      details: details.length > 0 ? details : undefined,
    }),
  };
}

/** There is no code for it: clients go by the words ("The input token count (…) exceeds the maximum number of tokens allowed (…)."). */
function tooLong(message: string): string {
  const words = 'The input token count exceeds the maximum number of tokens allowed';
  return /input token count/i.test(message) ? message : `${words}: ${message}`;
}
