import { appendAll } from '../../conversation/append-all.ts';
import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';

/**
 * Structured outputs and strict tools take a part of JSON Schema. A schema that says more in keywords that only
 * narrow a value (`minimum`, `pattern`) is narrowed by words in its description instead, as Anthropic's SDKs do
 * it. A schema that means something else in that part (an open map, a recursion, "anything") does not fit.
 *
 * Source: docs "Structured outputs", section "JSON Schema limitations".
 */
const KEPT = new Set(['$ref', 'type', 'enum', 'const', 'title', 'required']);
const STRING_FORMATS = new Set<JsonValue | undefined>([
  'date-time',
  'time',
  'date',
  'duration',
  'email',
  'hostname',
  'uri',
  'ipv4',
  'ipv6',
  'uuid',
]);
/** Say nothing about what a value may be. */
const MEANINGLESS = new Set(['$schema', '$id', '$comment', '$anchor']);
/** Keywords that hold a list of schemas, and what they are written as. */
const LISTS = new Map([
  ['anyOf', 'anyOf'],
  ['oneOf', 'anyOf'],
  ['allOf', 'allOf'],
]);
const DEFINITIONS = new Set(['$defs', 'definitions']);
const LOCAL_REFERENCE = /^#\/(?:\$defs|definitions)\/([^/]+)$/;

export function isObjectSchema(schema: JsonObject): boolean {
  return schema['type'] === 'object' || (schema['type'] === undefined && schema['properties'] !== undefined);
}

/** Of a list of types, `object` may be one among others. */
function mayBeObject(schema: JsonObject): boolean {
  const { type } = schema;
  return isObjectSchema(schema) || (Array.isArray(type) && type.includes('object'));
}

/** Whether `constrainSchema` keeps the schema's meaning. */
export function fitsStructuredOutputs(schema: JsonObject): boolean {
  return schemaFits(schema) && !isRecursive(schema);
}

/** Whether an object in a schema that fits may have properties that are not named, which `constrainSchema` forbids. */
export function leavesOpen(schema: JsonValue | undefined): boolean {
  if (!isObject(schema)) return false;
  return (
    (mayBeObject(schema) && schema['additionalProperties'] !== false) || subschemas(schema).some(leavesOpen)
  );
}

function schemaFits(schema: JsonValue | undefined): boolean {
  if (!isObject(schema)) return false;
  if (!saysType(schema) || isOpenMap(schema)) return false;
  const { enum: literals, const: literal } = schema;
  if (Array.isArray(literals) && literals.some(isCompound)) return false;
  if (literal !== undefined && isCompound(literal)) return false;
  return subschemas(schema).every(schemaFits);
}

function saysType(schema: JsonObject): boolean {
  return ['type', '$ref', 'enum', 'const', 'properties', ...LISTS.keys()].some(
    (key) => schema[key] !== undefined,
  );
}

/** An object whose keys are data. Those of a closed object (`additionalProperties` absent or false) are listed. */
function isOpenMap(schema: JsonObject): boolean {
  if (schema['patternProperties'] !== undefined) return true;
  const additional = schema['additionalProperties'];
  if (additional === true || isObject(additional)) return true;
  const properties = isObject(schema['properties']) ? schema['properties'] : {};
  return mayBeObject(schema) && additional !== false && Object.keys(properties).length === 0;
}

function subschemas(schema: JsonObject): (JsonValue | undefined)[] {
  const found: (JsonValue | undefined)[] = [];
  for (const [key, value] of Object.entries(schema)) {
    if (key === 'items') found.push(value);
    else if (LISTS.has(key) && Array.isArray(value)) appendAll(found, value);
    else if ((key === 'properties' || DEFINITIONS.has(key)) && isObject(value))
      appendAll(found, Object.values(value));
  }
  return found;
}

/** A reference that is not to a definition (`#`, a file) counts as one: it cannot be followed here. */
function isRecursive(root: JsonObject): boolean {
  /** What each definition refers to that was not found to end yet. */
  const open = new Map<string, Set<string>>();
  for (const key of DEFINITIONS) {
    const group = root[key];
    if (!isObject(group)) continue;
    for (const [name, schema] of Object.entries(group)) open.set(name, new Set(referencesIn(schema)));
  }
  if (referencesIn(root).includes(ELSEWHERE)) return true;
  const users = new Map<string, string[]>();
  for (const [name, references] of open) {
    for (const reference of references) {
      if (!open.has(reference)) references.delete(reference);
      else users.getOrInsert(reference, []).push(name);
    }
  }
  // Taken away one by one, what refers to nothing; what is left then refers to itself. Chains of definitions may be long.
  const ended = [...open].flatMap(([name, { size }]) => (size === 0 ? [name] : []));
  for (const name of ended) {
    for (const user of users.get(name) ?? []) {
      const references = open.get(user);
      references?.delete(name);
      if (references?.size === 0) ended.push(user);
    }
  }
  return ended.length < open.size;
}

/** Stands for what is not a definition of the schema. */
const ELSEWHERE = '#';

/** The names of the definitions that a schema refers to at any depth. */
function referencesIn(schema: JsonValue | undefined): string[] {
  if (!isObject(schema)) return [];
  const { $ref: reference } = schema;
  const own = reference === undefined ? [] : [LOCAL_REFERENCE.exec(String(reference))?.[1] ?? ELSEWHERE];
  return [...own, ...subschemas(schema).flatMap(referencesIn)];
}

/** The schema in the part of JSON Schema that constrained decoding takes; key order is kept. */
export function constrainSchema(schema: JsonObject): JsonObject {
  const fields: [string, JsonValue | undefined][] = [];
  const hints: string[] = [];
  for (const [key, value] of Object.entries(schema)) {
    const list = LISTS.get(key);
    if (KEPT.has(key)) {
      fields.push([key, value]);
    } else if (list && Array.isArray(value)) {
      fields.push([list, value.map((item) => (isObject(item) ? constrainSchema(item) : item))]);
    } else if (key === 'items') {
      fields.push([key, constrainValue(value)]);
    } else if ((key === 'properties' || DEFINITIONS.has(key)) && isObject(value)) {
      fields.push([key, constrainGroup(value)]);
    } else if (
      (key === 'format' && STRING_FORMATS.has(value)) ||
      (key === 'minItems' && isZeroOrOne(value))
    ) {
      fields.push([key, value]);
    } else if (key !== 'description' && key !== 'additionalProperties' && !MEANINGLESS.has(key)) {
      hints.push(`${key}: ${JSON.stringify(value)}`);
    }
  }
  const description = describe(schema['description'], hints);
  if (description !== undefined) fields.push(['description', description]);
  if (isObjectSchema(schema) && schema['type'] === undefined) fields.push(['type', 'object']);
  if (mayBeObject(schema)) fields.push(['additionalProperties', false]);
  return Object.fromEntries(fields);
}

function constrainGroup(group: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(group).map(([name, schema]) => [name, constrainValue(schema)]));
}

function constrainValue(schema: JsonValue | undefined): JsonValue | undefined {
  return isObject(schema) ? constrainSchema(schema) : schema;
}

function describe(description: JsonValue | undefined, hints: string[]): string | undefined {
  const words = typeof description === 'string' ? description : '';
  if (hints.length === 0) return words === '' ? undefined : words;
  const narrowed = `(${hints.join(', ')})`;
  return words === '' ? narrowed : `${words} ${narrowed}`;
}

function isZeroOrOne(value: JsonValue | undefined): boolean {
  return value === 0 || value === 1;
}

function isCompound(value: JsonValue): boolean {
  return typeof value === 'object' && value !== null;
}
