import { invalidRequest } from '../../conversation/gateway-error.ts';
import type { JsonObject } from '../../conversation/json.ts';

/** Which part of a list is asked for, as the query says it; absent: what OpenAI does where nothing is said. */
export interface PageRequest {
  after?: string | undefined;
  limit?: string | undefined;
  order?: string | undefined;
}

const USUAL_LIMIT = 20;
const MAX_LIMIT = 100;

/**
 * A page of items that come oldest first, newest first unless `order` is `asc`.
 *
 * Source: OpenAI API reference (list input items).
 *
 * @throws GatewayError `invalid_request` for a page that cannot be.
 */
export function pageOfItems(items: readonly JsonObject[], { after, limit, order }: PageRequest): JsonObject {
  const size = limit === undefined ? USUAL_LIMIT : Number(limit);
  if (!Number.isSafeInteger(size) || size < 1 || size > MAX_LIMIT) {
    throw invalidRequest(`'limit' must be a whole number from 1 to ${MAX_LIMIT}.`, 'limit');
  }
  if (order !== undefined && order !== 'asc' && order !== 'desc') {
    throw invalidRequest("'order' must be 'asc' or 'desc'.", 'order');
  }
  const ordered = order === 'asc' ? items : items.toReversed();
  const start = after === undefined ? 0 : ordered.findIndex(({ id }) => id === after) + 1;
  if (after !== undefined && start === 0) {
    throw invalidRequest(`'after' is not the id of an item in this list: '${after}'.`, 'after');
  }
  const data = ordered.slice(start, start + size);
  return {
    object: 'list',
    data,
    first_id: data[0]?.['id'] ?? null,
    last_id: data.at(-1)?.['id'] ?? null,
    has_more: start + size < ordered.length,
  };
}
