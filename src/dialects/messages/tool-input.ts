import { isObject, type JsonObject, tryParseJson } from '../../conversation/json.ts';

/** The wrapper that Anthropic's docs ("Fine-grained tool streaming") give for input that is not valid JSON. */
const INVALID_JSON = 'INVALID_JSON';

/**
 * The `input` of a `tool_use` block from the arguments as a model wrote them. The API takes objects only; what
 * is none (models do break off inside JSON) is wrapped, so that the model sees what it wrote.
 */
export function parseToolInput(text: string): JsonObject {
  if (text.trim() === '') return {};
  const input = tryParseJson(text);
  return isObject(input) ? input : { [INVALID_JSON]: text };
}
