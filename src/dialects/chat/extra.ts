import type { Extra } from '../../conversation/conversation.ts';
import { isObject, type JsonObject } from '../../conversation/json.ts';
import { omitKeys } from '../read-json.ts';

/** What an object of the chat dialect says beyond the known fields; `undefined` where it says nothing more. */
export function extraOf(object: JsonObject, known: ReadonlySet<string>): Extra | undefined {
  return chatExtra(omitKeys(object, known));
}

export function chatExtra(fields: JsonObject): Extra | undefined {
  return Object.keys(fields).length === 0 ? undefined : { dialect: 'chat', fields };
}

/** The fields that this dialect's encoder writes back; none where another dialect said them. */
export function ownFields(extra: Extra | undefined): JsonObject {
  return extra?.dialect === 'chat' ? extra.fields : {};
}

/** A nested object among the own fields, or none. */
export function ownObject(extra: Extra | undefined, key: string): JsonObject {
  const value = ownFields(extra)[key];
  return isObject(value) ? value : {};
}

/** The same of an object and of the one in it, whose unknown fields stand under its key. */
export function nestedExtra(
  object: JsonObject,
  known: ReadonlySet<string>,
  key: string,
  knownInside: ReadonlySet<string>,
): Extra | undefined {
  const { [key]: held } = object;
  const outer = omitKeys(object, new Set([...known, key]));
  const inner = isObject(held) ? omitKeys(held, knownInside) : {};
  return chatExtra(Object.keys(inner).length > 0 ? { ...outer, [key]: inner } : outer);
}

/** What `nestedExtra` read, laid over what was written. */
export function withNested(written: JsonObject, extra: Extra | undefined, key: string): JsonObject {
  const { [key]: inner, ...outer } = ownFields(extra);
  const held = written[key];
  return isObject(held) && isObject(inner)
    ? { ...written, [key]: { ...held, ...inner }, ...outer }
    : { ...written, ...outer };
}
