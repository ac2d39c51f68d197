import { isObject, type JsonObject } from '../../conversation/json.ts';
import type { Usage } from '../../conversation/usage.ts';
import { count, saysCounts } from '../counts.ts';
import { joinTiers, tierWord } from '../tiers.ts';

/** Disjoint: what the call used is their sum. */
const COUNTS = ['inputTokens', 'outputTokens', 'cacheReadInputTokens', 'cacheWriteInputTokens'];

/**
 * Bedrock's counts in our buckets. `inputTokens` excludes what was read from or written to the cache; `outputTokens`
 * includes reasoning, which is not counted apart. `undefined` where it did not say, or said what no count can be.
 *
 * Source: Bedrock API reference (`TokenUsage`, `CacheDetail`, `ServiceTier`, `PerformanceConfiguration`); recorded traffic.
 *
 * @param answer what the usage stands in: it names the tier
 */
export function decodeUsage(wire: JsonObject, answer: JsonObject = {}): Usage | undefined {
  if (!saysCounts(COUNTS.map((key) => wire[key]))) return undefined;
  const written = count(wire['cacheWriteInputTokens']);
  const details = Array.isArray(wire['cacheDetails']) ? wire['cacheDetails'].filter(isObject) : [];
  const hour = details.filter(({ ttl }) => ttl === '1h').map(({ inputTokens }) => count(inputTokens));
  const cacheWrite1h = Math.min(
    hour.reduce((sum, tokens) => sum + tokens, 0),
    written,
  );
  const usage: Usage = {
    input: count(wire['inputTokens']),
    inputAudio: 0,
    cacheRead: count(wire['cacheReadInputTokens']),
    cacheWrite: written - cacheWrite1h,
    cacheWrite1h,
    output: count(wire['outputTokens']),
    outputAudio: 0,
    reasoning: 0,
  };
  const tier = readTier(answer);
  if (tier !== undefined) usage.tier = tier;
  return usage;
}

/** Inference that is optimized for latency has a price of its own, too. */
function readTier({ serviceTier, performanceConfig }: JsonObject): string | undefined {
  const service = isObject(serviceTier) ? tierWord(serviceTier['type']) : undefined;
  const latency = isObject(performanceConfig) ? tierWord(performanceConfig['latency']) : undefined;
  return joinTiers(service, latency);
}
