import { isObject, type JsonObject } from '../conversation/json.ts';
import type { CallerDialectName } from '../dialects/dialect.ts';
import { rewriteBody } from '../upstream/body-fields.ts';
import type { Call } from './call.ts';
import { namesHeld } from './check-held.ts';
import { parseBody } from './parse-body.ts';
import { runsOn } from './settle.ts';

/**
 * Fields by which a request has its provider do more than answer, or go on from what it keeps. Tools are looked at one by one.
 *
 * Sources: the API references of OpenAI (chat, Responses), Anthropic (Messages), Google (`generateContent`), xAI (`search_parameters`), Azure
 * (`data_sources`) and OpenRouter (`plugins`).
 */
const EFFECTS: Record<CallerDialectName, readonly string[]> = {
  chat: ['web_search_options', 'search_parameters', 'data_sources', 'plugins'],
  responses: ['previous_response_id', 'conversation', 'prompt'],
  messages: ['mcp_servers', 'container', 'thread'],
  gemini: ['cachedContent', 'cached_content'],
};

/** Whether a tool is the client's own to run. Sources: the same. */
const IS_CLIENTS: Record<CallerDialectName, (tool: JsonObject) => boolean> = {
  chat: isFunction,
  responses: isFunction,
  messages: ({ type }) => type === undefined || type === 'custom',
  gemini: (tool) =>
    Object.keys(tool).every((key) => key === 'functionDeclarations' || key === 'function_declarations'),
};

function isFunction({ type }: JsonObject): boolean {
  return type === 'function' || type === 'custom';
}

/**
 * Whether a copy of a call would only be answered: its provider runs no tools, no run goes on behind the answer, and nothing is named that is kept there.
 *
 * @param request its body, parsed
 */
export function isCopyable(call: Call, request: JsonObject): boolean {
  if (call.upload || call.pinned || runsOn(call) || namesHeld(call)) return false;
  const { name } = call.door.dialect;
  for (const field of EFFECTS[name]) if ((request[field] ?? null) !== null) return false;
  const tools = request['tools'] ?? [];
  return Array.isArray(tools) && tools.every((tool) => isObject(tool) && IS_CLIENTS[name](tool));
}

/** The body of a copy of a call: what its provider would keep it is told not to. `undefined` where it is not to be copied. */
export function copiedBody(call: Call): Buffer | undefined {
  const { body, door } = call;
  try {
    const request = parseBody(body);
    if (!isCopyable(call, request)) return undefined;
    // Where nothing is said, the Responses API keeps.
    if (door.keepsAnswers) return rewriteBody(body, { store: false });
    return door.dialect.name === 'chat' && request['store'] !== undefined
      ? rewriteBody(body, { store: undefined })
      : body;
  } catch {
    // What cannot be read may ask for anything.
    return undefined;
  }
}
