import type { CallerDialectName } from '../dialects/dialect.ts';
import { rewriteBody } from '../upstream/body-fields.ts';
import type { Call } from './call.ts';
import { namesHeld } from './check-held.ts';
import { parseBody } from './parse-body.ts';
import { runsOn } from './settle.ts';

type Request = Pick<Call, 'body' | 'door' | 'address'>;

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

/**
 * The body of a copy of a call: what its provider would keep it is told not to. `undefined` where a copy would do more than be answered:
 * where the provider runs tools, the run goes on behind the answer, or something is named that is kept there.
 */
export function copiedBody(call: Call): Buffer | undefined {
  if (call.upload || call.pinned || runsOn(call) || namesHeld(call)) return undefined;
  return sentAgain(call);
}

/** The same of a request by its words alone. */
export function sentAgain({ body, door, address }: Request): Buffer | undefined {
  const { name } = door.dialect;
  try {
    const request = parseBody(body);
    if (EFFECTS[name].some((field) => (request[field] ?? null) !== null)) return undefined;
    const { tools } = door.dialect.decodeRequest(request, address ?? {});
    if (tools.some(({ type }) => type === 'opaque')) return undefined;
    // Where nothing is said, the Responses API keeps.
    if (door.keepsAnswers) return rewriteBody(body, { store: false });
    return name === 'chat' && request['store'] !== undefined ? rewriteBody(body, { store: undefined }) : body;
  } catch {
    // What cannot be read may ask for anything.
    return undefined;
  }
}
