import type { CacheHint } from '../../conversation/conversation.ts';
import type { JsonObject } from '../../conversation/json.ts';
import { optionalField, pathOf } from '../read-json.ts';
import { extraOf, ownFields } from './extra.ts';

const TYPE = { type: 'ephemeral' };

/**
 * "The prompt up to here may be cached", in the words that chat clients use: Anthropic's `cache_control`, which
 * OpenRouter and LiteLLM take on content parts and tools (LiteLLM on whole messages too), and OpenAI's own
 * `prompt_cache_breakpoint`. The latter also stays in the part's extra fields, to be written back as it came.
 */
export function decodeCacheHint(holder: JsonObject, at: string): CacheHint | undefined {
  const control = optionalField(holder, 'cache_control', 'object', at);
  if (control) {
    const ttl = optionalField(control, 'ttl', 'string', pathOf(at, 'cache_control'));
    const known: CacheHint = ttl === '5m' || ttl === '1h' ? { ttl } : {};
    const isUsual = control['type'] === undefined || control['type'] === TYPE.type;
    const others = extraOf(control, new Set([...Object.keys(known), ...(isUsual ? ['type'] : [])]));
    return { ...known, ...(others ? { extra: others } : {}) };
  }
  return optionalField(holder, 'prompt_cache_breakpoint', 'object', at) && {};
}

export function encodeCacheHint({ ttl, extra }: CacheHint): JsonObject {
  return { cache_control: { ...TYPE, ...(ttl === undefined ? {} : { ttl }), ...ownFields(extra) } };
}
