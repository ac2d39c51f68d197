import { isObject, type JsonObject } from '../../conversation/json.ts';

/**
 * Whether the client that sent this body wants to see what the model thinks: Anthropic answers with thinking blocks only then,
 * and clients read the first block as the answer. What is withheld rides in the ids of tool calls, for providers that
 * demand it back.
 *
 * @param request `undefined`: nothing is known of it
 */
export function showsThinking(request: JsonObject | undefined): boolean {
  if (!request) return true;
  const { thinking } = request;
  return isObject(thinking) && thinking['type'] !== 'disabled' && thinking['display'] !== 'omitted';
}
