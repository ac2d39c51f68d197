import type { FastifyInstance, FastifyReply } from 'fastify';
import { PROMPT_PREFIX } from '../config/prompt-prefix.ts';
import { GatewayError } from '../conversation/gateway-error.ts';
import type { JsonObject } from '../conversation/json.ts';
import { adviseAccess, mayUse } from '../gateway/advise-access.ts';
import type { Gateway } from '../gateway/gateway.ts';
import { endSeen, type SeenEnd } from '../gateway/retire-model.ts';
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
      doors.get(`${version}/models/*`, async (request, reply) => {
        const caller = authenticated(request.caller);
        const { name } = guessDialect(request);
        const { '*': asked } = request.params as { '*': string };
        const isPrompt = callablePrompts(prompts, caller, name).includes(asked);
        const id = isPrompt ? asked : findModel(gateway, caller, asked);
        const end = isPrompt ? undefined : endSeen(gateway.snapshot, id);
        if (end) setHeaders(reply, end.headers);
        return { ...describeModel(name, id, created(gateway)), ...(end && describeEnd(end)) };
      });
    }
  });
}

/** In the form of no vendor: none tells of it here. */
function describeEnd({ atMs, successor }: SeenEnd): JsonObject {
  return { retiresAt: new Date(atMs).toISOString(), successor: successor ?? null };
}

/** `headers`: names and values, in turns. */
function setHeaders(reply: FastifyReply, headers: readonly string[]): void {
  for (let at = 0; at + 1 < headers.length; at += 2) reply.header(headers[at] ?? '', headers[at + 1]);
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
