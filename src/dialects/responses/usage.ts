import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import { inputTokens, outputTokens, type Usage } from '../../conversation/usage.ts';
import * as chat from '../chat/usage.ts';

/**
 * This dialect counts as Chat Completions does, in other words: sums, with their parts in the details.
 *
 * Source: OpenAI API reference (`ResponseUsage`).
 */
const CHAT_WORDS: readonly (readonly [own: string, chat: string])[] = [
  ['input_tokens', 'prompt_tokens'],
  ['input_tokens_details', 'prompt_tokens_details'],
  ['output_tokens', 'completion_tokens'],
  ['output_tokens_details', 'completion_tokens_details'],
];

/**
 * `undefined` where the server did not say.
 *
 * @param serviceTier what the response says beside its usage
 */
export function decodeUsage(
  value: JsonValue | undefined,
  serviceTier?: JsonValue | undefined,
): Usage | undefined {
  return isObject(value) ? chat.decodeUsage(renamed(value, 0), serviceTier) : undefined;
}

/** What a usage object says beyond the counts of the neutral model. */
export function usageRest(value: JsonValue | undefined): JsonObject {
  return isObject(value) ? renamed(chat.usageRest(renamed(value, 0)), 1) : {};
}

/** `rest` as `usageRest` gave it. */
export function encodeUsage(usage: Usage, rest: JsonObject = {}): JsonObject {
  const input = inputTokens(usage);
  const output = outputTokens(usage);
  const cacheWrite = usage.cacheWrite + usage.cacheWrite1h;
  const { input_tokens_details: inputRest, output_tokens_details: outputRest, ...others } = rest;
  return {
    input_tokens: input,
    input_tokens_details: {
      cached_tokens: usage.cacheRead,
      ...(cacheWrite > 0 ? { cache_write_tokens: cacheWrite } : {}),
      ...(usage.inputAudio > 0 ? { audio_tokens: usage.inputAudio } : {}),
      ...(isObject(inputRest) ? inputRest : {}),
    },
    output_tokens: output,
    output_tokens_details: {
      reasoning_tokens: usage.reasoning,
      ...(usage.outputAudio > 0 ? { audio_tokens: usage.outputAudio } : {}),
      ...(isObject(outputRest) ? outputRest : {}),
    },
    total_tokens: input + output,
    ...others,
  };
}

function renamed(value: JsonObject, from: 0 | 1): JsonObject {
  const words = new Map(CHAT_WORDS.map((pair) => [pair[from], pair[from === 0 ? 1 : 0]]));
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [words.get(key) ?? key, inner]));
}
