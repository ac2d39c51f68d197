/** JSON as `JSON.parse` gives it. */
export type JsonValue = string | number | boolean | null | JsonValue[] | JsonObject;
export interface JsonObject {
  [key: string]: JsonValue | undefined;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether two values are the same, their keys in the same order: the order of patterns is part of what they mean. */
export function isSameInOrder(one: JsonValue | undefined, other: JsonValue | undefined): boolean {
  return one === other || JSON.stringify(one) === JSON.stringify(other);
}

/** Parses JSON text; `undefined` where it is none. For text from outside, whose invalidity is an expected case. */
export function tryParseJson(text: string): JsonValue | undefined {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return undefined;
  }
}

/** Level by level: recursion is what the limit is to keep safe. */
export function isDeeperThan(value: JsonValue, depth: number): boolean {
  let level: JsonValue[] = [value];
  for (let at = 0; at <= depth; at++) {
    if (level.length === 0) return false;
    level = level.flatMap((one) =>
      typeof one === 'object' && one !== null
        ? Object.values(one).filter(
            (inner): inner is JsonValue => typeof inner === 'object' && inner !== null,
          )
        : [],
    );
  }
  return level.length > 0;
}
