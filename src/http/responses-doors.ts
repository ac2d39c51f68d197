import type { FastifyInstance } from 'fastify';
import { responses } from '../dialects/responses/index.ts';
import { passThrough } from '../dialects/responses/pass-through.ts';
import type { Door } from '../gateway/door.ts';
import type { Gateway } from '../gateway/gateway.ts';
import { requireKey } from './access.ts';
import { readBearer } from './credentials.ts';
import type { Lifecycle } from './lifecycle.ts';
import { takeCall } from './take-call.ts';

const RESPONSES: Door = { dialect: responses, operation: 'generate', passThrough, keepsAnswers: true };

/** OpenAI's Responses API. */
export function addResponsesDoors(app: FastifyInstance, gateway: Gateway, lifecycle: Lifecycle): void {
  app.register(async (doors) => {
    const config = { dialect: responses };
    requireKey(doors, { gateway, lifecycle, readKey: ({ headers }) => readBearer(headers) });
    doors.post('/v1/responses', { config }, (request, reply) => takeCall(gateway, RESPONSES, request, reply));
  });
}
