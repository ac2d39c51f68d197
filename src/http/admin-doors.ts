import type { FastifyInstance } from 'fastify';
import { GatewayError } from '../conversation/gateway-error.ts';
import type { Store } from '../store/store.ts';
import type { HashedKey, KeyRing } from '../tenants/keys.ts';
import { encodeCursor } from '../usage/cursor.ts';
import { findCall } from '../usage/find-call.ts';
import { listCalls, sumUsage } from '../usage/queries.ts';
import { callsQuerySchema, parseQuery, usageQuerySchema } from '../usage/query-string.ts';
import { readBearer } from './credentials.ts';

export interface AdminParts {
  store: Store;
  keys: KeyRing<HashedKey>;
}

/** The control plane, `/admin/v1`. Every request needs the admin key. */
export function addAdminDoors(app: FastifyInstance, parts: AdminParts): void {
  app.register(
    async (admin) => {
      admin.addHook('onRequest', async (request) => {
        const secret = readBearer(request.headers);
        if (secret === undefined || !parts.keys.find(secret)) {
          throw new GatewayError(
            'unauthenticated',
            'This needs the admin key: "Authorization: Bearer KEY".',
            {
              code: 'invalid_admin_key',
            },
          );
        }
      });
      admin.get('/usage', async (request) => {
        const query = parseQuery(usageQuerySchema, request.query);
        return { data: await sumUsage(parts.store, query) };
      });
      admin.get('/calls', async (request) => {
        const query = parseQuery(callsQuerySchema, request.query);
        const { calls, nextCursor } = await listCalls(parts.store, query);
        return { data: calls, nextCursor: nextCursor && encodeCursor(nextCursor) };
      });
      admin.get<{ Params: { id: string } }>('/calls/:id', async (request) => {
        const { id } = request.params;
        const found = await findCall(parts.store, id, Date.now());
        if (!found) throw new GatewayError('not_found', `There is no call '${id}'.`, { param: 'id' });
        return found;
      });
    },
    { prefix: '/admin/v1' },
  );
}
