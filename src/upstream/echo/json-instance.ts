import { isDeepStrictEqual } from 'node:util';
import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import { proposeNumbers } from './number-instance.ts';
import { conformsTo } from './schema-check.ts';
import { addSchemas, type SchemaDemand } from './schema-demand.ts';
import {
  asSchema,
  largest,
  largestOf,
  listOf,
  ownField,
  type Schema,
  SchemaScope,
  smallestOf,
} from './schema-scope.ts';
import { proposeStrings } from './string-instance.ts';

/** Longer texts are cut: one may stand in many fields. */
const MAX_TEXT_CHARACTERS = 200;
/** How many variants are tried for an item that must differ from those before it. */
const UNIQUE_TRIES = 8;

interface Filling {
  scope: SchemaScope;
  text: string;
  /** How often each schema is being filled further up: a reference to it leads round in circles. */
  path: Map<JsonObject, number>;
  /** How often one may stand on the path. */
  maxOccurrences: number;
  /** Asks for another value than 0, 1, … would give. */
  variant: number;
}

const TYPES = ['object', 'array', 'string', 'integer', 'number', 'boolean', 'null'] as const;
type TypeName = (typeof TYPES)[number];

/** The values of a type that may satisfy all the schemas, the likeliest first. They are checked afterwards. */
const PROPOSALS: Record<TypeName, (schemas: JsonObject[], filling: Filling) => Iterable<JsonValue>> = {
  object: proposeObjects,
  array: proposeArrays,
  string: (schemas, { text, variant, scope }) => proposeStrings(schemas, text, variant, scope),
  integer: (schemas, { variant }) => proposeNumbers(schemas, 'integer', variant),
  number: (schemas, { variant }) => proposeNumbers(schemas, 'number', variant),
  boolean: (_schemas, { variant }) => (variant % 2 === 0 ? [true, false] : [false, true]),
  null: () => [null],
};

/** What a schema without `type` is about, by the keywords in it. */
const TYPE_KEYWORDS: Partial<Record<TypeName, string[]>> = {
  object: ['properties', 'required', 'additionalProperties', 'patternProperties', 'minProperties'],
  array: ['items', 'prefixItems', 'contains', 'minItems'],
  string: ['pattern', 'format', 'minLength', 'maxLength'],
  number: ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'],
};

/**
 * A value that fits a JSON Schema, always the same one for the same schema and text. Strings that nothing
 * constrains are the text. Optional members are filled too, as far as they do not lead round in circles.
 *
 * `param` is the caller's word for the schema.
 * @throws GatewayError `invalid_request` where no such value is found, or it would be very large.
 */
export function makeInstance(schema: Schema, text: string, param: string): JsonValue {
  const shortText = [...text.slice(0, 2 * MAX_TEXT_CHARACTERS)].slice(0, MAX_TEXT_CHARACTERS).join('');
  const scope = new SchemaScope(schema, param);
  // A schema that stands in itself need not be a circle, where others around it make it end: a second look.
  for (const maxOccurrences of [1, 2]) {
    const value = fill([schema], { scope, text: shortText, path: new Map(), maxOccurrences, variant: 0 });
    if (value !== undefined) return value;
  }
  throw scope.unsatisfiable();
}

/** A value that fits all the schemas; `undefined` where none is found. */
function fill(schemas: readonly Schema[], filling: Filling): JsonValue | undefined {
  const { scope } = filling;
  scope.spend(1);
  return scope.descend(() => {
    const demand = addSchemas(schemas, scope);
    return demand && fillDemand(demand, schemas, filling);
  });
}

/** Makes the choices of the demand, one after the other, until a value fits. */
function fillDemand(
  demand: SchemaDemand,
  origin: readonly Schema[],
  filling: Filling,
): JsonValue | undefined {
  const [choice, ...choices] = demand.choices;
  if (!choice) return fillSchemas([...demand.schemas], origin, filling);
  for (const alternative of choice) {
    const chosen = addSchemas([alternative], filling.scope, { schemas: demand.schemas, choices });
    const value = chosen && fillDemand(chosen, origin, filling);
    if (value !== undefined) return value;
  }
  return undefined;
}

function fillSchemas(
  schemas: JsonObject[],
  origin: readonly Schema[],
  filling: Filling,
): JsonValue | undefined {
  const { path, maxOccurrences, scope } = filling;
  if (schemas.some((schema) => (path.get(schema) ?? 0) >= maxOccurrences)) return undefined;
  for (const schema of schemas) path.set(schema, (path.get(schema) ?? 0) + 1);
  try {
    for (const value of proposeValues(schemas, filling)) {
      if (origin.every((schema) => conformsTo(value, schema, scope))) return value;
    }
    return undefined;
  } finally {
    for (const schema of schemas) path.set(schema, (path.get(schema) ?? 1) - 1);
  }
}

function* proposeValues(schemas: JsonObject[], filling: Filling): Generator<JsonValue> {
  const named = (keyword: string) =>
    schemas.filter((schema) => Object.hasOwn(schema, keyword)).map((schema) => schema[keyword] ?? null);
  const { scope, variant } = filling;
  if (variant === 0) yield* quote(named('default'), scope);
  const constants = [...named('const'), ...named('enum').flatMap(listOf)];
  yield* quote(rotate(constants, variant), scope);
  if (constants.length > 0) return;
  yield* quote(rotate(named('examples').flatMap(listOf), variant), scope);
  for (const type of typesOf(schemas)) yield* PROPOSALS[type](schemas, filling);
}

/** Values that the schema itself holds: however large they are there, many of them would be larger. */
function* quote(values: JsonValue[], scope: SchemaScope): Generator<JsonValue> {
  for (const value of values) {
    scope.spend(JSON.stringify(value).length);
    yield value;
  }
}

function rotate<T>(values: T[], by: number): T[] {
  const start = values.length === 0 ? 0 : by % values.length;
  return [...values.slice(start), ...values.slice(0, start)];
}

/** The types that all the schemas allow; where none says, what their keywords are about, then text, then any. */
function typesOf(schemas: readonly JsonObject[]): Iterable<TypeName> {
  const stated = schemas.filter((schema) => schema['type'] !== undefined).map((schema) => schema['type']);
  const [first, ...others] = stated.map((type) => (Array.isArray(type) ? type : [type]));
  if (first) {
    const allowed = TYPES.filter((type) =>
      [first, ...others].every(
        (types) => types.includes(type) || (type === 'integer' && types.includes('number')),
      ),
    );
    return inOrderOf(first, allowed);
  }
  const meant = TYPES.filter((type) =>
    TYPE_KEYWORDS[type]?.some((keyword) => schemas.some((schema) => Object.hasOwn(schema, keyword))),
  );
  return new Set<TypeName>([...meant, 'string', ...TYPES]);
}

/** The order that the schema names the types in, but null last: a value says more. */
function inOrderOf(words: readonly (JsonValue | undefined)[], types: TypeName[]): TypeName[] {
  const rank = (type: TypeName) => (type === 'null' ? words.length : words.indexOf(type));
  return types.sort((a, b) => rank(a) - rank(b));
}

/** With all optional members, then with the required ones only. */
function* proposeObjects(schemas: JsonObject[], filling: Filling): Generator<JsonValue> {
  const required = new Set(schemas.flatMap((schema) => listOf(schema['required'])).map(String));
  const declared = schemas.flatMap((schema) => Object.keys(ownObject(schema, 'properties')));
  const names = new Set([...declared, ...required]);
  const room = smallestOf(schemas, 'maxProperties') - required.size;
  if (filling.scope.isGenerous && names.size > required.size) {
    const full = fillObject(schemas, names, required, room, filling);
    if (full) yield full;
  }
  const bare = fillObject(schemas, required, required, room, filling);
  if (bare) yield bare;
}

function fillObject(
  schemas: JsonObject[],
  names: Iterable<string>,
  required: ReadonlySet<string>,
  roomForOptional: number,
  filling: Filling,
): JsonObject | undefined {
  const members = new Map<string, JsonValue>();
  let room = roomForOptional;
  for (const name of names) {
    const isRequired = required.has(name);
    if (!isRequired && (room <= 0 || !filling.scope.isGenerous)) continue;
    filling.scope.spend(name.length);
    const value = fill(schemasOfMember(schemas, name), filling);
    if (value === undefined && isRequired) return undefined;
    if (value === undefined) continue;
    members.set(name, value);
    if (!isRequired) room -= 1;
  }
  const fewest = largestOf(schemas, 'minProperties', 0);
  for (let number = 1; members.size < fewest; number += 1) {
    const name = `key${number}`;
    const value = fill(schemasOfMember(schemas, name), filling);
    if (value === undefined) return undefined;
    members.set(name, value);
  }
  // `fromEntries` defines members instead of assigning them, so one named `__proto__` is a member like others.
  return Object.fromEntries(members);
}

function schemasOfMember(schemas: readonly JsonObject[], name: string): Schema[] {
  const asked: Schema[] = [];
  for (const schema of schemas) {
    const own = asSchema(ownField(schema['properties'], name));
    // Which names a pattern is meant for is not found out: expressions from outside are not run.
    const other = schema['patternProperties'] ? undefined : asSchema(schema['additionalProperties']);
    const chosen = own ?? other;
    if (chosen !== undefined) asked.push(chosen);
  }
  return asked;
}

function* proposeArrays(schemas: JsonObject[], filling: Filling): Generator<JsonValue> {
  const fewest = largestOf(schemas, 'minItems', 0);
  const tuple = largest(
    schemas.map((schema) => tupleOf(schema).length),
    0,
  );
  const most = smallestOf(schemas, 'maxItems');
  const isUnique = schemas.some((schema) => schema['uniqueItems'] === true);
  const wanted = Math.min(most, filling.scope.isGenerous ? Math.max(fewest, tuple, 1) : fewest);
  const items: JsonValue[] = [];
  while (items.length < wanted) {
    const asked = schemasOfItem(schemas, items.length);
    const item = isUnique ? fillUnlike(items, asked, filling) : fill(asked, filling);
    if (item === undefined) break;
    items.push(item);
  }
  yield items;
  if (items.length > fewest) yield items.slice(0, fewest);
}

function fillUnlike(others: JsonValue[], schemas: Schema[], filling: Filling): JsonValue | undefined {
  for (let variant = others.length; variant < others.length + UNIQUE_TRIES; variant += 1) {
    const item = fill(schemas, { ...filling, variant: filling.variant + variant });
    filling.scope.spend(others.length);
    if (item !== undefined && !others.some((other) => isDeepStrictEqual(other, item))) return item;
  }
  return undefined;
}

function schemasOfItem(schemas: readonly JsonObject[], index: number): Schema[] {
  const asked: Schema[] = [];
  for (const schema of schemas) {
    const rest = Array.isArray(schema['items']) ? schema['additionalItems'] : schema['items'];
    const own = tupleOf(schema)[index] ?? rest;
    for (const part of [asSchema(own), index === 0 ? asSchema(schema['contains']) : undefined]) {
      if (part !== undefined) asked.push(part);
    }
  }
  return asked;
}

/** The schemas of the first items: `prefixItems`, or draft 7's list of `items`. */
function tupleOf(schema: JsonObject): JsonValue[] {
  return listOf(schema['prefixItems'] ?? schema['items']);
}

function ownObject(schema: JsonObject, key: string): JsonObject {
  const value = ownField(schema, key);
  return isObject(value) ? value : {};
}
