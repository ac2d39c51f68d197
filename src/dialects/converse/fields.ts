import type { CacheHint, Extra } from '../../conversation/conversation.ts';
import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';

/** `{ extra }` to be spread where there is something to keep, else nothing. */
export function extraOf(fields: JsonObject): { extra?: Extra } {
  return Object.keys(fields).length === 0 ? {} : { extra: { dialect: 'converse', fields } };
}

/** What this dialect said of the thing before and has no neutral word; other dialects' extras are not ours to write. */
export function ownFields(extra: Extra | undefined): JsonObject {
  return extra?.dialect === 'converse' ? extra.fields : {};
}

/** A cache point: "the prompt up to here may be cached". Bedrock has it as an element of its own. */
export function cachePoint(hint: CacheHint, takesTtl: boolean): JsonObject {
  return { cachePoint: { type: 'default', ...(takesTtl && hint.ttl ? { ttl: hint.ttl } : {}) } };
}

/** A string, `''` for anything else. */
export function textOf(value: JsonValue | undefined): string {
  return typeof value === 'string' ? value : '';
}

/** An object, `{}` for anything else. */
export function objectOf(value: JsonValue | undefined): JsonObject {
  return isObject(value) ? value : {};
}
