import type { FastifyInstance, FastifyRequest } from 'fastify';
import { GatewayError } from '../conversation/gateway-error.ts';
import { adviseAccess } from '../gateway/advise-access.ts';
import type { Gateway } from '../gateway/gateway.ts';
import type { Caller } from '../gateway/snapshot.ts';
import { authenticated, requireKey } from './access.ts';
import { guessDialect, readGuessedKey } from './caller-dialect.ts';
import type { Lifecycle } from './lifecycle.ts';
import { describeModel, describeModels } from './model-lists.ts';

/** The models that a key may call, in the form of the caller's dialect: the three APIs share a path. */
export function addModelDoors(app: FastifyInstance, gateway: Gateway, lifecycle: Lifecycle): void {
  app.register(async (doors) => {
    requireKey(doors, { gateway, lifecycle, readKey: readGuessedKey });
    for (const version of ['/v1', '/v1beta', '/v1alpha']) {
      doors.get(`${version}/models`, async (request) => {
        const names = callableModels(gateway, authenticated(request.caller));
        return describeModels(guessDialect(request).name, names, created(gateway), request.query);
      });
      // Model ids hold slashes ("openai/gpt-4.1"), encoded or not.
      doors.get(`${version}/models/*`, async (request) => {
        const id = findModel(gateway, authenticated(request.caller), request);
        return describeModel(guessDialect(request).name, id, created(gateway));
      });
    }
  });
}

function created({ snapshot }: Gateway): number {
  return snapshot.created;
}

function callableModels({ snapshot }: Gateway, caller: Caller): string[] {
  return snapshot.routes.modelNames().filter((name) => caller.mayCall(name));
}

function findModel({ snapshot }: Gateway, caller: Caller, { params }: FastifyRequest): string {
  const { '*': id } = params as { '*': string };
  if (caller.mayCall(id) && snapshot.routes.resolve(id)) return id;
  throw new GatewayError(
    'not_found',
    `The model '${id}' does not exist or this key may not call it.${caller.mayCall(id) ? '' : ` ${adviseAccess(caller, id)}`}`,
    {
      param: 'model',
      code: 'model_not_found',
    },
  );
}
