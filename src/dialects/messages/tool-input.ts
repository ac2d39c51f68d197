import { parseExactly } from '../../conversation/exact-numbers.ts';
import { isDeeperThan, isObject, type JsonObject } from '../../conversation/json.ts';

/** The wrapper that Anthropic's docs ("Fine-grained tool streaming") give for input that is not valid JSON. */
const INVALID_JSON = 'INVALID_JSON';

/** No tool takes input nested deeper, and `JSON.stringify` would run out of stack on what comes from hostile history. */
const MAX_DEPTH = 128;

/**
 * The `input` of a `tool_use` block from the arguments as a model wrote them. The API takes objects only; what
 * is none (models do break off inside JSON) is wrapped, so that the model sees what it wrote.
 */
export function parseToolInput(text: string): JsonObject {
  if (text.trim() === '') return {};
  const input = parseExactly(text);
  return isObject(input) && !isDeeperThan(input, MAX_DEPTH) ? input : { [INVALID_JSON]: text };
}
