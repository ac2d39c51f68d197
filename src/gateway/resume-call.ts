import { GatewayError, invalidRequest } from '../conversation/gateway-error.ts';
import { isObject, type JsonObject, tryParseJson } from '../conversation/json.ts';
import { findTopLevelFields, parseField } from '../dialects/request-fields.ts';
import { expandRequest, inputItems } from '../dialects/responses/stored.ts';
import type { KeptHere } from '../responses/kept-response.ts';
import type { Call } from './call.ts';
import type { Gateway } from './gateway.ts';

const PREVIOUS = 'previous_response_id';

/**
 * Whether a call's answer is kept, and what the call goes on from: earlier turns that are kept here are put before its
 * own; a call that goes on from what a provider keeps is pinned to the account there. The one step on the way of a call
 * that may read the store, and only where the call names an earlier response.
 *
 * @throws GatewayError `invalid_request` for a response that the tenant does not have.
 */
export async function resumeCall(gateway: Gateway, call: Call): Promise<void> {
  const store = readField(call, 'store');
  if (store !== null && typeof store !== 'boolean') {
    throw invalidRequest("'store' must be true or false.", 'store');
  }
  call.keepsAnswer = store !== false;
  const id = readField(call, PREVIOUS);
  if (id === null) return;
  if (typeof id !== 'string') throw invalidRequest(`'${PREVIOUS}' must be a string.`, PREVIOUS);
  const earlier = await gateway.responses.find(call.caller.tenant, id);
  if (!earlier) throw notFound(id);
  if (earlier.where === 'here') {
    goOnFrom(call, earlier);
    return;
  }
  const provider = earlier.target.slice(0, earlier.target.indexOf('/'));
  call.pinned = { provider, account: earlier.account };
}

/** A top-level field; `null` where it is absent. */
function readField({ body, spans }: Call, name: string): unknown {
  const span = spans[name];
  return span ? parseField(body, span, name) : null;
}

function goOnFrom(call: Call, { input, response }: KeptHere): void {
  const { body, snapshot } = call;
  const sent = tryParseJson(body.toString('utf8'));
  if (!isObject(sent)) throw invalidRequest('The request body is not valid JSON.');
  const earlier = {
    input: inputItems({ input: tryParseJson(input) ?? null }),
    output: outputItems(response),
  };
  const expanded = Buffer.from(JSON.stringify(expandRequest(sent, earlier)));
  if (expanded.length > snapshot.maxBodyBytes) {
    throw new GatewayError(
      'payload_too_large',
      `With its earlier turns the request is larger than the limit of ${snapshot.maxBodyBytes} bytes.`,
      { param: PREVIOUS },
    );
  }
  call.sent = sent;
  call.body = expanded;
  call.spans = findTopLevelFields(expanded, call.door.passThrough.fields);
}

function outputItems({ output }: JsonObject): JsonObject[] {
  return Array.isArray(output) ? output.filter(isObject) : [];
}

/** In OpenAI's words. The same for what another tenant has: nobody learns what others have. */
function notFound(id: string): GatewayError {
  return invalidRequest(
    `Previous response with id '${id}' not found.`,
    PREVIOUS,
    'previous_response_not_found',
  );
}
