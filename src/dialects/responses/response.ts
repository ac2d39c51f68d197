import { collectEvents, completionEvents } from '../../conversation/collect.ts';
import type { Completion } from '../../conversation/completion.ts';
import { GatewayError } from '../../conversation/gateway-error.ts';
import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import { failureOf } from './errors.ts';
import { ResponseWriter } from './response-writer.ts';
import { ResponsesStreamDecoder } from './stream-decoder.ts';

/** States of a response that is not over (background mode). */
const UNDER_WAY = new Set<JsonValue | undefined>(['queued', 'in_progress']);

/**
 * The whole, non-streaming answer. It is what the last event of a stream holds, and is read and written as that, so
 * that both forms of an answer are the same.
 *
 * Source: OpenAI API reference (response object).
 *
 * @throws GatewayError `upstream_unavailable` where the body is no response, or one that is not over; the error that it
 * holds if it does.
 */
export function decodeResponse(body: JsonValue): Completion {
  const failure = failureOf(body);
  if (failure) throw failure;
  if (!isObject(body) || !Array.isArray(body['output'])) {
    throw new GatewayError('upstream_unavailable', 'The provider sent an answer that is no response object.');
  }
  if (UNDER_WAY.has(body['status'])) {
    throw new GatewayError(
      'upstream_unavailable',
      `The provider sent a response that is not over yet: its status is '${String(body['status'])}'.`,
    );
  }
  const events = new ResponsesStreamDecoder().pushEvent('response.completed', { response: body });
  const { completion } = collectEvents(events);
  if (completion.choices.length === 0) completion.choices.push({ index: 0, parts: [], finish: 'stop' });
  return completion;
}

/** Writes a completion of any dialect as a client of this one gets it; `request` is the body that the client sent. */
export function encodeResponse(completion: Completion, request?: JsonObject, dropped?: string[]): JsonObject {
  const writer = new ResponseWriter(request, dropped);
  let last: JsonObject | undefined;
  for (const event of completionEvents(completion)) last = writer.push(event).at(-1) ?? last;
  const response = last?.['response'];
  return isObject(response) ? response : {};
}
