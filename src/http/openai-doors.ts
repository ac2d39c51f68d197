import type { FastifyInstance } from 'fastify';
import { chat } from '../dialects/chat/index.ts';
import { embeddingsPassThrough, passThrough } from '../dialects/chat/pass-through.ts';
import { completions } from '../dialects/completions/index.ts';
import { passThrough as completionsPassThrough } from '../dialects/completions/pass-through.ts';
import type { Door } from '../gateway/door.ts';
import type { Gateway } from '../gateway/gateway.ts';
import { requireKey } from './access.ts';
import { addCallDoor } from './call-doors.ts';
import { besideBody, OF_OPENAI } from './callers-headers.ts';
import { readBearer } from './credentials.ts';
import type { Lifecycle } from './lifecycle.ts';
import { takeCall } from './take-call.ts';

export const CHAT_COMPLETIONS: Door = { dialect: chat, operation: 'generate', passThrough };
const EMBEDDINGS: Door = { dialect: chat, operation: 'embed', passThrough: embeddingsPassThrough };
export const COMPLETIONS: Door = {
  dialect: completions,
  operation: 'generate',
  passThrough: completionsPassThrough,
  completesText: true,
};

/** The doors that OpenAI's clients know. */
export function addOpenAiDoors(app: FastifyInstance, gateway: Gateway, lifecycle: Lifecycle): void {
  app.register(async (doors) => {
    requireKey(doors, { gateway, lifecycle, readKey: ({ headers }) => readBearer(headers) });
    addCallDoor(doors, '/v1/chat/completions', { dialect: chat, door: CHAT_COMPLETIONS }, (request, reply) =>
      takeCall(gateway, CHAT_COMPLETIONS, request, reply, besideBody(request, OF_OPENAI)),
    );
    addCallDoor(doors, '/v1/completions', { dialect: chat, door: COMPLETIONS }, (request, reply) =>
      takeCall(gateway, COMPLETIONS, request, reply, besideBody(request, OF_OPENAI)),
    );
    addCallDoor(doors, '/v1/embeddings', { dialect: chat, door: EMBEDDINGS }, (request, reply) =>
      takeCall(gateway, EMBEDDINGS, request, reply, besideBody(request, OF_OPENAI)),
    );
  });
}
