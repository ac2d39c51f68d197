import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { GatewayError, invalidRequest } from '../conversation/gateway-error.ts';
import { type JsonObject, tryParseJson } from '../conversation/json.ts';
import { countPassThrough } from '../dialects/responses/count-tokens.ts';
import { responses } from '../dialects/responses/index.ts';
import { pageOfItems } from '../dialects/responses/item-pages.ts';
import { passThrough } from '../dialects/responses/pass-through.ts';
import { inputItems, listInputItems } from '../dialects/responses/stored.ts';
import type { Door } from '../gateway/door.ts';
import type { Gateway } from '../gateway/gateway.ts';
import { type KeptCall, recordKept } from '../gateway/record-kept.ts';
import { type KeptRequest, relayKept } from '../gateway/relay-kept.ts';
import type { KeptHere } from '../responses/kept-response.ts';
import { authenticated, ownerOfRequest, requireKey } from './access.ts';
import { addCallDoor } from './call-doors.ts';
import { besideBody, OF_OPENAI, readCallersHeaders } from './callers-headers.ts';
import { queryValue, readBearer } from './credentials.ts';
import type { Lifecycle } from './lifecycle.ts';
import { takeCall } from './take-call.ts';

export const RESPONSES: Door = { dialect: responses, operation: 'generate', passThrough, keepsAnswers: true };

/** Source: OpenAI API reference (responses: count input tokens). */
const INPUT_TOKENS: Door = {
  dialect: responses,
  operation: 'count',
  passThrough: countPassThrough,
  namesAnswers: true,
};

/** What comes of it only OpenAI can read, and it says its usage as an answer does. Source: OpenAI API reference (responses: compact). */
const COMPACT: Door = {
  dialect: responses,
  operation: 'generate',
  relaysAs: 'compact',
  onlyRelays: true,
  passThrough,
  namesAnswers: true,
};

const CALL_DOORS: Readonly<Record<string, Door>> = {
  '/v1/responses': RESPONSES,
  '/v1/responses/input_tokens': INPUT_TOKENS,
  '/v1/responses/compact': COMPACT,
};

/** What can be asked about a response that is kept. */
interface KeptDoor {
  method: KeptRequest['method'];
  /** Behind the response's id. */
  resource: string;
  /** The answer where the response is kept here. */
  answer(kept: KeptHere, query: unknown): JsonObject;
  /** The response is gone after it. */
  forgets?: boolean;
}

/** Source: OpenAI API reference (responses: get, delete, cancel, list input items). */
const KEPT_DOORS: readonly KeptDoor[] = [
  { method: 'GET', resource: '', answer: showResponse },
  {
    method: 'DELETE',
    resource: '',
    answer: ({ id }) => ({ id, object: 'response', deleted: true }),
    forgets: true,
  },
  { method: 'GET', resource: '/input_items', answer: showInputItems },
  {
    method: 'POST',
    resource: '/cancel',
    answer: () => {
      throw invalidRequest(
        'Cannot cancel a synchronous response: only one that was created with `background: true` can be cancelled.',
      );
    },
  },
];

/** OpenAI's Responses API. */
export function addResponsesDoors(app: FastifyInstance, gateway: Gateway, lifecycle: Lifecycle): void {
  app.register(async (doors) => {
    const config = { dialect: responses };
    requireKey(doors, { gateway, lifecycle, readKey: ({ headers }) => readBearer(headers) });
    for (const [path, door] of Object.entries(CALL_DOORS)) {
      addCallDoor(doors, path, { ...config, door }, (request, reply) =>
        takeCall(gateway, door, request, reply, besideBody(request, OF_OPENAI)),
      );
    }
    for (const door of KEPT_DOORS) {
      doors.route({
        method: door.method,
        url: `/v1/responses/:id${door.resource}`,
        config,
        handler: (request, reply) => {
          const { id, caller } = request;
          const call: KeptCall = { id, caller: authenticated(caller), response: reply.raw };
          return recordKept(gateway, call, () => answerKept(gateway, door, call, request, reply));
        },
      });
    }
  });
}

async function answerKept(
  gateway: Gateway,
  door: KeptDoor,
  call: KeptCall,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<unknown> {
  const owner = ownerOfRequest(request);
  const { id } = request.params as { id: string };
  const kept = await gateway.responses.find(owner, id);
  // In OpenAI's words, and the same for what another tenant has: nobody learns what others have.
  if (!kept) throw new GatewayError('not_found', `Response with id '${id}' not found.`);
  call.target = kept.target;
  if (kept.where === 'here') {
    const answer = door.answer(kept, request.query);
    if (door.forgets === true) await gateway.responses.remove(owner, id);
    return answer;
  }
  const query = request.url.includes('?') ? request.url.slice(request.url.indexOf('?')) : '';
  const forward = readCallersHeaders(request.headers, OF_OPENAI);
  const { method, resource } = door;
  const asked: KeptRequest = { method, resource, query, dialect: responses, forward };
  await relayKept(gateway, kept, asked, reply.raw, request.id);
  // Only now: what the provider would not delete is still the tenant's.
  if (door.forgets === true) await gateway.responses.remove(owner, id);
  return reply.hijack();
}

/** All that can be included is. */
function showResponse({ response }: KeptHere, query: unknown): JsonObject {
  if (queryValue(query, 'stream') !== 'true') return response;
  throw invalidRequest(
    'Only a response that was created with `background: true` can be streamed again.',
    'stream',
  );
}

function showInputItems({ id, input }: KeptHere, query: unknown): JsonObject {
  const items = listInputItems(inputItems({ input: tryParseJson(input) ?? null }), id);
  const page = { after: queryValue(query, 'after'), limit: queryValue(query, 'limit') };
  return pageOfItems(items, { ...page, order: queryValue(query, 'order') });
}
