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
