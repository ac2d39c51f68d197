import { isObject, type JsonObject } from '../../src/conversation/json.ts';

/**
 * What a request must look like, as data. The three fakes describe their requests with the same few words; each
 * renders a violation as its real API does. Unlike a schema library's, the description tells *known* from
 * *unknown* fields at every level: that is what the real APIs are strict about.
 */
export type Shape =
  | { kind: 'any' }
  | { kind: 'boolean' }
  | ({ kind: 'string' } & StringLimits)
  | ({ kind: 'number'; integer: boolean } & NumberLimits)
  | ({ kind: 'array'; of: Shape } & ArrayLimits)
  | { kind: 'map'; of: Shape }
  | { kind: 'object'; required: Fields; optional: Fields }
  /** The branch is named by a field of the value, `fallback` where the field is absent. */
  | { kind: 'union'; field: string; branches: Fields; fallback?: string }
  /** The first whose JSON type fits. */
  | { kind: 'either'; of: readonly Shape[] }
  | { kind: 'nullable'; of: Shape }
  | { kind: 'lazy'; of: () => Shape };

export type Fields = Readonly<Record<string, Shape>>;
interface StringLimits {
  minLength?: number;
  maxLength?: number;
  pattern?: RegExp;
  values?: readonly string[];
}
interface NumberLimits {
  min?: number;
  max?: number;
}
interface ArrayLimits {
  minItems?: number;
  maxItems?: number;
}

/** A step of a path: a field, an index, the branch of a union, or an entry of a map (protobuf paths count them). */
export type Segment = string | number | { branch: string } | { entry: string; index: number };

export type Problem =
  | { kind: 'unknown' }
  | { kind: 'missing' }
  | { kind: 'type'; expected: string[]; got: string }
  | { kind: 'value'; allowed: readonly string[]; got: string }
  /** The field that names the branch of a union names none; the path is the union's. */
  | { kind: 'branch'; field: string; allowed: readonly string[]; got: string }
  | { kind: 'length'; of: 'string' | 'array'; bound: 'min' | 'max'; limit: number; got: number }
  | { kind: 'range'; integer: boolean; bound: 'min' | 'max'; limit: number; got: number }
  | { kind: 'pattern'; pattern: string };

export interface Violation {
  path: Segment[];
  problem: Problem;
}

export const any: Shape = { kind: 'any' };
export const boolean: Shape = { kind: 'boolean' };
export const text = (limits: StringLimits = {}): Shape => ({ kind: 'string', ...limits });
export const oneOf = (...values: string[]): Shape => ({ kind: 'string', values });
export const integer = (limits: NumberLimits = {}): Shape => ({ kind: 'number', integer: true, ...limits });
export const number = (limits: NumberLimits = {}): Shape => ({ kind: 'number', integer: false, ...limits });
export const list = (of: Shape, limits: ArrayLimits = {}): Shape => ({ kind: 'array', of, ...limits });
export const map = (of: Shape): Shape => ({ kind: 'map', of });
export const object = (required: Fields, optional: Fields = {}): Shape => ({
  kind: 'object',
  required,
  optional,
});
export const union = (field: string, branches: Fields, fallback?: string): Shape =>
  fallback === undefined ? { kind: 'union', field, branches } : { kind: 'union', field, branches, fallback };
export const either = (...of: Shape[]): Shape => ({ kind: 'either', of });
export const nullable = (of: Shape): Shape => ({ kind: 'nullable', of });
export const lazy = (of: () => Shape): Shape => ({ kind: 'lazy', of });

/** Every field of the table made nullable: OpenAI takes `null` for "not set" in nearly all of its parameters. */
export function allNullable(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).map(([name, shape]) => [name, nullable(shape)]));
}

/** All violations, in the order of the value. */
export function violationsOf(value: unknown, shape: Shape, path: Segment[] = []): Violation[] {
  switch (shape.kind) {
    case 'any':
      return [];
    case 'lazy':
      return violationsOf(value, shape.of(), path);
    case 'nullable':
      return value === null ? [] : violationsOf(value, shape.of, path);
    case 'either': {
      const fitting = shape.of.find((option) => jsonTypesOf(option).includes(jsonType(value)));
      return fitting ? violationsOf(value, fitting, path) : [wrongType(value, shape, path)];
    }
    case 'boolean':
      return typeof value === 'boolean' ? [] : [wrongType(value, shape, path)];
    case 'string':
      return typeof value === 'string'
        ? stringViolations(value, shape, path)
        : [wrongType(value, shape, path)];
    case 'number':
      return isNumber(value, shape.integer)
        ? numberViolations(value, shape, path)
        : [wrongType(value, shape, path)];
    case 'array':
      return Array.isArray(value) ? arrayViolations(value, shape, path) : [wrongType(value, shape, path)];
    case 'map':
      return isObject(value)
        ? Object.entries(value).flatMap(([entry, item], index) =>
            violationsOf(item, shape.of, [...path, { entry, index }]),
          )
        : [wrongType(value, shape, path)];
    case 'object':
      return isObject(value) ? objectViolations(value, shape, path) : [wrongType(value, shape, path)];
    case 'union':
      return isObject(value) ? unionViolations(value, shape, path) : [wrongType(value, shape, path)];
  }
}

function objectViolations(
  value: JsonObject,
  shape: Extract<Shape, { kind: 'object' }>,
  path: Segment[],
): Violation[] {
  const missing = Object.keys(shape.required)
    .filter((name) => !Object.hasOwn(value, name))
    .map((name): Violation => ({ path: [...path, name], problem: { kind: 'missing' } }));
  const wrong = Object.entries(value).flatMap(([name, item]) => {
    const field = fieldOf(shape.required, name) ?? fieldOf(shape.optional, name);
    if (!field) return [{ path: [...path, name], problem: { kind: 'unknown' } } satisfies Violation];
    return violationsOf(item, field, [...path, name]);
  });
  return [...missing, ...wrong];
}

function unionViolations(
  value: JsonObject,
  shape: Extract<Shape, { kind: 'union' }>,
  path: Segment[],
): Violation[] {
  const named = value[shape.field] ?? shape.fallback;
  if (named === undefined) return [{ path: [...path, shape.field], problem: { kind: 'missing' } }];
  if (typeof named !== 'string') return [wrongType(named, text(), [...path, shape.field])];
  const branch = fieldOf(shape.branches, named);
  if (branch) return violationsOf(value, branch, [...path, { branch: named }]);
  const allowed = Object.keys(shape.branches);
  return [{ path, problem: { kind: 'branch', field: shape.field, allowed, got: named } }];
}

function stringViolations(value: string, limits: StringLimits, path: Segment[]): Violation[] {
  const { values, pattern, minLength, maxLength } = limits;
  if (values && !values.includes(value)) {
    return [{ path, problem: { kind: 'value', allowed: values, got: value } }];
  }
  const length = lengthProblem('string', value.length, minLength, maxLength);
  if (length) return [{ path, problem: length }];
  if (pattern && !pattern.test(value))
    return [{ path, problem: { kind: 'pattern', pattern: pattern.source } }];
  return [];
}

function numberViolations(
  value: number,
  limits: NumberLimits & { integer: boolean },
  path: Segment[],
): Violation[] {
  const { min, max, integer: whole } = limits;
  if (min !== undefined && value < min) {
    return [{ path, problem: { kind: 'range', integer: whole, bound: 'min', limit: min, got: value } }];
  }
  if (max !== undefined && value > max) {
    return [{ path, problem: { kind: 'range', integer: whole, bound: 'max', limit: max, got: value } }];
  }
  return [];
}

function arrayViolations(
  value: unknown[],
  shape: Extract<Shape, { kind: 'array' }>,
  path: Segment[],
): Violation[] {
  const length = lengthProblem('array', value.length, shape.minItems, shape.maxItems);
  if (length) return [{ path, problem: length }];
  return value.flatMap((item, index) => violationsOf(item, shape.of, [...path, index]));
}

function lengthProblem(
  of: 'string' | 'array',
  got: number,
  min: number | undefined,
  max: number | undefined,
): Problem | undefined {
  if (min !== undefined && got < min) return { kind: 'length', of, bound: 'min', limit: min, got };
  if (max !== undefined && got > max) return { kind: 'length', of, bound: 'max', limit: max, got };
  return undefined;
}

function wrongType(value: unknown, shape: Shape, path: Segment[]): Violation {
  return { path, problem: { kind: 'type', expected: jsonTypesOf(shape), got: jsonType(value) } };
}

function fieldOf(fields: Fields, name: string): Shape | undefined {
  return Object.hasOwn(fields, name) ? fields[name] : undefined;
}

function isNumber(value: unknown, whole: boolean): value is number {
  return typeof value === 'number' && (!whole || Number.isInteger(value));
}

/** `integer` and `decimal` apart, as the APIs' messages have them. */
export function jsonType(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'decimal';
  return typeof value;
}

function jsonTypesOf(shape: Shape): string[] {
  switch (shape.kind) {
    case 'any':
      return ['object', 'array', 'string', 'integer', 'decimal', 'boolean', 'null'];
    case 'number':
      return shape.integer ? ['integer'] : ['decimal', 'integer'];
    case 'map':
    case 'object':
    case 'union':
      return ['object'];
    case 'either':
      return shape.of.flatMap(jsonTypesOf);
    case 'nullable':
      return [...jsonTypesOf(shape.of), 'null'];
    case 'lazy':
      return jsonTypesOf(shape.of());
    case 'array':
    case 'boolean':
    case 'string':
      return [shape.kind];
  }
}
