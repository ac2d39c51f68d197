import type { FastifyInstance } from 'fastify';
import { PROMPT_PREFIX } from '../config/prompt-prefix.ts';
import { GatewayError } from '../conversation/gateway-error.ts';
import { adviseAccess, mayUse } from '../gateway/advise-access.ts';
import type { Gateway } from '../gateway/gateway.ts';
import type { Caller } from '../gateway/snapshot.ts';
import type { PromptBook } from '../prompts/prompt-book.ts';
import { authenticated, requireKey } from './access.ts';
import { guessDialect, readGuessedKey } from './caller-dialect.ts';
import type { Lifecycle } from './lifecycle.ts';
import { describeModel, describeModels } from './model-lists.ts';

type Prompts = Pick<PromptBook, 'list'>;

/** The models that a key may call, in the form of the caller's dialect: the three APIs share a path. */
export function addModelDoors(
  app: FastifyInstance,
  { gateway, lifecycle, prompts }: { gateway: Gateway; lifecycle: Lifecycle; prompts: Prompts },
): void {
  app.register(async (doors) => {
    requireKey(doors, { gateway, lifecycle, readKey: readGuessedKey });
    for (const version of ['/v1', '/v1beta', '/v1alpha']) {
      doors.get(`${version}/models`, async (request) => {
        const caller = authenticated(request.caller);
        const { name } = guessDialect(request);
        const names = [...callableModels(gateway, caller), ...callablePrompts(prompts, caller, name)];
        return describeModels(name, names, created(gateway), request.query);
      });
      // Model ids hold slashes ("openai/gpt-4.1"), encoded or not.
      doors.get(`${version}/models/*`, async (request) => {
        const caller = authenticated(request.caller);
        const { name } = guessDialect(request);
        const { '*': asked } = request.params as { '*': string };
        const isPrompt = callablePrompts(prompts, caller, name).includes(asked);
        return describeModel(name, isPrompt ? asked : findModel(gateway, caller, asked), created(gateway));
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

/** As they are called at OpenAI's doors; the others have none for them. */
function callablePrompts(prompts: Prompts, caller: Caller, dialect: string): string[] {
  if (dialect !== 'chat') return [];
  const names = prompts.list().map(({ name }) => name);
  return names.filter((name) => caller.mayPrompt(name)).map((name) => PROMPT_PREFIX + name);
}

function findModel({ snapshot }: Gateway, caller: Caller, id: string): string {
  if (caller.mayCall(id) && snapshot.routes.resolve(id)) return id;
  throw new GatewayError(
    'not_found',
    `The model '${id}' does not exist or this key may not call it.${mayUse(caller, id) ? '' : ` ${adviseAccess(caller, id)}`}`,
    {
      param: 'model',
      code: 'model_not_found',
    },
  );
}
