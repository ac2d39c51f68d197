import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import { listOf, readMessage } from './proto.ts';

/*
 * `Schema` of the Gemini API is a subset of an OpenAPI 3.0 schema, with its own words for types. Models from Gemini
 * 2.0 on take JSON Schema as it is (`parametersJsonSchema`, `responseJsonSchema`); this is for the others, and for
 * reading what callers of the Gemini dialect send.
 *
 * Source: Gemini API reference, `Schema` ("unknown name" is an error, not a warning).
 */

/** Keywords that mean the same in both. */
const SHARED = [
  'title',
  'description',
  'pattern',
  'minimum',
  'maximum',
  'minItems',
  'maxItems',
  'minLength',
  'maxLength',
  'minProperties',
  'maxProperties',
];

/** Formats that `Schema` knows, by type; it refuses others. */
const FORMATS: Record<string, string[]> = {
  string: ['enum', 'date-time'],
  integer: ['int32', 'int64'],
  number: ['float', 'double'],
};

/** Inlined definitions can grow without bound even when none contains itself: from here on they are left open. */
const MAX_NODES = 5000;
const MAX_OPEN_REFERENCES = 32;

interface Walk {
  root: JsonObject;
  /** Definitions that are being inlined: meeting one again is a recursion. */
  open: ReadonlySet<string>;
  budget: { nodes: number };
}

/** JSON Schema as the `Schema` that it can be said in; what that cannot say is left open. */
export function toOpenApiSchema(schema: JsonObject): JsonObject {
  return convert(schema, { root: schema, open: new Set(), budget: { nodes: MAX_NODES } });
}

function convert(value: JsonValue | undefined, walk: Walk): JsonObject {
  walk.budget.nodes -= 1;
  if (!isObject(value)) return {};
  if (walk.budget.nodes < 0) return { type: 'OBJECT' };

  const reference = value['$ref'];
  if (typeof reference === 'string') return convertReference(reference, value, walk);
  const schema = mergeAllOf(value, walk);
  const types = listOf(schema['type']).filter((type): type is string => typeof type === 'string');
  const nullable = schema['nullable'] === true || types.includes('null');
  const named = types.filter((type) => type !== 'null');
  if (named.length > 1) {
    const alternatives = named.map((type) => convert({ ...schema, type, nullable: undefined }, walk));
    return flag({ anyOf: alternatives }, nullable);
  }
  return flag(convertPlain(schema, named[0], walk), nullable);
}

function flag(schema: JsonObject, nullable: boolean): JsonObject {
  return nullable ? { ...schema, nullable: true } : schema;
}

function convertReference(reference: string, { $ref, ...siblings }: JsonObject, walk: Walk): JsonObject {
  const tooDeep = walk.open.has(reference) || walk.open.size >= MAX_OPEN_REFERENCES;
  const target = tooDeep ? undefined : resolve(walk.root, reference);
  if (!target) return { type: 'OBJECT', ...shared(siblings) };
  return convert({ ...target, ...siblings }, { ...walk, open: new Set([...walk.open, reference]) });
}

/** A JSON pointer in the schema itself (`#/$defs/Name`). */
function resolve(root: JsonObject, reference: string): JsonObject | undefined {
  if (!reference.startsWith('#')) return undefined;
  let at: JsonValue | undefined = root;
  for (const step of reference.slice(1).split('/').filter(Boolean)) {
    const key = step.replaceAll('~1', '/').replaceAll('~0', '~');
    at = isObject(at) && Object.hasOwn(at, key) ? at[key] : undefined;
  }
  return isObject(at) ? at : undefined;
}

function mergeAllOf(schema: JsonObject, walk: Walk): JsonObject {
  const { allOf, ...own } = schema;
  if (!Array.isArray(allOf)) return schema;
  let sum = own;
  for (const member of allOf) {
    if (!isObject(member)) continue;
    const reference = member['$ref'];
    const target =
      typeof reference === 'string' && !walk.open.has(reference) ? resolve(walk.root, reference) : member;
    if (!target) continue;
    sum = {
      ...target,
      ...sum,
      properties: { ...objectOr(target['properties']), ...objectOr(sum['properties']) },
      required: [...listOf(target['required']), ...listOf(sum['required'])],
    };
  }
  return sum;
}

function objectOr(value: JsonValue | undefined): JsonObject {
  return isObject(value) ? value : {};
}

function convertPlain(schema: JsonObject, stated: string | undefined, walk: Walk): JsonObject {
  const alternatives = [...listOf(schema['anyOf']), ...listOf(schema['oneOf'])];
  if (alternatives.length > 0) return convertAlternatives(schema, alternatives, walk);

  const type = stated?.toLowerCase() ?? impliedType(schema);
  return {
    ...(type === undefined ? {} : { type: type.toUpperCase() }),
    ...shared(schema),
    ...convertBounds(schema, type),
    ...convertValues(schema, type),
    ...(type === 'array' ? { items: convertItems(schema, walk) } : {}),
    ...(type === 'object' ? convertProperties(schema, walk) : {}),
  };
}

function impliedType(schema: JsonObject): string | undefined {
  if (isObject(schema['properties'])) return 'object';
  if (schema['items'] !== undefined || schema['prefixItems'] !== undefined) return 'array';
  const value = valuesOf(schema)[0];
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    ? typeof value
    : undefined;
}

function shared(schema: JsonObject): JsonObject {
  return Object.fromEntries(
    SHARED.filter((key) => schema[key] !== undefined).map((key) => [key, schema[key]]),
  );
}

/** "Or null" is a property of a `Schema`, not an alternative. */
function convertAlternatives(schema: JsonObject, alternatives: JsonValue[], walk: Walk): JsonObject {
  const real = alternatives.filter((one) => !(isObject(one) && one['type'] === 'null'));
  const converted = real.map((one) => convert(one, walk));
  const nullable = real.length < alternatives.length;
  const [only, ...others] = converted;
  if (only && others.length === 0) return flag({ ...only, ...shared(schema) }, nullable);
  return flag({ ...shared(schema), anyOf: converted }, nullable);
}

/** Exclusive bounds have no word; the next whole number is one for integers, the bound itself must do for others. */
function convertBounds(schema: JsonObject, type: string | undefined): JsonObject {
  const step = type === 'integer' ? 1 : 0;
  const { exclusiveMinimum: above, exclusiveMaximum: below } = schema;
  return {
    ...(typeof above === 'number' ? { minimum: above + step } : {}),
    ...(typeof below === 'number' ? { maximum: below - step } : {}),
  };
}

function valuesOf(schema: JsonObject): JsonValue[] {
  return schema['const'] === undefined ? listOf(schema['enum']) : [schema['const']];
}

/** Enum values are strings whatever their type; booleans have no enum. */
function convertValues(schema: JsonObject, type: string | undefined): JsonObject {
  const values = valuesOf(schema).filter((value) => value !== null && typeof value !== 'object');
  if (values.length > 0 && type !== undefined && type !== 'boolean') {
    return { format: 'enum', enum: values.map(String) };
  }
  const format = schema['format'];
  return typeof format === 'string' && FORMATS[type ?? '']?.includes(format) ? { format } : {};
}

function convertItems(schema: JsonObject, walk: Walk): JsonObject {
  const prefix = listOf(schema['prefixItems']);
  if (prefix.length > 0) return { anyOf: prefix.map((item) => convert(item, walk)) };
  const items = convert(listOf(schema['items'])[0], walk);
  return Object.keys(items).length > 0 ? items : { type: 'STRING' };
}

function convertProperties(schema: JsonObject, walk: Walk): JsonObject {
  const entries = Object.entries(objectOr(schema['properties']));
  const properties = Object.fromEntries(entries.map(([name, property]) => [name, convert(property, walk)]));
  const required = [...new Set(listOf(schema['required']))].filter(
    (name) => typeof name === 'string' && Object.hasOwn(properties, name),
  );
  return {
    ...(entries.length > 0 ? { properties } : {}),
    ...(required.length > 0 ? { required } : {}),
    ...(Array.isArray(schema['propertyOrdering']) ? { propertyOrdering: schema['propertyOrdering'] } : {}),
  };
}

/** A `Schema` as JSON Schema: lower-case types, `nullable` as a type, numbers that protobuf writes as strings. */
export function fromOpenApiSchema(schema: JsonObject): JsonObject {
  const { nullable, ...keywords } = readMessage(schema);
  const entries = Object.entries(keywords);
  const converted = Object.fromEntries(entries.map(([key, value]) => [key, fromKeyword(key, value)]));
  const type = converted['type'];
  if (nullable === true && typeof type === 'string') converted['type'] = [type, 'null'];
  return converted;
}

function fromKeyword(key: string, value: JsonValue | undefined): JsonValue | undefined {
  if (key === 'type' && typeof value === 'string') return value.toLowerCase();
  if (/^(min|max)(Items|Length|Properties)$/.test(key) && typeof value === 'string') return Number(value);
  if (key === 'items' && isObject(value)) return fromOpenApiSchema(value);
  if (key === 'anyOf' && Array.isArray(value)) {
    return value.map((one) => (isObject(one) ? fromOpenApiSchema(one) : one));
  }
  if (key === 'properties' && isObject(value)) {
    const properties = Object.entries(value);
    return Object.fromEntries(
      properties.map(([name, one]) => [name, isObject(one) ? fromOpenApiSchema(one) : one]),
    );
  }
  return value;
}
