import type { FastifyInstance } from 'fastify';
import { GatewayError, invalidRequest } from '../conversation/gateway-error.ts';
import type { Store } from '../store/store.ts';
import type { HashedKey, KeyRing } from '../tenants/keys.ts';
import { encodeCursor } from '../usage/cursor.ts';
import { CALL_COLUMNS, sumColumns, writeLines } from '../usage/export.ts';
import { findCall } from '../usage/find-call.ts';
import { listAllCalls, listCalls } from '../usage/list-calls.ts';
import { completeGroupings, sumUsage } from '../usage/queries.ts';
import { callsQuerySchema, parseQuery, usageQuerySchema } from '../usage/query-string.ts';
import { readBearer } from './credentials.ts';
import { readFormat, sendExport } from './exports.ts';

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
      admin.get('/usage', async (request, reply) => {
        const { format, query } = readFormat(request);
        const usage = parseQuery(usageQuerySchema, query);
        const sums = await sumUsage(parts.store, usage);
        if (format === 'json') return { data: sums };
        const columns = sumColumns(completeGroupings(usage.groupBy));
        return sendExport(reply, 'usage', format, writeLines([sums], columns, format));
      });
      admin.get('/calls', async (request, reply) => {
        const { format, query } = readFormat(request);
        if (format !== 'json') {
          const { limit: _, ...filters } = parseQuery(callsQuerySchema, refusePaging(query));
          const pages = listAllCalls(parts.store, filters);
          return sendExport(reply, 'calls', format, writeLines(pages, CALL_COLUMNS, format));
        }
        const { calls, nextCursor } = await listCalls(parts.store, parseQuery(callsQuerySchema, query));
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

/** An export has all calls that meet the filters. */
function refusePaging(query: object): object {
  const name = ['limit', 'cursor'].find((each) => Object.hasOwn(query, each));
  if (name === undefined) return query;
  throw invalidRequest(`'${name}': an export has no pages. Leave it out.`, name);
}
