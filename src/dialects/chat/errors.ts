import { type ErrorKind, GatewayError } from '../../conversation/gateway-error.ts';
import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import { CONTEXT_LENGTH_CODE, saysContextLength } from '../context-length.ts';
import type { UpstreamFailure } from '../dialect.ts';
import { ReportedError } from '../reported-error.ts';

/** Longer messages (HTML pages, echoed requests) are cut. */
const MAX_MESSAGE_LENGTH = 2000;

/**
 * Reads an error answer in any of the forms that servers of this dialect have: OpenAI's `{ error: { message, type,
 * param, code } }`, `{ error: "…" }`, a list around it (Gemini's compatible API), vLLM's `{ object: 'error', message }`,
 * FastAPI's `{ detail }` (Mistral's 422 too), plain text, an HTML page, nothing.
 */
export function decodeError(status: number, body: JsonValue | string): UpstreamFailure {
  const error = errorObject(body);
  const failure: UpstreamFailure = { message: cut(errorMessage(error) ?? plainText(status, body)) };
  if (!isObject(error)) return failure;
  const code = wordOf(error['code']) ?? wordOf(error['type']) ?? wordOf(error['status']);
  const retryAfterMs = retryDelayMs(error['details']);
  if (code !== undefined) failure.code = code;
  if (typeof error['param'] === 'string') failure.param = error['param'];
  if (retryAfterMs !== undefined) failure.retryAfterMs = retryAfterMs;
  if (status === 424 && isToolServers(error)) failure.kind = 'upstream_rejected';
  const headers = headersWithin(error['metadata']);
  if (headers) failure.headers = headers;
  if (isCredentialError(error)) failure.credentialRejected = true;
  else if (saysWord(error, PERMISSION_WORDS)) failure.permissionDenied = true;
  return failure;
}

/** A tool server that the caller names is the caller's to mend (OpenAI: `external_connector_error`; Groq, "Remote MCP"). */
function isToolServers({ type, param, message }: JsonObject): boolean {
  if (type === 'external_connector_error' || param === 'tools') return true;
  return typeof message === 'string' && /\bMCP\b/.test(message);
}

/** The value that describes the error, out of whatever stands around it. */
function errorObject(body: JsonValue): JsonValue | undefined {
  if (Array.isArray(body)) return body[0] === undefined ? undefined : errorObject(body[0]);
  if (!isObject(body)) return undefined;
  const { error } = body;
  return error === undefined || error === null ? body : error;
}

function errorMessage(error: JsonValue | undefined): string | undefined {
  if (typeof error === 'string') return nonEmpty(error);
  if (!isObject(error)) return undefined;
  const { message, detail, metadata } = error;
  // OpenRouter: the provider's own words stand in the metadata ("Provider returned error").
  const raw = isObject(metadata) ? metadata['raw'] : undefined;
  const said = typeof message === 'string' ? nonEmpty(message) : messageText(message ?? detail);
  if (typeof raw === 'string' && raw !== '') return said === undefined ? raw : `${said}: ${raw}`;
  return said;
}

/** FastAPI: `detail` is a text or a list of `{ loc, msg }`; Mistral puts that under `message` as well. */
function messageText(value: JsonValue | undefined): string | undefined {
  if (typeof value === 'string') return nonEmpty(value);
  if (Array.isArray(value)) {
    const lines = value.map((item) => (isObject(item) ? validationLine(item) : messageText(item)));
    return nonEmpty(lines.filter((line) => line !== undefined).join('; '));
  }
  if (isObject(value)) return messageText(value['detail']) ?? JSON.stringify(value);
  return undefined;
}

function validationLine({ loc, msg }: JsonObject): string | undefined {
  if (typeof msg !== 'string') return undefined;
  return Array.isArray(loc) ? `${loc.join('.')}: ${msg}` : msg;
}

function plainText(status: number, body: JsonValue | string): string {
  if (typeof body !== 'string') return `HTTP ${status} without a message`;
  const text = body.trim();
  if (text === '') return `HTTP ${status} without a body`;
  return text.startsWith('<') ? `HTTP ${status} with a web page instead of an API answer` : text;
}

/** Codes are words in OpenAI's API and numbers in others. */
function wordOf(value: JsonValue | undefined): string | undefined {
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' ? nonEmpty(value) : undefined;
}

function nonEmpty(text: string): string | undefined {
  return text.trim() === '' ? undefined : text;
}

function cut(text: string): string {
  return text.length > MAX_MESSAGE_LENGTH ? `${text.slice(0, MAX_MESSAGE_LENGTH)}…` : text;
}

/** Google's RetryInfo (`google.rpc`), which its compatible API passes on: `{ retryDelay: "30s" }`. */
function retryDelayMs(details: JsonValue | undefined): number | undefined {
  for (const detail of Array.isArray(details) ? details : []) {
    const delay = isObject(detail) ? detail['retryDelay'] : undefined;
    if (typeof delay !== 'string' || !delay.endsWith('s')) continue;
    const seconds = Number(delay.slice(0, -1));
    if (seconds >= 0) return seconds * 1000;
  }
  return undefined;
}

/** OpenRouter tells of a limit as it would in headers, beside the message. */
function headersWithin(metadata: JsonValue | undefined): Record<string, string> | undefined {
  const headers = isObject(metadata) ? metadata['headers'] : undefined;
  if (!isObject(headers)) return undefined;
  const told = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value)]);
  return Object.fromEntries(told);
}

/** A refused key does not always come as a 401 (xAI and Gemini's compatible API say 400). */
const CREDENTIAL_WORDS: ReadonlySet<string> = new Set([
  'invalid_api_key',
  'wrong_api_key',
  'invalid_authentication_error',
  'authentication_error',
  'API_KEY_INVALID',
]);

/** Our account or its place may not do this, whoever asks. Other refusals with 403 are about what was sent (OpenRouter's moderation). */
const PERMISSION_WORDS: ReadonlySet<string> = new Set([
  'permission_error',
  'permission_denied_error',
  'insufficient_permissions',
  'unsupported_country_region_territory',
  'PERMISSION_DENIED',
]);

function isCredentialError(error: JsonObject): boolean {
  return saysWord(error, CREDENTIAL_WORDS);
}

function saysWord(error: JsonObject, meant: ReadonlySet<string>): boolean {
  const reasons = Array.isArray(error['details']) ? error['details'] : [];
  const words = [
    error['code'],
    error['type'],
    error['status'],
    ...reasons.map((detail) => isObject(detail) && detail['reason']),
  ];
  return words.some((word) => typeof word === 'string' && meant.has(word));
}

/** What a word in an error inside a stream means; there is no HTTP status beside it. */
const KIND_OF_WORD = new Map<string, ErrorKind>([
  ['rate_limit_exceeded', 'upstream_rate_limited'],
  ['rate_limit_error', 'upstream_rate_limited'],
  ['too_many_requests', 'upstream_rate_limited'],
  ['invalid_request_error', 'upstream_rejected'],
  ['invalid_prompt', 'upstream_rejected'],
  ['context_length_exceeded', 'upstream_rejected'],
  ['content_filter', 'upstream_rejected'],
  ['tool_use_failed', 'upstream_rejected'],
  ['timeout', 'upstream_timeout'],
]);

/** Errors come as `{ error }`, in a list, as vLLM's `{ object: 'error', message }`, or as a message without choices. */
export function saysError(value: JsonValue | undefined): boolean {
  if (Array.isArray(value)) return saysError(value[0]);
  if (!isObject(value)) return false;
  if (value['error']) return true;
  if ('choices' in value) return false;
  return value['object'] === 'error' || (typeof value['message'] === 'string' && 'code' in value);
}

/**
 * What an event of a stream says that is no good one: an error, or something that cannot be read. A plain text is the
 * error's words; broken JSON says nothing, and is told to nobody.
 *
 * `value`: the event's data, parsed; `undefined` where it is no JSON.
 */
export function eventFailure(
  value: JsonValue | undefined,
  data: string,
  name: string | undefined,
): GatewayError {
  const isText = value === undefined && !/^[{["]/.test(data);
  if (isText || name === 'error') return embeddedError(value ?? data);
  if (isObject(value) || saysError(value)) return embeddedError(value ?? null);
  const what = value === undefined ? 'not JSON' : 'no JSON object';
  return new GatewayError('upstream_unavailable', `The provider sent an event that is ${what}.`);
}

/** An error that came with status 200: inside a stream, or in place of an answer. */
export function embeddedError(value: JsonValue): ReportedError {
  const error = errorObject(value);
  const status = isObject(error) ? statusOf(error) : undefined;
  const failure = decodeError(status ?? 200, value);
  const kind = status === undefined && isObject(error) ? kindOfWords(error) : undefined;
  return new ReportedError(kind === undefined ? failure : { ...failure, kind }, status);
}

function kindOfWords(error: JsonObject): ErrorKind | undefined {
  for (const word of [error['code'], error['type']]) {
    const kind = typeof word === 'string' ? KIND_OF_WORD.get(word) : undefined;
    if (kind) return kind;
  }
  return undefined;
}

/** Groq says `status_code`, OpenRouter and vLLM a number for `code`. */
function statusOf(error: JsonObject): number | undefined {
  for (const value of [error['status_code'], error['code'], error['status']]) {
    const status = typeof value === 'string' ? Number(value) : value;
    if (typeof status === 'number' && status >= 400 && status < 600) return status;
  }
  return undefined;
}

/**
 * OpenAI's words for each kind of error. SDKs choose their error class by the HTTP status; programs look at `code`
 * and `type`.
 *
 * Source: OpenAI, "Error codes" guide, and the errors that its API answers with.
 */
const ERROR_WORDS: Record<ErrorKind, { type: string; code: string | null }> = {
  invalid_request: { type: 'invalid_request_error', code: null },
  unauthenticated: { type: 'invalid_request_error', code: 'invalid_api_key' },
  forbidden: { type: 'invalid_request_error', code: 'insufficient_permissions' },
  not_found: { type: 'invalid_request_error', code: 'not_found' },
  payload_too_large: { type: 'invalid_request_error', code: 'request_too_large' },
  rate_limited: { type: 'requests', code: 'rate_limit_exceeded' },
  budget_exceeded: { type: 'insufficient_quota', code: 'insufficient_quota' },
  upstream_rejected: { type: 'invalid_request_error', code: null },
  upstream_rate_limited: { type: 'requests', code: 'rate_limit_exceeded' },
  upstream_unavailable: { type: 'server_error', code: 'upstream_unavailable' },
  upstream_timeout: { type: 'server_error', code: 'upstream_timeout' },
  overloaded: { type: 'server_error', code: 'overloaded' },
  cancelled: { type: 'invalid_request_error', code: 'cancelled' },
  internal: { type: 'server_error', code: 'internal_error' },
};

export function encodeError(error: GatewayError): JsonObject {
  const { type, code } = ERROR_WORDS[error.kind];
  return {
    error: {
      message: error.message,
      type: error.measure ?? type,
      param: error.param ?? null,
      code: saysContextLength(error) ? CONTEXT_LENGTH_CODE : (error.code ?? code),
    },
  };
}
