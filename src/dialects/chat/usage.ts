import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import { inputTokens, outputTokens, type Usage } from '../../conversation/usage.ts';
import { count, isCount, saysCounts } from '../counts.ts';
import { omitKeys } from '../read-json.ts';
import { openaiTier } from '../tiers.ts';

/*
 * OpenAI's usage object counts in sums: `prompt_tokens` includes cached and audio tokens, `completion_tokens`
 * includes reasoning and audio. These functions take the sums apart and put them together again.
 *
 * Source: OpenAI API reference, `CompletionUsage`. Servers of its kin add their own words.
 */

/**
 * `undefined` where the server did not say (a missing object, null, or null counts), or says what no count can be.
 *
 * @param serviceTier what the answer says beside its usage
 */
export function decodeUsage(
  value: JsonValue | undefined,
  serviceTier?: JsonValue | undefined,
): Usage | undefined {
  if (!isObject(value)) return undefined;
  if (!saysCounts([value['prompt_tokens'], value['completion_tokens']])) return undefined;
  const prompt = count(value['prompt_tokens']);
  const completion = count(value['completion_tokens']);
  const inInput = detailsOf(value['prompt_tokens_details']);
  const inOutput = detailsOf(value['completion_tokens_details']);
  const reasoningTokens = count(inOutput['reasoning_tokens']);
  // xAI counts reasoning beside `completion_tokens`, not inside: only the total tells.
  const beside = reasoningTokens > 0 && value['total_tokens'] === prompt + completion + reasoningTokens;

  // A part can never be more than what is left of its sum, whatever the server claims.
  const input = new Remainder(prompt);
  const cacheRead = input.take(cachedTokens(value, inInput));
  // OpenAI and OpenRouter; LiteLLM.
  const cacheWrite = input.take(numberOf(inInput['cache_write_tokens']) ?? inInput['cache_creation_tokens']);
  const inputAudio = input.take(inInput['audio_tokens']);
  const output = new Remainder(beside ? completion + reasoningTokens : completion);
  const reasoning = output.take(reasoningTokens);
  const outputAudio = output.take(inOutput['audio_tokens']);
  const usage: Usage = {
    input: input.left,
    inputAudio,
    cacheRead,
    cacheWrite,
    cacheWrite1h: 0,
    output: output.left,
    outputAudio,
    reasoning,
  };
  const tier = openaiTier(serviceTier);
  if (tier !== undefined) usage.tier = tier;
  const said = saidCost(value);
  if (said !== undefined) usage.saidMicroUsd = said;
  return usage;
}

/**
 * OpenRouter's word for what a call cost it, in dollars; with a key of the account's own at the provider behind it, what that one takes is
 * paid there, and `cost` is what OpenRouter takes itself.
 *
 * Source: OpenRouter, "Usage accounting" and "Bring your own key".
 */
function saidCost({ cost, cost_details: details, is_byok: isOwnKey }: JsonObject): number | undefined {
  if (!isCount(cost)) return undefined;
  if (isOwnKey !== true) return cost * 1e6;
  const upstream = detailsOf(details)['upstream_inference_cost'];
  return isCount(upstream) ? (cost + upstream) * 1e6 : undefined;
}

/**
 * Where a chunk of a stream says its usage: OpenAI at the top, Moonshot in the choice ("Migrating from OpenAI to
 * Kimi API"), older Groq streams in `x_groq`.
 */
export function streamUsage(chunk: JsonObject): JsonValue | undefined {
  const choices = chunk['choices'];
  for (const holder of [chunk, Array.isArray(choices) ? choices[0] : undefined, chunk['x_groq']]) {
    const said = isObject(holder) ? holder['usage'] : undefined;
    if (decodeUsage(said)) return said;
  }
  return undefined;
}

const KNOWN = new Set([
  'prompt_tokens',
  'completion_tokens',
  'total_tokens',
  'prompt_tokens_details',
  'completion_tokens_details',
]);
const KNOWN_INPUT = new Set(['cached_tokens', 'audio_tokens', 'cache_write_tokens']);
const KNOWN_OUTPUT = new Set(['reasoning_tokens', 'audio_tokens']);

/** What a usage object says beyond the counts of the neutral model: costs, times, predicted tokens, … */
export function usageRest(value: JsonValue | undefined): JsonObject {
  if (!isObject(value)) return {};
  const rest = omitKeys(value, KNOWN);
  for (const [key, known] of [
    ['prompt_tokens_details', KNOWN_INPUT],
    ['completion_tokens_details', KNOWN_OUTPUT],
  ] as const) {
    const details = value[key];
    const detailsRest = isObject(details) ? omitKeys(details, known) : {};
    if (Object.keys(detailsRest).length > 0) rest[key] = detailsRest;
  }
  return rest;
}

/** `rest` as `usageRest` gave it. */
export function encodeUsage(usage: Usage, rest: JsonObject = {}): JsonObject {
  const prompt = inputTokens(usage);
  const completion = outputTokens(usage);
  const cacheWrite = usage.cacheWrite + usage.cacheWrite1h;
  return {
    ...rest,
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
    prompt_tokens_details: {
      cached_tokens: usage.cacheRead,
      audio_tokens: usage.inputAudio,
      ...(cacheWrite > 0 ? { cache_write_tokens: cacheWrite } : {}),
      ...detailsOf(rest['prompt_tokens_details']),
    },
    completion_tokens_details: {
      reasoning_tokens: usage.reasoning,
      audio_tokens: usage.outputAudio,
      ...detailsOf(rest['completion_tokens_details']),
    },
  };
}

/** OpenAI and most others; DeepSeek; Moonshot and Together; Mistral. */
function cachedTokens(usage: JsonObject, inInput: JsonObject): JsonValue | undefined {
  return (
    numberOf(inInput['cached_tokens']) ??
    numberOf(usage['prompt_cache_hit_tokens']) ??
    numberOf(usage['cached_tokens']) ??
    usage['num_cached_tokens']
  );
}

function detailsOf(value: JsonValue | undefined): JsonObject {
  return isObject(value) ? value : NO_DETAILS;
}

const NO_DETAILS: JsonObject = {};

function numberOf(value: JsonValue | undefined): number | undefined {
  return typeof value === 'number' ? value : undefined;
}

/** A sum that parts are taken out of. */
class Remainder {
  left: number;

  constructor(sum: number) {
    this.left = sum;
  }

  take(value: JsonValue | undefined): number {
    const part = Math.min(count(value), this.left);
    this.left -= part;
    return part;
  }
}
