import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import { listOf, readMessage } from './proto.ts';
import {
  descend,
  follow,
  type MergedSchema,
  mergeAllOf,
  propertiesOf,
  type SchemaScope,
  schemaScope,
} from './schema-scope.ts';

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

/** Formats that `Schema` knows, by type; it refuses others. (`enum`, which strings have too, is written with their values.) */
const FORMATS: Record<string, string[]> = {
  string: ['date-time'],
  integer: ['int32', 'int64'],
  number: ['float', 'double'],
};

const TYPES = ['string', 'integer', 'number', 'boolean', 'array', 'object'];

/** JSON Schema as the `Schema` that it can be said in; what that cannot say is left open. */
export function toOpenApiSchema(schema: JsonObject): JsonObject {
  return convert(schema, schemaScope(schema));
}

function convert(value: JsonValue | undefined, outer: SchemaScope): JsonObject {
  if (!isObject(value)) return {};
  const scope = descend(outer);
  if (!scope) return { type: 'OBJECT' };

  if (typeof value['$ref'] === 'string') {
    const target = follow(value, scope);
    return target ? convert(target.schema, target.scope) : { type: 'OBJECT', ...shared(value) };
  }
  const merged = mergeAllOf(value, scope);
  const { schema } = merged;
  const types = listOf(schema['type']).filter((type): type is string => typeof type === 'string');
  const nullable =
    schema['nullable'] === true ||
    types.includes('null') ||
    (types.length === 0 && valuesOf(schema).includes(null));
  const named = types.filter((type) => TYPES.includes(type.toLowerCase()));
  if (named.length > 1) {
    const alternatives = named.map((type) => convertPlain(merged, type.toLowerCase()));
    return flag({ anyOf: alternatives }, nullable);
  }
  return flag(convertAny(merged, named[0]?.toLowerCase() ?? impliedType(schema)), nullable);
}

function flag(schema: JsonObject, nullable: boolean): JsonObject {
  return nullable ? { ...schema, nullable: true } : schema;
}

function convertAny(merged: MergedSchema, type: string | undefined): JsonObject {
  return convertAlternatives(merged) ?? convertPlain(merged, type);
}

function convertPlain(merged: MergedSchema, type: string | undefined): JsonObject {
  const { schema, scope } = merged;
  return {
    ...(type === undefined ? {} : { type: type.toUpperCase() }),
    ...shared(schema),
    ...convertBounds(schema, type),
    ...convertValues(schema, type),
    ...(type === 'array' ? { items: convertItems(schema, scope) } : {}),
    ...(type === 'object' ? convertProperties(merged) : {}),
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

/**
 * "Or null" is a property of a `Schema`, not an alternative. `undefined` where there are none, or none that says what the
 * value is: those of an object may only demand some of its properties.
 */
function convertAlternatives({ schema, scope }: MergedSchema): JsonObject | undefined {
  const alternatives = [...listOf(schema['anyOf']), ...listOf(schema['oneOf'])];
  const real = alternatives.filter((one) => !(isObject(one) && one['type'] === 'null'));
  const converted = real.map((one) => convert(one, scope));
  if (converted.every((one) => Object.keys(one).length === 0)) return undefined;
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

/** Only strings that are not empty have an enum; of other values the model is told in the description. */
function convertValues(schema: JsonObject, type: string | undefined): JsonObject {
  const values = valuesOf(schema);
  const real = values.filter((value) => value !== null);
  if (real.length === 0) return convertFormat(schema, type);
  if (type === 'string' && real.every((value) => typeof value === 'string' && value !== '')) {
    return { format: 'enum', enum: real };
  }
  const { description } = schema;
  const words = `(one of: ${values.map((value) => JSON.stringify(value)).join(', ')})`;
  return {
    ...convertFormat(schema, type),
    description: typeof description === 'string' && description !== '' ? `${description} ${words}` : words,
  };
}

function convertFormat({ format }: JsonObject, type: string | undefined): JsonObject {
  return typeof format === 'string' && FORMATS[type ?? '']?.includes(format) ? { format } : {};
}

function convertItems(schema: JsonObject, scope: SchemaScope): JsonObject {
  const prefix = listOf(schema['prefixItems']);
  if (prefix.length > 0) return { anyOf: prefix.map((item) => convert(item, scope)) };
  const items = convert(listOf(schema['items'])[0], scope);
  return Object.keys(items).length > 0 ? items : { type: 'STRING' };
}

function convertProperties({ schema, scope, scopes }: MergedSchema): JsonObject {
  const entries = Object.entries(propertiesOf(schema));
  const properties = Object.fromEntries(
    entries.map(([name, property]) => [name, convert(property, scopes.get(name) ?? scope)]),
  );
  const required = [...new Set(listOf(schema['required']))].filter(
    (name) => typeof name === 'string' && Object.hasOwn(properties, name),
  );
  return {
    ...(entries.length > 0 ? { properties } : {}),
    ...(required.length > 0 ? { required } : {}),
    ...(Array.isArray(schema['propertyOrdering']) ? { propertyOrdering: schema['propertyOrdering'] } : {}),
  };
}

/** A `Schema` as JSON Schema: lower-case types, `nullable` in its words, numbers that protobuf writes as strings. */
export function fromOpenApiSchema(schema: JsonObject): JsonObject {
  const { nullable, ...keywords } = readMessage(schema);
  // A word of Gemini's alone, about what `enum` says already.
  if (keywords['format'] === 'enum') delete keywords['format'];
  const entries = Object.entries(keywords);
  const converted = Object.fromEntries(entries.map(([key, value]) => [key, fromKeyword(key, value)]));
  return nullable === true ? { ...converted, ...allowingNull(converted) } : converted;
}

/** Each keyword that would forbid null. */
function allowingNull({ type, enum: values, anyOf }: JsonObject): JsonObject {
  return {
    ...(typeof type === 'string' ? { type: [type, 'null'] } : {}),
    ...(Array.isArray(values) ? { enum: [...values, null] } : {}),
    ...(Array.isArray(anyOf) ? { anyOf: [...anyOf, { type: 'null' }] } : {}),
  };
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
