import type { GatewayError } from '../../conversation/gateway-error.ts';
import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import { embeddedError } from '../chat/errors.ts';
import { CONTEXT_LENGTH_CODE, saysContextLength } from '../context-length.ts';

/** Error answers are those of all of OpenAI's API. */
export { decodeError, encodeError } from '../chat/errors.ts';

/**
 * The error that came in place of a whole answer: `{ error }`, or a response whose `status` is `failed` and which says
 * why in `error`. A good response has `error: null`.
 */
export function failureOf(value: JsonValue | undefined): GatewayError | undefined {
  if (Array.isArray(value)) return failureOf(value[0]);
  if (!isObject(value)) return undefined;
  const { error, status, object, message } = value;
  if (error !== undefined && error !== null) return embeddedError({ error });
  if (status === 'failed' || status === 'cancelled') {
    return embeddedError({ error: { message: `The provider's response has the status '${status}'.` } });
  }
  return object === 'error' && typeof message === 'string' ? embeddedError(value) : undefined;
}

/** The error of a stream's `error` event, flat as documented or nested as OpenAI also sends it. */
export function eventError(event: JsonObject): GatewayError {
  const { type: _, sequence_number: __, error, ...flat } = event;
  return embeddedError({ error: error ?? flat });
}

/** The codes that `response.error` may have (`ResponseError`), as far as our own errors need them. */
const FAILURE_CODES: ReadonlySet<string> = new Set(['server_error', 'rate_limit_exceeded', 'invalid_prompt']);

/** An error as it stands in a failed response. */
export function responseError(error: GatewayError): JsonObject {
  const { kind, code, message } = error;
  if (saysContextLength(error)) return { code: CONTEXT_LENGTH_CODE, message };
  if (code !== undefined && FAILURE_CODES.has(code)) return { code, message };
  const isLimit = kind === 'upstream_rate_limited' || kind === 'rate_limited' || kind === 'overloaded';
  if (isLimit) return { code: 'rate_limit_exceeded', message };
  const isCallers = kind === 'upstream_rejected' || kind === 'invalid_request';
  // A code that programs may know is worth more than one of the listed ones.
  return { code: isCallers ? (code ?? 'invalid_prompt') : 'server_error', message };
}
