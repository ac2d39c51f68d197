import type { Extra } from '../../conversation/conversation.ts';
import { isObject, type JsonObject } from '../../conversation/json.ts';
import { omitKeys } from '../read-json.ts';

/** What an object of this dialect says beyond the known fields; `undefined` where it says nothing more. */
export function extraOf(object: JsonObject, known: ReadonlySet<string>): Extra | undefined {
  return responsesExtra(omitKeys(object, known));
}

export function responsesExtra(fields: JsonObject): Extra | undefined {
  return Object.keys(fields).length === 0 ? undefined : { dialect: 'responses', fields };
}

/** The fields that this dialect's encoder writes back; none where another dialect said them. */
export function ownFields(extra: Extra | undefined): JsonObject {
  return extra?.dialect === 'responses' ? extra.fields : {};
}

/** A nested object among the own fields, or none. */
export function ownObject(extra: Extra | undefined, key: string): JsonObject {
  const value = ownFields(extra)[key];
  return isObject(value) ? value : {};
}

/**
 * The key, among a part's own fields, of what the item around the part says (`id`, `status`, `phase`, …). On the
 * text of a message it also marks where an item begins: text without it goes on in the item before.
 */
export const ITEM = 'item';

/** The key, among a tool's own fields, of the namespace that it stands in. */
export const NAMESPACE = 'namespace';

/** The key, among a part's own fields, of the item that it stands for, where that has no words of a call or a result. */
export const AS_IT_CAME = 'as_it_came';

/** The own fields of a part without those of the item around it. */
export function partFields(extra: Extra | undefined): JsonObject {
  const { [ITEM]: _, ...fields } = ownFields(extra);
  return fields;
}
