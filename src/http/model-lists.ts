import { invalidRequest } from '../conversation/gateway-error.ts';
import type { JsonObject } from '../conversation/json.ts';
import type { Dialect } from '../dialects/dialect.ts';
import { queryValue } from './credentials.ts';
import { GEMINI_METHODS } from './gemini-doors.ts';

/** How a dialect tells of models. `created`: Unix seconds, since when the gateway has them. */
interface ModelForm {
  describe(id: string, created: number): JsonObject;
  list(ids: readonly string[], created: number, query: unknown): JsonObject;
}

/** Sources: OpenAI API reference (model object), Anthropic API reference (list models), Gemini API reference (`Model`). */
const CHAT: ModelForm = {
  describe: (id, created) => ({ id, object: 'model', created, owned_by: 'fairlead' }),
  list: (ids, created) => ({ object: 'list', data: ids.map((id) => CHAT.describe(id, created)) }),
};

const MESSAGES: ModelForm = {
  describe: (id, created) => ({
    type: 'model',
    id,
    display_name: id,
    created_at: new Date(created * 1000).toISOString(),
  }),
  list: (ids, created, query) => {
    const { page, hasMore } = takeAnthropicPage(ids, query);
    return {
      data: page.map((id) => MESSAGES.describe(id, created)),
      has_more: hasMore,
      first_id: page[0] ?? null,
      last_id: page.at(-1) ?? null,
    };
  },
};

const GEMINI: ModelForm = {
  // Which methods a model has is its provider's to say: all that the doors have are named.
  describe: (id) => ({
    name: `models/${id}`,
    version: '1',
    displayName: id,
    supportedGenerationMethods: [...GEMINI_METHODS],
  }),
  list: (ids, created, query) => {
    // "At most 1000 models per page, even if you pass a larger pageSize."
    const size = readSize(query, 'pageSize', 'capped');
    const start = Number(queryValue(query, 'pageToken') ?? 0);
    if (!Number.isSafeInteger(start) || start < 0) {
      throw invalidRequest("'pageToken' is not one that a list gave.", 'pageToken');
    }
    const end = size === undefined ? ids.length : start + size;
    return {
      models: ids.slice(start, end).map((id) => GEMINI.describe(id, created)),
      ...(end < ids.length ? { nextPageToken: String(end) } : {}),
    };
  },
};

const FORMS: Partial<Record<Dialect['name'], ModelForm>> = {
  chat: CHAT,
  messages: MESSAGES,
  gemini: GEMINI,
};

export function describeModel(dialect: Dialect['name'], id: string, created: number): JsonObject {
  return formOf(dialect).describe(id, created);
}

/** @throws GatewayError `invalid_request` for a page that cannot be. */
export function describeModels(
  dialect: Dialect['name'],
  ids: readonly string[],
  created: number,
  query: unknown,
): JsonObject {
  return formOf(dialect).list(ids, created, query);
}

function formOf(dialect: Dialect['name']): ModelForm {
  return FORMS[dialect] ?? CHAT;
}

/** `limit`, `after_id` and `before_id`. Without a limit all of them: nobody must page who has not asked for pages. */
function takeAnthropicPage(ids: readonly string[], query: unknown): { page: string[]; hasMore: boolean } {
  const size = readSize(query, 'limit') ?? ids.length;
  const after = queryValue(query, 'after_id');
  const before = queryValue(query, 'before_id');
  if (before !== undefined) {
    const end = placeOf(ids, before, 'before_id');
    const start = Math.max(end - size, 0);
    return { page: ids.slice(start, end), hasMore: start > 0 };
  }
  const start = after === undefined ? 0 : placeOf(ids, after, 'after_id') + 1;
  return { page: ids.slice(start, start + size), hasMore: start + size < ids.length };
}

function placeOf(ids: readonly string[], id: string, param: string): number {
  const place = ids.indexOf(id);
  if (place === -1) throw invalidRequest(`'${param}' is not the id of a model in this list.`, param);
  return place;
}

const MOST_OF_A_PAGE = 1000;

/** `capped`: of more than a page may have only the most is given. */
function readSize(query: unknown, name: string, capped?: 'capped'): number | undefined {
  const text = queryValue(query, name);
  if (text === undefined) return undefined;
  const size = Number(text);
  if (Number.isSafeInteger(size) && size >= 1) {
    if (size <= MOST_OF_A_PAGE) return size;
    if (capped) return MOST_OF_A_PAGE;
  }
  if (capped) throw invalidRequest(`'${name}' must be a whole number from 1.`, name);
  throw invalidRequest(`'${name}' must be a whole number from 1 to 1000.`, name);
}
