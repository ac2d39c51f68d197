import { encodeCursor } from '../../usage/cursor.ts';
import { listCalls, sumUsage } from '../../usage/queries.ts';
import { callsQuerySchema, usageQuerySchema } from '../../usage/query-string.ts';
import { type AdminDoor, door } from './admin-door.ts';

export const USAGE_DOORS: readonly AdminDoor[] = [
  door({
    method: 'GET',
    path: '/usage',
    role: 'viewer',
    summary: 'Sums of calls',
    query: usageQuerySchema,
    handle: async ({ parts, query }) => ({ body: { data: await sumUsage(parts.store, query) } }),
  }),
  door({
    method: 'GET',
    path: '/calls',
    role: 'viewer',
    summary: 'Single calls, newest first',
    query: callsQuerySchema,
    handle: async ({ parts, query }) => {
      const { calls, nextCursor } = await listCalls(parts.store, query);
      return { body: { data: calls, nextCursor: nextCursor && encodeCursor(nextCursor) } };
    },
  }),
];
