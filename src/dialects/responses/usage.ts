import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import {
  inputTokens,
  NO_USAGE,
  type OtherUsage,
  outputTokens,
  type Usage,
} from '../../conversation/usage.ts';
import * as chat from '../chat/usage.ts';
import { count } from '../counts.ts';

/**
 * This dialect counts as Chat Completions does, in other words: sums, with their parts in the details.
 *
 * Source: OpenAI API reference (`ResponseUsage`, `Response.tool_usage`).
 */
const CHAT_WORDS: readonly (readonly [own: string, chat: string])[] = [
  ['input_tokens', 'prompt_tokens'],
  ['input_tokens_details', 'prompt_tokens_details'],
  ['output_tokens', 'completion_tokens'],
  ['output_tokens_details', 'completion_tokens_details'],
];

/** What a response says beside its usage, that belongs to it. */
export interface UsageContext {
  service_tier?: JsonValue | undefined;
  /** What tools used, which is "separate from base model usage". */
  tool_usage?: JsonValue | undefined;
  tools?: JsonValue | undefined;
}

/** `undefined` where the server did not say. */
export function decodeUsage(value: JsonValue | undefined, context: UsageContext = {}): Usage | undefined {
  if (!isObject(value)) return undefined;
  const usage = chat.decodeUsage(renamed(value, 0), context.service_tier);
  const drawn = usage && isObject(context.tool_usage) ? context.tool_usage['image_gen'] : undefined;
  if (usage && isObject(drawn) && IMAGE_COUNTS.some((key) => count(drawn[key]) > 0)) {
    const model = imageModel(context.tools);
    const other: OtherUsage = { ...NO_USAGE, input: count(drawn['input_tokens']), ofImages: true };
    other.output = count(drawn['output_tokens']);
    if (model !== undefined) other.model = model;
    usage.beside = [other];
  }
  return usage;
}

const IMAGE_COUNTS = ['input_tokens', 'output_tokens'];

/** The answer repeats the tools of its request. */
function imageModel(tools: JsonValue | undefined): string | undefined {
  for (const tool of Array.isArray(tools) ? tools : []) {
    if (!isObject(tool) || tool['type'] !== 'image_generation') continue;
    return typeof tool['model'] === 'string' ? tool['model'] : undefined;
  }
  return undefined;
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
