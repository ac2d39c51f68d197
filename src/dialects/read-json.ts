import { invalidRequest } from '../conversation/gateway-error.ts';
import { isObject, type JsonObject, type JsonValue } from '../conversation/json.ts';

/**
 * Reads a caller's JSON with the types that a decoder needs, and says by its exact path
 * (`messages[2].content[0].type`) what is not as it should be. `null` counts as absent, as OpenAI's API has it.
 */
interface Kinds {
  string: string;
  number: number;
  boolean: boolean;
  object: JsonObject;
  array: JsonValue[];
}

export type JsonKind = keyof Kinds;

export const KIND_NAMES: Record<JsonKind, string> = {
  string: 'a string',
  number: 'a number',
  boolean: 'a boolean',
  object: 'an object',
  array: 'an array',
};

export function jsonKind(value: JsonValue | undefined): JsonKind | 'null' | 'missing' {
  if (value === undefined) return 'missing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (isObject(value)) return 'object';
  return typeof value as 'string' | 'number' | 'boolean';
}

/** The path of a field of what stands at `at` (`''`: the body itself). */
export function pathOf(at: string, key: string | number): string {
  if (typeof key === 'number') return `${at}[${key}]`;
  return at === '' ? key : `${at}.${key}`;
}

/** @throws GatewayError `invalid_request` where the value is of another kind, or missing. */
export function expectKind<K extends JsonKind>(
  value: JsonValue | undefined,
  kind: K,
  path: string,
): Kinds[K] {
  if (jsonKind(value) === kind) return value as Kinds[K];
  throw wrongKind(value, KIND_NAMES[kind], path);
}

/** @throws GatewayError `invalid_request` where the field is of another kind, or missing. */
export function requireField<K extends JsonKind>(
  holder: JsonObject,
  key: string,
  kind: K,
  at: string,
): Kinds[K] {
  return expectKind(holder[key], kind, pathOf(at, key));
}

/** `undefined` where the field is missing or null. @throws GatewayError `invalid_request` for another kind. */
export function optionalField<K extends JsonKind>(
  holder: JsonObject,
  key: string,
  kind: K,
  at: string,
): Kinds[K] | undefined {
  const value = holder[key];
  return value === undefined || value === null ? undefined : expectKind(value, kind, pathOf(at, key));
}

export function wrongKind(value: JsonValue | undefined, expected: string, path: string): Error {
  const actual = jsonKind(value);
  if (actual === 'missing') {
    return invalidRequest(
      `'${path}' is missing; ${expected} was expected.`,
      path,
      'missing_required_parameter',
    );
  }
  const found = actual === 'null' ? 'null' : KIND_NAMES[actual];
  return invalidRequest(`'${path}' must be ${expected}, not ${found}.`, path, 'invalid_type');
}

export interface NumberRange {
  least?: number;
  most?: number;
  isWhole?: boolean;
}

/** @throws GatewayError `invalid_request` where the number is out of its range. */
export function expectInRange(
  value: number,
  { least, most, isWhole = false }: NumberRange,
  path: string,
): number {
  const fits = value >= (least ?? value) && value <= (most ?? value) && (!isWhole || Number.isInteger(value));
  if (fits) return value;
  const kind = isWhole ? 'a whole number' : 'a number';
  const bounds = [
    ...(least === undefined ? [] : [`at least ${least}`]),
    ...(most === undefined ? [] : [`at most ${most}`]),
  ];
  const expected = [kind, bounds.join(' and ')].filter((words) => words !== '').join(' of ');
  throw invalidRequest(`'${path}' is ${value}; ${expected} was expected.`, path, 'invalid_value');
}

/** For a word that is none of the words known at this place. */
export function unknownWord(word: string, known: Iterable<string>, path: string): Error {
  const list = [...known].map((name) => `'${name}'`).join(', ');
  const shown = word.length > 64 ? `${word.slice(0, 64)}…` : word;
  return invalidRequest(`'${path}' is '${shown}', which is none of ${list}.`, path, 'invalid_value');
}

/** An object without some of its keys. Safe with keys such as `__proto__`, which JSON may hold. */
export function omitKeys(object: JsonObject, keys: ReadonlySet<string>): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([key]) => !keys.has(key)));
}
