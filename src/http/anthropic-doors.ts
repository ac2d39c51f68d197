import type { FastifyInstance } from 'fastify';
import { messages } from '../dialects/messages/index.ts';
import { countPassThrough, passThrough } from '../dialects/messages/pass-through.ts';
import type { Door } from '../gateway/door.ts';
import type { Gateway } from '../gateway/gateway.ts';
import { requireKey } from './access.ts';
import { addCallDoor } from './call-doors.ts';
import { besideBody, OF_ANTHROPIC } from './callers-headers.ts';
import { readAnthropicKey } from './credentials.ts';
import type { Lifecycle } from './lifecycle.ts';
import { takeCall } from './take-call.ts';

/** Anthropic's SDKs show the id of a request under this name. */
const REQUEST_ID = 'request-id';

export const MESSAGES: Door = {
  dialect: messages,
  operation: 'generate',
  passThrough,
  requestIdHeader: REQUEST_ID,
};
const COUNT_TOKENS: Door = {
  dialect: messages,
  operation: 'count',
  passThrough: countPassThrough,
  requestIdHeader: REQUEST_ID,
};

/** The doors that Anthropic's clients know. */
export function addAnthropicDoors(app: FastifyInstance, gateway: Gateway, lifecycle: Lifecycle): void {
  app.register(async (doors) => {
    requireKey(doors, { gateway, lifecycle, readKey: readAnthropicKey });
    addCallDoor(doors, '/v1/messages', { dialect: messages, door: MESSAGES }, (request, reply) =>
      takeCall(gateway, MESSAGES, request, reply, besideBody(request, OF_ANTHROPIC)),
    );
    addCallDoor(
      doors,
      '/v1/messages/count_tokens',
      { dialect: messages, door: COUNT_TOKENS },
      (request, reply) => takeCall(gateway, COUNT_TOKENS, request, reply, besideBody(request, OF_ANTHROPIC)),
    );
  });
}
