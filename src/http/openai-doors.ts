import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { GatewayError } from '../conversation/gateway-error.ts';
import { chat } from '../dialects/chat/index.ts';
import { passThrough } from '../dialects/chat/pass-through.ts';
import { Call } from '../gateway/call.ts';
import type { Door } from '../gateway/door.ts';
import type { Gateway } from '../gateway/gateway.ts';
import { handleCall } from '../gateway/handle-call.ts';
import { sendError } from '../gateway/respond.ts';
import type { Caller } from '../gateway/snapshot.ts';
import { readBearer } from './credentials.ts';
import type { Lifecycle } from './lifecycle.ts';

const CHAT_COMPLETIONS: Door = { dialect: chat, operation: 'generate', passThrough };
const EMBEDDINGS: Door = { dialect: chat, operation: 'embed', passThrough };

/** The doors that OpenAI's clients know. */
export function addOpenAiDoors(app: FastifyInstance, gateway: Gateway, lifecycle: Lifecycle): void {
  const config = { dialect: chat };
  app.post('/v1/chat/completions', { config }, (request, reply) =>
    takeCall(gateway, lifecycle, CHAT_COMPLETIONS, request, reply),
  );
  app.post('/v1/embeddings', { config }, (request, reply) =>
    takeCall(gateway, lifecycle, EMBEDDINGS, request, reply),
  );
  app.get('/v1/models', { config }, async (request) => ({
    object: 'list',
    data: listModels(gateway, authenticate(gateway, request)),
  }));
  // Model ids hold slashes ("openai/gpt-4.1"), encoded or not.
  app.get('/v1/models/*', { config }, async (request) => {
    const caller = authenticate(gateway, request);
    const { '*': id } = request.params as { '*': string };
    return findModel(gateway, caller, id);
  });
}

const NO_BODY = Buffer.alloc(0);

function takeCall(
  gateway: Gateway,
  lifecycle: Lifecycle,
  door: Door,
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  reply.hijack();
  const call = new Call({
    id: gateway.makeCallId(),
    startedAt: gateway.now(),
    startedMs: gateway.monotonicMs(),
    door,
    snapshot: gateway.snapshot,
    credential: readBearer(request.headers),
    body: Buffer.isBuffer(request.body) ? request.body : NO_BODY,
    response: reply.raw,
  });
  if (lifecycle.phase !== 'ready') {
    call.response.shouldKeepAlive = false;
    sendError(
      gateway,
      call,
      new GatewayError('overloaded', `This instance is ${lifecycle.phase}; try again.`, {
        retryAfterMs: 1000,
      }),
    );
    return;
  }
  handleCall(gateway, call).catch((err: unknown) => {
    gateway.log.error({ call: call.id, err }, 'a call could not be answered');
    call.response.destroy();
  });
}

function authenticate(gateway: Gateway, request: FastifyRequest): Caller {
  const credential = readBearer(request.headers);
  const caller = credential === undefined ? undefined : gateway.snapshot.findCaller(credential);
  if (caller) return caller;
  throw new GatewayError(
    'unauthenticated',
    'A valid Fairlead key is needed: "Authorization: Bearer sk-fl-…".',
    {
      code: 'invalid_api_key',
    },
  );
}

function listModels(gateway: Gateway, caller: Caller): object[] {
  const { snapshot } = gateway;
  return snapshot.routes
    .modelNames()
    .filter((name) => caller.mayCall(name))
    .map((name) => modelObject(name, snapshot.created));
}

function findModel(gateway: Gateway, caller: Caller, id: string): object {
  const { snapshot } = gateway;
  if (!caller.mayCall(id) || !snapshot.routes.resolve(id)) {
    throw new GatewayError('not_found', `The model '${id}' does not exist or this key may not call it.`, {
      param: 'model',
      code: 'model_not_found',
    });
  }
  return modelObject(id, snapshot.created);
}

/** Source: OpenAI API reference, the model object. */
function modelObject(id: string, created: number): object {
  return { id, object: 'model', created, owned_by: 'fairlead' };
}
