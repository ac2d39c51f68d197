import type { ErrorKind, GatewayError } from '../../conversation/gateway-error.ts';
import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import { saysContextLength } from '../context-length.ts';
import type { UpstreamFailure } from '../dialect.ts';
import { ReportedError } from '../reported-error.ts';

/** Source: Anthropic docs "Errors". */
const WRITTEN_AS: Record<ErrorKind, string> = {
  invalid_request: 'invalid_request_error',
  unauthenticated: 'authentication_error',
  forbidden: 'permission_error',
  not_found: 'not_found_error',
  payload_too_large: 'request_too_large',
  rate_limited: 'rate_limit_error',
  budget_exceeded: 'billing_error',
  upstream_rejected: 'invalid_request_error',
  upstream_rate_limited: 'rate_limit_error',
  upstream_unavailable: 'api_error',
  upstream_timeout: 'timeout_error',
  overloaded: 'overloaded_error',
  cancelled: 'api_error',
  internal: 'api_error',
};

/** What a provider's error type means to our caller. A refused credential is ours, not the caller's. */
const READ_AS = new Map<string, ErrorKind>([
  ['invalid_request_error', 'upstream_rejected'],
  ['not_found_error', 'upstream_rejected'],
  ['request_too_large', 'upstream_rejected'],
  ['rate_limit_error', 'upstream_rate_limited'],
  ['overloaded_error', 'upstream_unavailable'],
  ['timeout_error', 'upstream_timeout'],
  ['authentication_error', 'upstream_unavailable'],
  ['permission_error', 'upstream_unavailable'],
  ['billing_error', 'upstream_unavailable'],
  ['api_error', 'upstream_unavailable'],
]);

/** How much of an error page or text is worth repeating. */
const EXCERPT_LENGTH = 300;

export function encodeError(error: GatewayError): JsonObject {
  const { details } = error;
  const message = saysContextLength(error) ? tooLong(error.message) : error.message;
  return { type: 'error', error: { type: errorType(error), message, ...(details && { details }) } };
}

/** There is no code for it: clients that shorten what they have (Claude Code) go by these words. */
function tooLong(message: string): string {
  return TOO_LONG.test(message) ? message : `prompt is too long: ${message}`;
}

/** Anthropic's own: "prompt is too long: 210118 tokens > 200000 maximum", "input length and `max_tokens` exceed context limit: …". */
const TOO_LONG = /prompt is too long|exceed context limit/i;

/**
 * Anthropic's own status for what its SDK, and clients that wait longer then, know as overloaded; all else is as anywhere: an instance
 * that stops is a 503, which balancers before it know, too.
 */
export function errorStatus({ kind, code, type = code, status }: GatewayError): number {
  const isOverloaded =
    kind === 'upstream_unavailable' ? type === OVERLOADED : kind === 'overloaded' && TOO_MANY_CALLS.has(code);
  return isOverloaded ? 529 : status;
}

const OVERLOADED = 'overloaded_error';

/** Codes of the gateway's own that mean the same of a model and of the whole. */
const TOO_MANY_CALLS: ReadonlySet<string | undefined> = new Set(['model_overloaded', 'gateway_overloaded']);

/** A provider's own type where it has one of these, else that of the status that it refused the call with. */
function errorType({ kind, code, type = code, status }: GatewayError): string {
  if (!kind.startsWith('upstream_')) return WRITTEN_AS[kind];
  if (type !== undefined && READ_AS.get(type) === kind) return type;
  return (kind === 'upstream_rejected' ? TYPE_OF_STATUS[status] : undefined) ?? WRITTEN_AS[kind];
}

const TYPE_OF_STATUS: Record<number, string> = {
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
};

/** The status that each type of error comes with, where one came without a status. Source: Anthropic docs "Errors". */
const STATUS_OF_TYPE = new Map<string, number>([
  ['invalid_request_error', 400],
  ['authentication_error', 401],
  ['billing_error', 402],
  ['permission_error', 403],
  ['not_found_error', 404],
  ['request_too_large', 413],
  ['rate_limit_error', 429],
  ['api_error', 500],
  ['timeout_error', 504],
  ['overloaded_error', 529],
]);

/** An error that came in the place of an answer: the `error` event of a stream that had begun with status 200. */
export function decodeErrorEvent(body: JsonObject): ReportedError {
  const error = isObject(body['error']) ? body['error'] : {};
  return new ReportedError(decodeError(200, body), STATUS_OF_TYPE.get(String(error['type'])));
}

export function decodeError(status: number, body: JsonValue | string): UpstreamFailure {
  if (typeof body === 'string') return { message: describeText(status, body) };
  if (!isObject(body)) return { message: describeText(status, '') };
  const error = body['error'];
  if (isObject(error)) {
    const type = text(error['type']);
    const details = isObject(error['details']) ? error['details'] : undefined;
    // Source: the official SDK, whose errors beside those of the types go by the `error_code` in the details.
    const errorCode = text(details?.['error_code']);
    const code = errorCode ?? type;
    const message = text(error['message']) ?? code ?? describeText(status, '');
    return {
      message,
      ...(code === undefined ? {} : { code }),
      ...(type !== undefined && errorCode !== undefined ? { type } : {}),
      ...(details ? { details } : {}),
      ...(error['type'] === 'authentication_error' ? { credentialRejected: true } : {}),
      ...(error['type'] === 'permission_error' ? { permissionDenied: true } : {}),
    };
  }
  // Servers and clouds of this kind: `{ error: "…" }`, `{ message: "…" }`.
  return { message: text(error) ?? text(body['message']) ?? describeText(status, '') };
}

/** What an error answer without a message of its own says. */
export function describeText(status: number, body: string): string {
  const words = body.trim();
  if (words === '') return `The provider answered with status ${status} and no explanation.`;
  if (!words.startsWith('<')) return words.slice(0, EXCERPT_LENGTH);
  const title = /<title>([^<]{1,300})<\/title>/i.exec(words)?.[1]?.trim();
  return `The provider answered with status ${status} and a web page${title ? ` ("${title}")` : ''}.`;
}

function text(value: JsonValue | undefined): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
