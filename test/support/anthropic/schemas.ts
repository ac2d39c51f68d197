import { isObject, type JsonObject } from '../../../src/conversation/json.ts';
import { findJsonSchemaProblem } from './json-schema.ts';

/** What Anthropic wants of a tool's `input_schema`, whether it is strict or not. */
export function findToolSchemaProblem(schema: JsonObject): string | undefined {
  if (['oneOf', 'allOf', 'anyOf'].some((keyword) => Object.hasOwn(schema, keyword))) {
    return 'input_schema: input_schema does not support oneOf, allOf, or anyOf at the top level';
  }
  const invalid = findJsonSchemaProblem(schema);
  if (invalid !== undefined) return `input_schema: ${invalid}`;
  const names = isObject(schema['properties']) ? Object.keys(schema['properties']) : [];
  return names.every((name) => /^[a-zA-Z0-9_.-]{1,64}$/.test(name))
    ? undefined
    : "input_schema.properties: Property keys should match pattern '^[a-zA-Z0-9_.-]{1,64}$'";
}

/**
 * Keywords that structured output does not take, by the type they limit: structured outputs guide, "JSON Schema
 * limitations". They go through in tools that are not strict.
 */
const UNSUPPORTED: Readonly<Record<string, readonly string[]>> = {
  integer: ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'],
  number: ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'],
  string: ['minLength', 'maxLength'],
  array: ['maxItems', 'uniqueItems', 'contains', 'prefixItems'],
  object: ['patternProperties', 'propertyNames', 'minProperties', 'maxProperties'],
};

/** The first problem of a schema for structured output or a strict tool. */
export function findOutputSchemaProblem(schema: JsonObject): string | undefined {
  const type = String(schema['type']);
  if (type === 'object' && schema['additionalProperties'] !== false) {
    return "For 'object' type, 'additionalProperties' must be explicitly set to false";
  }
  const unsupported = (UNSUPPORTED[type] ?? []).filter((keyword) => Object.hasOwn(schema, keyword));
  if (unsupported.length > 0) {
    const [noun, verb] = unsupported.length === 1 ? ['property', 'is'] : ['properties', 'are'];
    return `For '${type}' type, ${noun} ${unsupported.map((keyword) => `'${keyword}'`).join(', ')} ${verb} not supported`;
  }
  if (type === 'array' && Number(schema['minItems'] ?? 0) > 1) {
    return "For 'array' type, 'minItems' values other than 0 or 1 are not supported";
  }
  if (typeof schema['$ref'] === 'string' && !schema['$ref'].startsWith('#')) {
    return `External schema references are not supported: ${schema['$ref']}`;
  }
  if (Object.hasOwn(schema, 'oneOf')) return "Schema type 'oneOf' is not supported";
  for (const child of childrenOf(schema)) {
    const problem = findOutputSchemaProblem(child);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function childrenOf(schema: JsonObject): JsonObject[] {
  const tables = ['properties', '$defs', 'definitions'].map((keyword) => schema[keyword]).filter(isObject);
  const lists = ['anyOf', 'allOf'].map((keyword) => schema[keyword]).filter((list) => Array.isArray(list));
  return [...tables.flatMap((table) => Object.values(table)), ...lists.flat(), schema['items']].filter(
    isObject,
  );
}
