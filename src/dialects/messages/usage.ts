import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import { NO_USAGE, type OtherUsage, outputTokens, type Usage } from '../../conversation/usage.ts';
import { count, saysCounts } from '../counts.ts';
import { joinTiers, tierWord } from '../tiers.ts';
import { unknownFields } from './fields.ts';

/** Disjoint: what the call used is their sum. */
const COUNTS = ['input_tokens', 'output_tokens', 'cache_read_input_tokens', 'cache_creation_input_tokens'];

const KNOWN = new Set([...COUNTS, 'cache_creation', 'output_tokens_details']);

/**
 * Anthropic's counts in our buckets. `input_tokens` excludes what was read from or written to the cache;
 * `output_tokens` includes thinking. What a compaction consumed is billed but stands only in `iterations`, as does what other
 * models used (an advisor), which is billed at their prices. `undefined` where the server did not say, or said what no count
 * can be.
 *
 * Source: Messages API reference (`Usage`), docs "Compaction", "Advisor tool" and "Refusals and fallback".
 */
export function decodeUsage(wire: JsonObject): Usage | undefined {
  if (!saysCounts(COUNTS.map((key) => wire[key]))) return undefined;
  const creation = isObject(wire['cache_creation']) ? wire['cache_creation'] : {};
  const details = isObject(wire['output_tokens_details']) ? wire['output_tokens_details'] : {};
  const written = count(wire['cache_creation_input_tokens']);
  const cacheWrite1h = Math.min(count(creation['ephemeral_1h_input_tokens']), written);
  const output = count(wire['output_tokens']);
  const reasoning = Math.min(count(details['thinking_tokens']), output);
  const usage: Usage = {
    input: count(wire['input_tokens']),
    inputAudio: 0,
    cacheRead: count(wire['cache_read_input_tokens']),
    cacheWrite: written - cacheWrite1h,
    cacheWrite1h,
    output: output - reasoning,
    outputAudio: 0,
    reasoning,
  };
  for (const iteration of compactions(wire)) {
    usage.input += count(iteration['input_tokens']);
    usage.cacheRead += count(iteration['cache_read_input_tokens']);
    usage.cacheWrite += count(iteration['cache_creation_input_tokens']);
    usage.output += count(iteration['output_tokens']);
  }
  const tier = readTier(wire);
  if (tier !== undefined) usage.tier = tier;
  const iterations = iterationsOf(wire);
  const model = iterations.findLast(({ type }) => type === 'fallback_message')?.['model'];
  if (typeof model === 'string') usage.model = model;
  const beside = iterations
    .filter((iteration) => isOfOther(iteration, model))
    .map((iteration) => decodeOther(iteration, wire));
  if (beside.length > 0) usage.beside = beside;
  return usage;
}

/**
 * Whether the totals do not hold it: sub-inferences name their model, and of a request that fell back to another model the totals are that
 * one's alone. A model that declined before it said anything is not paid.
 *
 * @param answered the model that it fell back to, where it did
 */
function isOfOther(
  { type, model, output_tokens: output }: JsonObject,
  answered: JsonValue | undefined,
): boolean {
  if (typeof model !== 'string' || type === 'compaction' || type === 'fallback_message') return false;
  if (type !== 'message') return true;
  return answered !== undefined && model !== answered && count(output) > 0;
}

/** Where it is served is a matter of the whole request, how fast is not. */
function decodeOther(iteration: JsonObject, { inference_geo: region }: JsonObject): OtherUsage {
  const usage: OtherUsage = decodeUsage({ ...iteration, inference_geo: region }) ?? { ...NO_USAGE };
  if (typeof iteration['model'] === 'string') usage.model = iteration['model'];
  return usage;
}

/** Service tier, speed and region each have a price of their own, and are multiplied. */
function readTier(wire: JsonObject): string | undefined {
  const service = tierWord(wire['service_tier']);
  const speed = tierWord(wire['speed']);
  const region = tierWord(wire['inference_geo']);
  if (service === undefined && speed === undefined && region === undefined) return undefined;
  return joinTiers(service, speed, region);
}

/** What `decodeUsage` has no bucket for: server tools, service tier, region, iterations. */
export function usageExtra(wire: JsonObject): JsonObject {
  const extra = unknownFields(wire, KNOWN);
  // With a compaction our sums are not the wire's; these let them be written back as they were.
  if (compactions(wire).length === 0) return extra;
  return { ...extra, input_tokens: wire['input_tokens'], output_tokens: wire['output_tokens'] };
}

export function encodeUsage(usage: Usage, extra: JsonObject = {}): JsonObject {
  return {
    input_tokens: usage.input + usage.inputAudio,
    cache_creation_input_tokens: usage.cacheWrite + usage.cacheWrite1h,
    cache_read_input_tokens: usage.cacheRead,
    cache_creation: {
      ephemeral_5m_input_tokens: usage.cacheWrite,
      ephemeral_1h_input_tokens: usage.cacheWrite1h,
    },
    output_tokens: outputTokens(usage),
    ...(usage.reasoning > 0 ? { output_tokens_details: { thinking_tokens: usage.reasoning } } : {}),
    ...extra,
  };
}

/**
 * The usage of a stream, which says it in pieces: input at the start, totals at the end, and some servers all of
 * it on both. Every count is cumulative, so the newest stands, never the sum; a null says nothing new, nor does a
 * zero but for the output: there the start says 1 before anything is known, and a refusal ends with 0.
 */
export class StreamUsage {
  readonly #fields = new Map<string, JsonValue>();
  /** Only the start has spoken. An error in place of output follows it as it would have come instead of a 200, which nobody pays for. */
  isAnnounced = false;

  /** What `message_start` says. */
  announce(wire: JsonValue | undefined): void {
    this.add(wire);
    this.isAnnounced = true;
  }

  add(wire: JsonValue | undefined): void {
    if (!isObject(wire)) return;
    this.isAnnounced = false;
    for (const [key, value] of Object.entries(wire)) {
      if (value === null || value === undefined) continue;
      if (value === 0 && key !== 'output_tokens' && this.#fields.has(key)) continue;
      this.#fields.set(key, value);
    }
  }

  get wire(): JsonObject | undefined {
    return this.#fields.size === 0 ? undefined : Object.fromEntries(this.#fields);
  }
}

function compactions(wire: JsonObject): JsonObject[] {
  return iterationsOf(wire).filter((iteration) => iteration['type'] === 'compaction');
}

function iterationsOf(wire: JsonObject): JsonObject[] {
  const iterations = wire['iterations'];
  return Array.isArray(iterations) ? iterations.filter(isObject) : NO_ITERATIONS;
}

const NO_ITERATIONS: JsonObject[] = [];
