import { z } from 'zod';
import { GatewayError, invalidRequest } from '../../conversation/gateway-error.ts';
import { encodeCursor } from '../../usage/cursor.ts';
import { CALL_COLUMNS, sumColumns, writeLines } from '../../usage/export.ts';
import { listFeedback } from '../../usage/feedback.ts';
import { type FoundCapture, findCall } from '../../usage/find-call.ts';
import { listAllCalls, listCalls } from '../../usage/list-calls.ts';
import { completeGroupings, sumUsage } from '../../usage/queries.ts';
import { callsQuerySchema, DEFAULT_PAGE, usageQuerySchema } from '../../usage/query-string.ts';
import { describeFeedback } from '../feedback-doors.ts';
import { type AdminDoor, door } from './admin-door.ts';

export const USAGE_DOORS: readonly AdminDoor[] = [
  door({
    method: 'GET',
    path: '/usage',
    role: 'viewer',
    summary: 'Sums of calls',
    query: usageQuerySchema,
    exports: true,
    handle: async ({ parts, query, format }) => {
      const sums = await sumUsage(parts.store, query);
      if (format === 'json') return { body: { data: sums } };
      const columns = sumColumns(completeGroupings(query.groupBy));
      return { name: 'usage', format, lines: writeLines([sums], columns, format) };
    },
  }),
  door({
    method: 'GET',
    path: '/calls',
    role: 'viewer',
    summary: 'Single calls, newest first',
    query: callsQuerySchema,
    exports: true,
    handle: async ({ parts, query, format }) => {
      if (format !== 'json') {
        const { limit, cursor, ...filters } = query;
        if (limit !== undefined || cursor !== undefined) {
          const name = limit === undefined ? 'cursor' : 'limit';
          throw invalidRequest(`'${name}': an export has no pages. Leave it out.`, name);
        }
        const lines = writeLines(listAllCalls(parts.store, filters), CALL_COLUMNS, format);
        return { name: 'calls', format, lines };
      }
      const { calls, nextCursor } = await listCalls(parts.store, {
        ...query,
        limit: query.limit ?? DEFAULT_PAGE,
      });
      return { body: { data: calls, nextCursor: nextCursor && encodeCursor(nextCursor) } };
    },
  }),
  door({
    method: 'GET',
    path: '/calls/:id',
    role: 'viewer',
    summary:
      'One call, with the feedback on it, and its prompt and answer where they are kept: those, and comments, are for operators and owners',
    query: z.strictObject({
      capture: z
        .enum(['true', 'false'], { error: 'give true or false' })
        .default('true')
        .describe('false: its record alone.'),
    }),
    handle: async ({ parts, params: { id = '' }, query, role }) => {
      const found = await findCall(parts.store, id, Date.now());
      if (!found) throw new GatewayError('not_found', `There is no call '${id}'.`, { param: 'id' });
      const { capture, ...record } = found;
      const said = (await listFeedback(parts.store, id)).map(describeFeedback);
      // A comment may repeat what was asked and answered.
      const feedback = role === 'viewer' ? said.map(({ comment: _, ...score }) => score) : said;
      if (query.capture === 'false') return { body: { ...record, feedback } };
      if (role === 'viewer' && holdsContent(capture)) throw contentForbidden();
      return { body: { ...found, feedback } };
    },
  }),
];

function holdsContent(capture: FoundCapture | null): boolean {
  return capture !== null && (capture.request !== null || capture.response !== null);
}

function contentForbidden(): GatewayError {
  const message =
    "The prompt and the answer of this call are kept, and for admin keys of the roles 'operator' and 'owner' alone; yours is 'viewer'. Its record without them: ?capture=false.";
  return new GatewayError('forbidden', message, { code: 'role_required' });
}
