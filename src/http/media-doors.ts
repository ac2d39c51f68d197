import type { FastifyInstance } from 'fastify';
import { chat } from '../dialects/chat/index.ts';
import { passThrough } from '../dialects/media/pass-through.ts';
import type { Door } from '../gateway/door.ts';
import type { Gateway } from '../gateway/gateway.ts';
import { requireKey } from './access.ts';
import { addCallDoor } from './call-doors.ts';
import { besideBody, OF_OPENAI } from './callers-headers.ts';
import { readBearer } from './credentials.ts';
import type { Lifecycle } from './lifecycle.ts';
import { takeCall } from './take-call.ts';

type MediaDoor = Pick<Door, 'operation' | 'relayedPlace' | 'usualModel'>;

const JSON_DOORS: Readonly<Record<string, MediaDoor>> = {
  '/v1/images/generations': { operation: 'image', relayedPlace: 'image' },
  '/v1/audio/speech': { operation: 'speech', relayedPlace: 'speech' },
  '/v1/moderations': {
    ...{ operation: 'moderate', relayedPlace: 'moderate' },
    // OpenAI API reference, "Create moderation": `model` defaults to this one.
    usualModel: { name: 'omni-moderation-latest', provider: 'openai' },
  },
  '/v1/rerank': { operation: 'rerank', relayedPlace: 'rerank' },
  '/v2/rerank': { operation: 'rerank', relayedPlace: 'rerank_v2' },
};

/** What OpenAI's API has beside text, and rerank in Cohere's form: relayed where a provider has it. */
export function addMediaDoors(app: FastifyInstance, gateway: Gateway, lifecycle: Lifecycle): void {
  app.register(async (doors) => {
    requireKey(doors, { gateway, lifecycle, readKey: ({ headers }) => readBearer(headers) });
    for (const [path, what] of Object.entries(JSON_DOORS)) {
      const door: Door = { dialect: chat, passThrough, ...what };
      addCallDoor(doors, path, { dialect: chat, door }, (request, reply) =>
        takeCall(gateway, door, request, reply, besideBody(request, OF_OPENAI)),
      );
    }
  });
}
