import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { GatewayError } from '../conversation/gateway-error.ts';
import { chat } from '../dialects/chat/index.ts';
import { passThrough } from '../dialects/chat/pass-through.ts';
import { authenticate } from '../gateway/admit.ts';
import { Call } from '../gateway/call.ts';
import type { Door } from '../gateway/door.ts';
import type { Gateway } from '../gateway/gateway.ts';
import { handleCall } from '../gateway/handle-call.ts';
import type { Caller } from '../gateway/snapshot.ts';
import { readBearer } from './credentials.ts';
import type { Lifecycle } from './lifecycle.ts';

const CHAT_COMPLETIONS: Door = { dialect: chat, operation: 'generate', passThrough };
const EMBEDDINGS: Door = { dialect: chat, operation: 'embed', passThrough };

declare module 'fastify' {
  interface FastifyRequest {
    /** Who calls, at the doors that need a key. */
    caller: Caller | null;
  }
}

/** The doors that OpenAI's clients know. */
export function addOpenAiDoors(app: FastifyInstance, gateway: Gateway, lifecycle: Lifecycle): void {
  app.register(async (doors) => {
    const config = { dialect: chat };
    doors.decorateRequest('caller', null);
    // Before any body is read: whoever has no key must not be able to fill the memory either.
    doors.addHook('onRequest', (request, reply, done) => {
      refuseUnlessReady(lifecycle, reply);
      request.caller = authenticate(gateway.snapshot, readBearer(request.headers));
      done();
    });
    doors.post('/v1/chat/completions', { config }, (request, reply) =>
      takeCall(gateway, CHAT_COMPLETIONS, request, reply),
    );
    doors.post('/v1/embeddings', { config }, (request, reply) =>
      takeCall(gateway, EMBEDDINGS, request, reply),
    );
    doors.get('/v1/models', { config }, async ({ caller }) => ({
      object: 'list',
      data: listModels(gateway, authenticated(caller)),
    }));
    // Model ids hold slashes ("openai/gpt-4.1"), encoded or not.
    doors.get('/v1/models/*', { config }, async ({ caller, params }) => {
      const { '*': id } = params as { '*': string };
      return findModel(gateway, authenticated(caller), id);
    });
  });
}

function refuseUnlessReady({ phase }: Lifecycle, reply: FastifyReply): void {
  if (phase === 'ready') return;
  // The next try should meet another instance.
  reply.header('connection', 'close');
  throw new GatewayError('overloaded', `This instance is ${phase}; try again.`, { retryAfterMs: 1000 });
}

/** The hook has set it, or thrown. */
function authenticated(caller: Caller | null): Caller {
  if (!caller) throw new Error('a door that needs a key was entered without one');
  return caller;
}

const NO_BODY = Buffer.alloc(0);

function takeCall(gateway: Gateway, door: Door, request: FastifyRequest, reply: FastifyReply): void {
  reply.hijack();
  // Gone while its body was unpacked: its 'close' has been, and nobody would ever cancel the call.
  if (reply.raw.destroyed) return;
  const call = new Call({
    id: request.id,
    startedAt: gateway.now(),
    startedMs: gateway.monotonicMs(),
    door,
    snapshot: gateway.snapshot,
    caller: authenticated(request.caller),
    body: Buffer.isBuffer(request.body) ? request.body : NO_BODY,
    response: reply.raw,
  });
  handleCall(gateway, call).catch((err: unknown) => {
    gateway.log.error({ call: call.id, err }, 'a call could not be answered');
    call.response.destroy();
  });
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
