import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { grantedModel } from '../config/fields.ts';
import { promptNamed } from '../config/prompt-prefix.ts';
import type { Config } from '../config/resolve.ts';
import { GatewayError, invalidRequest } from '../conversation/gateway-error.ts';
import type { JsonObject } from '../conversation/json.ts';
import { adviseAccess, isKeyLimited, mayUse } from '../gateway/advise-access.ts';
import type { Gateway } from '../gateway/gateway.ts';
import { type AccessRequest, REQUEST_ID } from '../tenants/access-requests.ts';
import { authenticated, ownerOfRequest, requireKey } from './access.ts';
import type { AdminParts } from './admin/admin-door.ts';
import { pageQuery, parseBody, parseQuery, readBody } from './admin/parse.ts';
import { readGuessedKey } from './caller-dialect.ts';
import type { Lifecycle } from './lifecycle.ts';

const MOST_TEXT = 2_000;

/** What a person has to say. PostgreSQL keeps no NUL. */
export function remark() {
  const expected = `text of at most ${MOST_TEXT} characters`;
  return z
    .string({ error: expected })
    .trim()
    .min(1, { error: `${expected} that is not empty` })
    .max(MOST_TEXT, { error: expected })
    .refine((value) => !value.includes('\0'), { error: 'text without NUL' });
}

export const requestState = z
  .enum(['pending', 'approved', 'denied'], { error: 'give one of pending, approved, denied' })
  .optional()
  .describe('Requests that came to this.');

/** The parameters of a list of requests. */
export const requestsQuery = pageQuery.extend({
  state: requestState,
  cursor: z
    .string({ error: 'give it once' })
    .regex(REQUEST_ID, { error: "give the 'nextCursor' of the page before" })
    .optional()
    .describe("The 'nextCursor' of the page before."),
});

const askedAccess = z.strictObject({ model: grantedModel(), reason: remark() });

/**
 * Where a tenant asks for access to a model or a prompt, by any of its keys, and looks what became of it. Nothing here tells of other
 * tenants, or which models and prompts there are.
 */
export function addAccessRequestDoors(
  app: FastifyInstance,
  gateway: Gateway,
  lifecycle: Lifecycle,
  { access, control, events }: Pick<AdminParts, 'access' | 'control' | 'events'>,
): void {
  app.register(
    async (doors) => {
      requireKey(doors, { gateway, lifecycle, readKey: readGuessedKey });
      doors.post('/', async (request, reply) => {
        const caller = authenticated(request.caller);
        const { model, reason } = parseBody(askedAccess, readBody(request.body));
        refuseVersion(model);
        if (mayUse(caller, model)) {
          throw new GatewayError('invalid_request', `This key may call '${model}' already.`, {
            status: 409,
            code: 'already_allowed',
            param: 'model',
          });
        }
        if (isKeyLimited(caller, model)) {
          const message = `No approval would let this key call '${model}'. ${adviseAccess(caller, model)}`;
          throw new GatewayError('forbidden', message, { code: 'key_is_limited', param: 'model' });
        }
        const { tenant, key } = caller;
        const asked = await access.ask({ ...ownerOfRequest(request), key, model, reason });
        if (asked.isNew) {
          const details = { request: asked.request.id, tenant, key, model };
          events.note(
            'access_requested',
            'info',
            `The tenant '${tenant}' asks for access to '${model}'.`,
            details,
          );
        }
        return reply.code(asked.isNew ? 201 : 200).send(describeRequest(asked.request, control.config));
      });
      doors.get('/', async (request) => {
        const { cursor, ...query } = parseQuery(requestsQuery, request.query);
        const requests = await access.list({ ...query, before: cursor, asker: ownerOfRequest(request) });
        return pageOfRequests(requests, query.limit, (one) => describeRequest(one, control.config));
      });
      doors.get('/:id', async (request) => {
        const { id } = request.params as { id: string };
        const found = await access.find(id, ownerOfRequest(request));
        if (!found) throw requestNotFound(id);
        return describeRequest(found, control.config);
      });
    },
    { prefix: '/v1/access-requests' },
  );
}

/** Who may call a prompt may call each of its versions. */
function refuseVersion(model: string): void {
  if (promptNamed(model)?.includes('@'))
    throw invalidRequest("'model' names a version: ask for the prompt, 'prompt/NAME'.", 'model');
}

export function requestNotFound(id: string): GatewayError {
  return new GatewayError('not_found', `There is no access request '${id}'.`, {
    code: 'not_found',
    param: 'id',
  });
}

export function pageOfRequests(
  requests: readonly AccessRequest[],
  limit: number,
  describe: (request: AccessRequest) => JsonObject,
): JsonObject {
  const page = requests.slice(0, limit);
  return {
    data: page.map(describe),
    nextCursor: requests.length > limit ? (page.at(-1)?.id ?? null) : null,
  };
}

/** A request as its tenant sees it. Who decided is the operators' own matter. */
export function describeRequest(request: AccessRequest, config: Config): JsonObject {
  const { id, key, model, reason, state, createdAt, decision } = request;
  return {
    id,
    model,
    reason,
    key,
    state,
    createdAt: toText(createdAt),
    ...(decision && { decidedAt: toText(decision.at), note: decision.note }),
    ...(decision &&
      state === 'approved' && {
        until: decision.until === null ? null : toText(decision.until),
        inForce: isInForce(request, config),
      }),
  };
}

/** An approval may have ended, been taken back or been replaced by another. */
function isInForce({ id, tenant }: AccessRequest, { tenants }: Config): boolean {
  const grant = tenants[tenant]?.grants?.find(({ request }) => request === id);
  return grant !== undefined && (grant.until === undefined || grant.until > Date.now());
}

function toText(moment: number): string {
  return new Date(moment).toISOString();
}
