import { isObject, type JsonObject, type JsonValue } from '../conversation/json.ts';
import { addressOf, LISTS, MAPS, SCHEMAS, targetOf } from './schema-parts.ts';

/** Why a schema is none. */
export interface SchemaFault {
  /** The fields that lead to where it is. */
  path: string[];
  message: string;
}

const TYPES: ReadonlySet<string> = new Set([
  ...['string', 'number', 'integer', 'boolean', 'object', 'array', 'null'],
]);

/** What a keyword must be, where its value is no schema: a sentence's end, or nothing. Source: the vocabularies of JSON Schema 2020-12. */
type Check = (value: JsonValue) => string | undefined;

const text: Check = (value) => (typeof value === 'string' ? undefined : 'must be text');
const flag: Check = (value) => (typeof value === 'boolean' ? undefined : 'must be true or false');
const number: Check = (value) => (typeof value === 'number' ? undefined : 'must be a number');
const list: Check = (value) => (Array.isArray(value) ? undefined : 'must be a list');
const names: Check = (value) => (isListOfTexts(value) ? undefined : 'must be a list of names');
const count: Check = (value) =>
  Number.isInteger(value) && Number(value) >= 0 ? undefined : 'must be a whole number, from 0';
const step: Check = (value) =>
  typeof value === 'number' && value > 0 ? undefined : 'must be a number above 0';
const pattern: Check = (value) =>
  typeof value === 'string' ? patternFault(value) : 'must be a regular expression';
const nameLists: Check = (value) =>
  isObject(value) && Object.values(value).every(isListOfTexts)
    ? undefined
    : 'must be a mapping of lists of names';

const VALUES: ReadonlyMap<string, Check> = new Map([
  ...['title', 'description', 'format', '$comment', '$schema'].map((name) => [name, text] as const),
  ...['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum'].map((name) => [name, number] as const),
  ...['minLength', 'maxLength', 'minItems', 'maxItems'].map((name) => [name, count] as const),
  ...['minProperties', 'maxProperties', 'minContains', 'maxContains'].map((name) => [name, count] as const),
  ...['uniqueItems', 'deprecated', 'readOnly', 'writeOnly'].map((name) => [name, flag] as const),
  ...[['multipleOf', step] as const, ['pattern', pattern] as const, ['required', names] as const],
  ...[['enum', list] as const, ['examples', list] as const, ['dependentRequired', nameLists] as const],
]);

/** Those that are about the same value as the schema that has them. */
const OF_SAME_VALUE: ReadonlySet<string> = new Set([
  ...['allOf', 'anyOf', 'oneOf', 'not', 'if', 'then', 'else', 'dependentSchemas'],
]);
/** Which other places a schema may refer to, beside `$ref`. */
const ADDRESSES: ReadonlySet<string> = new Set([
  ...['$id', 'id', '$anchor', '$dynamicAnchor', '$dynamicRef', '$recursiveAnchor', '$recursiveRef'],
]);

/** What is wrong with a JSON schema (2020-12), the first thing. A schema refers to nothing but its own parts, `#/$defs/NAME`. */
export function findSchemaFault(schema: JsonObject): SchemaFault | undefined {
  const checker = new Checker();
  return checker.check(schema, [], undefined) ?? checker.checkReferences();
}

class Checker {
  /** By their addresses, where all schemas stand. */
  readonly #places = new Set<string>();
  readonly #references: { path: string[]; target: string; written: string }[] = [];
  /** By addresses, which other schemas the same value must fit. */
  readonly #ofSameValue = new Map<string, Set<string>>();

  /** `around`: the address of the schema whose value this one is about as well. */
  check(schema: JsonValue | undefined, path: string[], around: string | undefined): SchemaFault | undefined {
    const place = addressOf(path);
    this.#places.add(place);
    if (around !== undefined) this.#link(around, place);
    if (typeof schema === 'boolean') return undefined;
    if (!isObject(schema)) return mustBeSchema(schema, path);
    for (const [keyword, value = null] of Object.entries(schema)) {
      const fault = this.#checkKeyword(keyword, value, [...path, keyword], place);
      if (fault) return fault;
    }
    return undefined;
  }

  checkReferences(): SchemaFault | undefined {
    for (const { path, target, written } of this.#references) {
      if (!this.#places.has(target)) return { path, message: `there is nothing at '${written}'` };
      if (this.#comesBack(target))
        return { path, message: `what is at '${written}' comes back to itself, within the same value` };
    }
    return undefined;
  }

  #checkKeyword(keyword: string, value: JsonValue, path: string[], place: string): SchemaFault | undefined {
    if (keyword === 'type') return typeFault(value, path);
    if (keyword === '$ref') return this.#checkReference(value, path, place);
    if (ADDRESSES.has(keyword))
      return { path, message: `a schema cannot have '${keyword}' here: refer to '#/$defs/NAME'` };
    const around = OF_SAME_VALUE.has(keyword) ? place : undefined;
    if (SCHEMAS.has(keyword)) return this.check(value, path, around);
    if (LISTS.has(keyword)) return this.#checkList(keyword, value, path, around);
    if (MAPS.has(keyword)) return this.#checkMap(keyword, value, path, around);
    const message = VALUES.get(keyword)?.(value);
    return message === undefined ? undefined : { path, message: `'${keyword}' ${message}` };
  }

  #checkReference(value: JsonValue, path: string[], place: string): SchemaFault | undefined {
    const target = typeof value === 'string' ? targetOf(value) : undefined;
    if (target === undefined)
      return { path, message: `a schema refers to its own parts alone: '#/$defs/NAME'` };
    this.#references.push({ path, target, written: String(value) });
    this.#link(place, target);
    return undefined;
  }

  #checkList(keyword: string, value: JsonValue, path: string[], around: string | undefined) {
    if (!Array.isArray(value) || value.length === 0)
      return { path, message: `'${keyword}' must be a list of schemas` };
    for (const [index, schema] of value.entries()) {
      const fault = this.check(schema, [...path, String(index)], around);
      if (fault) return fault;
    }
    return undefined;
  }

  #checkMap(keyword: string, value: JsonValue, path: string[], around: string | undefined) {
    if (!isObject(value)) return { path, message: `'${keyword}' must be a mapping of schemas` };
    for (const [name, schema] of Object.entries(value)) {
      const inner = [...path, name];
      const message = keyword === 'patternProperties' ? patternFault(name) : undefined;
      if (message !== undefined) return { path: inner, message: `'${name}' ${message}` };
      if (name === '__proto__') return { path: inner, message: "nothing can be called '__proto__'" };
      const fault = this.check(schema, inner, around);
      if (fault) return fault;
    }
    return undefined;
  }

  #link(from: string, to: string): void {
    this.#ofSameValue.set(from, (this.#ofSameValue.get(from) ?? new Set()).add(to));
  }

  /** A value could never be checked that has to fit the same schema again and again. */
  #comesBack(start: string): boolean {
    const seen = new Set<string>();
    const open = [start];
    for (let place = open.pop(); place !== undefined; place = open.pop()) {
      for (const next of this.#ofSameValue.get(place) ?? []) {
        if (next === start) return true;
        if (!seen.has(next)) open.push(next);
        seen.add(next);
      }
    }
    return false;
  }
}

function typeFault(value: JsonValue, path: string[]): SchemaFault | undefined {
  const types = Array.isArray(value) ? value : [value];
  if (types.includes(null)) return { path, message: `there is no type null: write "null" in quotes` };
  const unknown = types.find((type) => typeof type !== 'string' || !TYPES.has(type));
  if (unknown !== undefined) {
    const known = [...TYPES].join(', ');
    return { path, message: `there is no type '${String(unknown)}', but ${known}` };
  }
  return types.length > 0 ? undefined : { path, message: "'type' names no type" };
}

function mustBeSchema(value: JsonValue | undefined, path: string[]): SchemaFault {
  const keyword = path.at(-1) ?? '';
  const advice =
    keyword === 'items' && Array.isArray(value) ? "; what each place has is in 'prefixItems'" : '';
  return { path, message: `'${keyword}' must be a schema${advice}` };
}

function patternFault(source: string): string | undefined {
  try {
    new RegExp(source, 'u');
    return undefined;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return `is no regular expression: ${reason}`;
  }
}

function isListOfTexts(value: JsonValue | undefined): boolean {
  return Array.isArray(value) && value.every((one) => typeof one === 'string');
}
