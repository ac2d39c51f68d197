import type { FastifyInstance, FastifyRequest } from 'fastify';
import { isObject, type JsonObject } from '../conversation/json.ts';
import { authenticate } from '../gateway/admit.ts';
import type { Gateway } from '../gateway/gateway.ts';
import type { Prompt } from '../prompts/compile-prompt.ts';
import { describeOperations } from '../prompts/describe-operations.ts';
import type { PromptBook } from '../prompts/prompt-book.ts';
import { looksLikeToken } from '../tenants/token-ring.ts';
import { type AdminParts, describeAdminApi } from './admin/admin-doors.ts';
import { readGuessedKey } from './caller-dialect.ts';

interface Described {
  gateway: Pick<Gateway, 'snapshot'>;
  admin: Pick<AdminParts, 'keys'>;
  prompts: Pick<PromptBook, 'list'>;
}

/**
 * `/openapi.json`: the admin API, which is the same for everybody, and the prompts that the key of the request may call. Which prompts
 * there are is nobody else's business: without a key none is told of, with an admin key all.
 */
export function addOpenApiDoor(app: FastifyInstance, { gateway, admin, prompts }: Described): void {
  // Made when it is asked for: no start needs to wait for it.
  let adminApi: JsonObject | undefined;
  app.get('/openapi.json', async (request) => {
    adminApi ??= describeAdminApi();
    const mayPrompt = await promptsOf(gateway, admin, request);
    return mayPrompt
      ? withPrompts(
          adminApi,
          prompts.list().filter(({ name }) => mayPrompt(name)),
        )
      : adminApi;
  });
}

/** @throws GatewayError `unauthenticated` for a key that is none */
async function promptsOf(
  { snapshot }: Pick<Gateway, 'snapshot'>,
  { keys }: Pick<AdminParts, 'keys'>,
  request: FastifyRequest,
): Promise<((name: string) => boolean) | undefined> {
  const credential = readGuessedKey(request);
  if (credential === undefined) return undefined;
  if (keys.find(credential)) return () => true;
  const { tokens } = snapshot;
  if (tokens && looksLikeToken(credential) && !tokens.find(credential)) await tokens.admit(credential);
  const caller = authenticate(snapshot, credential);
  return (name) => caller.mayPrompt(name);
}

function withPrompts(document: JsonObject, prompts: readonly Prompt[]): JsonObject {
  const components = isObject(document['components']) ? document['components'] : {};
  const { paths, schemas } = describeOperations(prompts, { $ref: '#/components/schemas/Error' });
  return {
    ...document,
    paths: { ...(isObject(document['paths']) ? document['paths'] : {}), ...paths },
    components: {
      ...components,
      schemas: { ...(isObject(components['schemas']) ? components['schemas'] : {}), ...schemas },
    },
  };
}
