import type { FastifyInstance, FastifyRequest } from 'fastify';
import { ROLES } from '../../config/sections/tenants.ts';
import { GatewayError, invalidRequest } from '../../conversation/gateway-error.ts';
import type { JsonObject } from '../../conversation/json.ts';
import { readBearer } from '../credentials.ts';
import { readFormat, sendExport } from '../exports.ts';
import { describeFeedbackDoor } from '../feedback-doors.ts';
import { letIn } from '../let-in.ts';
import { ACCESS_DOORS } from './access-doors.ts';
import type { AdminDoor, AdminKey, AdminParts } from './admin-door.ts';
import { CONFIG_DOORS } from './config-doors.ts';
import { CREDENTIAL_DOORS } from './credential-doors.ts';
import { ENTRY_DOORS } from './entry-doors.ts';
import { HEALTH_DOORS } from './health-doors.ts';
import { KEY_DOORS } from './key-doors.ts';
import { describeDoors } from './open-api.ts';
import { parseBody, parseQuery, readBody } from './parse.ts';
import { PROMPT_DOORS } from './prompt-doors.ts';
import { REHEARSAL_DOORS } from './rehearsal-doors.ts';
import { RETIREMENT_DOORS } from './retirement-doors.ts';
import { REVISION_DOORS } from './revision-doors.ts';
import { ROLLOUT_DOORS } from './rollout-doors.ts';
import { USAGE_DOORS } from './usage-doors.ts';

export type { AdminKey, AdminParts } from './admin-door.ts';

/** The control plane: every door of it is a row here. */
export const ADMIN_DOORS: readonly AdminDoor[] = [
  ...CONFIG_DOORS,
  ...REVISION_DOORS,
  ...ENTRY_DOORS,
  ...CREDENTIAL_DOORS,
  ...KEY_DOORS,
  ...ACCESS_DOORS,
  ...HEALTH_DOORS,
  ...USAGE_DOORS,
  ...ROLLOUT_DOORS,
  ...RETIREMENT_DOORS,
  ...PROMPT_DOORS,
  ...REHEARSAL_DOORS,
];

const PREFIX = '/admin/v1';

declare module 'fastify' {
  interface FastifyRequest {
    /** Whose admin key it is, at the doors of the admin API. */
    admin: AdminKey | null;
  }
}

/** The control plane, `/admin/v1`. Every request needs an admin key. */
export function addAdminDoors(app: FastifyInstance, parts: AdminParts): void {
  app.register(
    async (admin) => {
      admin.decorateRequest('admin', null);
      admin.addHook('onRequest', async (request) => {
        request.admin = authenticate(parts, request);
        letIn(request.raw);
      });
      for (const row of ADMIN_DOORS) {
        admin.route({
          method: row.method,
          url: row.path,
          handler: async (request, reply) => {
            const key = requireRole(row, request);
            const { format, query } = row.exports ? readFormat(request) : plain(request);
            const answer = await row.handle({
              parts,
              params: request.params as Record<string, string>,
              query: row.query ? parseQuery(row.query, query) : refuseQuery(query),
              format,
              body: row.body && parseBody(row.body, readBody(request.body, row.needsBody)),
              author: key.key,
              role: key.role,
            });
            if ('lines' in answer) return sendExport(reply, answer.name, answer.format, answer.lines);
            if (answer.revision !== undefined) reply.header('x-fairlead-revision', answer.revision);
            return reply.code(row.status ?? 200).send(answer.body);
          },
        });
      }
    },
    { prefix: PREFIX },
  );
}

/** The admin API as OpenAPI. It takes a quarter of a second. */
export function describeAdminApi(): JsonObject {
  return describeDoors(ADMIN_DOORS, PREFIX, describeFeedbackDoor());
}

/** @throws GatewayError `unauthenticated` where there is no key of the admin API */
export function authenticate(
  { keys }: Pick<AdminParts, 'keys'>,
  { headers }: Pick<FastifyRequest, 'headers'>,
): AdminKey {
  const secret = readBearer(headers);
  const key = secret === undefined ? undefined : keys.find(secret);
  if (key) return key;
  throw new GatewayError('unauthenticated', 'This needs an admin key: "Authorization: Bearer KEY".', {
    code: 'invalid_admin_key',
  });
}

function requireRole({ role }: AdminDoor, { admin }: FastifyRequest): AdminKey {
  if (!admin) throw new Error('a door of the admin API was entered without its key');
  if (ROLES.indexOf(admin.role) >= ROLES.indexOf(role)) return admin;
  throw new GatewayError(
    'forbidden',
    `This needs an admin key of the role '${role}'; yours is '${admin.role}'.`,
    {
      code: 'role_required',
    },
  );
}

function plain({ query }: FastifyRequest): { format: 'json'; query: unknown } {
  return { format: 'json', query };
}

function refuseQuery(query: unknown): undefined {
  const [name] = Object.keys(query ?? {});
  if (name !== undefined) throw invalidRequest(`'${name}' is no parameter here.`, name, 'unknown_parameter');
}
