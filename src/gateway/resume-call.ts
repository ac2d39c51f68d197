import { appendAll } from '../conversation/append-all.ts';
import { GatewayError, invalidRequest } from '../conversation/gateway-error.ts';
import { isObject, type JsonObject, tryParseJson } from '../conversation/json.ts';
import { noteOtherNumbers, writeWithLongNumbers } from '../conversation/long-numbers.ts';
import { findTopLevelFields, parseField } from '../dialects/request-fields.ts';
import {
  expandRequest,
  inputItems,
  referencedResponses,
  resolveItems,
} from '../dialects/responses/stored.ts';
import { SeenWords } from '../dialects/seen-words.ts';
import type { KeptHere } from '../responses/kept-response.ts';
import type { Call } from './call.ts';
import type { Gateway } from './gateway.ts';
import { parseBody } from './parse-body.ts';
import { ownerOf } from './snapshot.ts';

const PREVIOUS = 'previous_response_id';

/**
 * Whether a call's answer is kept, and what the call goes on from: earlier turns that are kept here are put before its
 * own; a call that goes on from what a provider keeps is pinned to the account there. The one step on the way of a call
 * that may read the store, and only where the call names an earlier response or items of one.
 *
 * @throws GatewayError `invalid_request` for a response that the tenant does not have.
 */
export async function resumeCall(gateway: Gateway, call: Call): Promise<void> {
  const store = readField(call, 'store');
  if (store !== null && typeof store !== 'boolean') {
    throw invalidRequest("'store' must be true or false.", 'store');
  }
  call.keepsAnswer = call.door.keepsAnswers === true && store !== false;
  const id = readField(call, PREVIOUS);
  if (id === null) return resolveReferences(gateway, call);
  if (typeof id !== 'string') throw invalidRequest(`'${PREVIOUS}' must be a string.`, PREVIOUS);
  const earlier = await gateway.responses.find(ownerOf(call), id);
  if (!earlier) throw notFound(id);
  call.began = earlier.target;
  if (earlier.where === 'here') {
    goOnFrom(call, earlier);
    return;
  }
  const provider = earlier.target.slice(0, earlier.target.indexOf('/'));
  call.pinned = {
    provider,
    account: earlier.account,
    what: 'The previous response',
    param: PREVIOUS,
    code: 'previous_response_elsewhere',
  };
}

/** A top-level field; `null` where it is absent. */
function readField({ body, spans }: Call, name: string): unknown {
  const span = spans[name];
  return span ? parseField(body, span, name) : null;
}

function goOnFrom(call: Call, { input, response }: KeptHere): void {
  const sent = parseBody(call.body);
  const earlier = {
    input: inputItems({ input: tryParseJson(input) ?? null }),
    output: outputItems(response),
  };
  noteOtherNumbers(sent, earlier.input);
  noteOtherNumbers(sent, earlier.output);
  replaceBody(call, sent, expandRequest(sent, earlier));
}

/** However many responses a request refers to, no more are looked for. */
const MAX_RESPONSES = 200;

/** Some clients (the AI SDK) name the items of earlier answers by their ids alone: those that are kept here are put in. */
async function resolveReferences(gateway: Gateway, call: Call): Promise<void> {
  if (!call.words.has('item_reference')) return;
  const sent = parseBody(call.body);
  const ids = referencedResponses(sent);
  if (ids.size === 0) return;
  if (ids.size > MAX_RESPONSES) {
    throw invalidRequest(
      `'input' refers to items of more than ${MAX_RESPONSES} responses. Send the items themselves.`,
      'input',
    );
  }
  const items: JsonObject[] = [];
  for (const id of ids) {
    const kept = await gateway.responses.find(ownerOf(call), id);
    if (kept?.where === 'here') appendAll(items, outputItems(kept.response));
  }
  noteOtherNumbers(sent, items);
  replaceBody(call, sent, resolveItems(sent, items));
}

function replaceBody(call: Call, sent: JsonObject, body: JsonObject): void {
  const { snapshot } = call;
  const expanded = Buffer.from(writeWithLongNumbers(body, sent));
  if (expanded.length > snapshot.maxBodyBytes) {
    throw new GatewayError(
      'payload_too_large',
      `With its earlier turns the request is larger than the limit of ${snapshot.maxBodyBytes} bytes.`,
      { param: 'input' },
    );
  }
  call.sent = sent;
  call.body = expanded;
  call.words = new SeenWords();
  call.spans = findTopLevelFields(expanded, call.door.passThrough.fields, call.words);
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
