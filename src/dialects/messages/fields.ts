import type { CacheHint, Extra } from '../../conversation/conversation.ts';
import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';

/**
 * The fields of an object that are not `known`, for the dialect's own encoder to write back. A null means the
 * same as the absence of the field everywhere in this dialect, and is left out.
 */
export function unknownFields(value: JsonObject, known: ReadonlySet<string>): JsonObject {
  // fromEntries defines properties, it never assigns them: a `__proto__` key stays a plain key.
  return Object.fromEntries(
    Object.entries(value).filter(([key, field]) => !known.has(key) && field !== null && field !== undefined),
  );
}

/** `{ extra }` to be spread where there is something to keep, else nothing. */
export function extraOf(fields: JsonObject): { extra?: Extra } {
  return Object.keys(fields).length === 0 ? {} : { extra: { dialect: 'messages', fields } };
}

/** What this dialect said of the thing before and has no neutral word; other dialects' extras are not ours to write. */
export function ownFields(extra: Extra | undefined): JsonObject {
  return extra?.dialect === 'messages' ? extra.fields : {};
}

/** A block and what else this dialect said of it, which never says what the block is. */
export function withOwnFields(block: JsonObject, extra: Extra | undefined): JsonObject {
  return { ...block, ...ownFields(extra), ...block };
}

const TYPE = { type: 'ephemeral' };

/** `cache_control`, with what it says beyond its lifetime (`scope`, and what is yet to come) for its own dialect. */
export function decodeCacheHint(value: JsonValue | undefined): { cacheHint?: CacheHint } {
  if (!isObject(value)) return {};
  const { type, ttl } = value;
  const known: CacheHint = ttl === '5m' || ttl === '1h' ? { ttl } : {};
  const isUsual = type === undefined || type === TYPE.type;
  const others = unknownFields(value, new Set([...Object.keys(known), ...(isUsual ? ['type'] : [])]));
  return { cacheHint: { ...known, ...extraOf(others) } };
}

export function encodeCacheHint(hint: CacheHint | undefined): JsonObject {
  if (!hint) return {};
  const { ttl, extra } = hint;
  return { cache_control: { ...TYPE, ...(ttl ? { ttl } : {}), ...ownFields(extra) } };
}

/** What the API says in an object within a block and has no neutral word; `{}` where there is nothing. */
export function innerFields(
  key: string,
  value: JsonValue | undefined,
  known: ReadonlySet<string>,
): JsonObject {
  const unknown = isObject(value) ? unknownFields(value, known) : {};
  return Object.keys(unknown).length > 0 ? { [key]: unknown } : {};
}

/** The fields that this dialect said within an object, and the other ones that it said around it. */
export function splitInner(extra: Extra | undefined, key: string): { inner: JsonObject; others: JsonObject } {
  const { [key]: inner, ...others } = ownFields(extra);
  return { inner: isObject(inner) ? inner : {}, others };
}
