import type { GatewayError } from '../../conversation/gateway-error.ts';
import { isObject, type JsonObject } from '../../conversation/json.ts';
import { encodeError, responseError } from './errors.ts';

/**
 * OpenAI reports a failure twice: SDKs throw at `error`, and read no further; others (Codex) wait for the failed
 * response. The fields of the error stand flat, as documented, and nested, as OpenAI sends them.
 */
export function failure(error: GatewayError, response: JsonObject | undefined): [string, JsonObject][] {
  const { error: said } = encodeError(error);
  const nested = isObject(said) ? said : {};
  const { code = null, message = '', param = null } = nested;
  const events: [string, JsonObject][] = [['error', { code, message, param, error: nested }]];
  if (response) events.push(['response.failed', { response: failedResponse(error, response) }]);
  return events;
}

function failedResponse(error: GatewayError, response: JsonObject): JsonObject {
  return { ...response, status: 'failed', error: responseError(error) };
}

/** One event of a stream, named by its type. */
export function writeEvent(event: JsonObject): string {
  return `event: ${String(event['type'])}\ndata: ${JSON.stringify(event)}\n\n`;
}

/** The last words of a stream that passed through so far; `response` as it was last seen. */
export function failureEvents(
  error: GatewayError,
  sequence: number,
  response: JsonObject | undefined,
): string {
  return failure(error, response)
    .map(([type, fields], index) => writeEvent({ type, sequence_number: sequence + index, ...fields }))
    .join('');
}

/** The second of them, where the provider said the first. */
export function failedResponseEvent(error: GatewayError, sequence: number, response: JsonObject): string {
  return writeEvent({
    type: 'response.failed',
    sequence_number: sequence,
    response: failedResponse(error, response),
  });
}
