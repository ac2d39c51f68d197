import { GatewayError } from '../../conversation/gateway-error.ts';
import { isObject } from '../../conversation/json.ts';

/**
 * Refuses a message thread where none are held: the answer would be to another conversation. By the codes upon which Anthropic's
 * SDKs send the whole conversation: with a new thread first, then without any.
 *
 * Source: the official SDK (`BetaMessageThreadParam`, `ThreadState`).
 *
 * @param thread the request's field of that name
 * @throws GatewayError `not_found` where one is gone on with, else `invalid_request`
 */
export function refuseThread(thread: unknown): void {
  if (!isObject(thread)) return;
  if (thread['type'] === 'continue') {
    throw new GatewayError(
      'not_found',
      "The model this call goes to holds no message threads. Send the whole conversation without 'thread'.",
      { param: 'thread.previous_message_id', code: NOT_FOUND, details: { error_code: NOT_FOUND } },
    );
  }
  throw new GatewayError(
    'invalid_request',
    "'thread' cannot be honoured by the model this call goes to, which holds no message threads. Leave it out and send the whole conversation each time, or choose another model.",
    { param: 'thread', code: UNSUPPORTED, details: { error_code: UNSUPPORTED } },
  );
}

const NOT_FOUND = 'thread_not_found';
const UNSUPPORTED = 'thread_unsupported_request';
