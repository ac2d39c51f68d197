import { isObject, type JsonObject, type JsonValue } from '../../src/conversation/json.ts';

/** The objects in a list; none where it is no list. */
export function objectsOf(value: JsonValue | undefined): JsonObject[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

/** The strings in a list; none where it is no list. */
export function stringsOf(value: JsonValue | undefined): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}

/** Present and not `null`. */
export function has(body: JsonObject, name: string): boolean {
  return body[name] !== undefined && body[name] !== null;
}
