import { isObject, type JsonObject, type JsonValue } from '../../../src/conversation/json.ts';
import { objectsOf, stringsOf } from '../values.ts';

/**
 * Rules of `Schema` (tool `parameters`, `responseSchema`) beyond its field names. All problems at once, each with its
 * path, as `GenerateContentRequest` errors list them (9router#380, anomalyco/opencode#49392, elastic/kibana#286302).
 */
export function findSchemaProblems(schema: JsonObject, path: string): string[] {
  return [
    ...ownProblems(schema, path),
    ...childrenOf(schema, path).flatMap(([child, at]) => findSchemaProblems(child, at)),
  ];
}

const STRING_FORMATS = ['enum', 'date-time'];

function ownProblems(schema: JsonObject, path: string): string[] {
  const type = String(schema['type'] ?? '').toUpperCase();
  const problems: string[] = [];
  const say = (field: string, problem: string): void => {
    problems.push(`* GenerateContentRequest.${path}.${field}: ${problem}`);
  };
  const properties = isObject(schema['properties']) ? schema['properties'] : undefined;
  if (properties && type !== 'OBJECT') say('properties', 'only allowed for OBJECT type');
  // Recorded: a function without parameters may say so with an empty object. Further down it may not.
  const isRoot = path.endsWith('.parameters');
  if (type === 'OBJECT' && properties && !isRoot && Object.keys(properties).length === 0) {
    say('properties', 'should be non-empty for OBJECT type');
  }
  if (type === 'ARRAY' && schema['items'] === undefined) say('items', 'missing field.');
  if (schema['items'] !== undefined && type !== 'ARRAY')
    say('items', 'field predicate failed: $type == Type.ARRAY');
  const enumeration = stringsOf(schema['enum']);
  if (enumeration.length > 0 && type !== 'STRING') say('enum', 'only allowed for STRING type');
  for (const [index, value] of enumeration.entries())
    if (value === '') say(`enum[${index}]`, 'cannot be empty');
  if (schema['format'] === 'enum' && enumeration.length === 0) {
    say('enum', 'should be non-empty for STRING type with enum format');
  }
  if (
    type === 'STRING' &&
    typeof schema['format'] === 'string' &&
    !STRING_FORMATS.includes(schema['format'])
  ) {
    say('format', "only 'enum' and 'date-time' are supported for STRING type");
  }
  for (const [index, name] of stringsOf(schema['required']).entries()) {
    if (!properties || !Object.hasOwn(properties, name)) say(`required[${index}]`, 'property is not defined');
  }
  return problems;
}

function childrenOf(schema: JsonObject, path: string): [JsonObject, string][] {
  const children: [JsonValue | undefined, string][] = [[schema['items'], `${path}.items`]];
  if (isObject(schema['properties'])) {
    for (const [name, child] of Object.entries(schema['properties'])) {
      children.push([child, `${path}.properties[${name}]`]);
    }
  }
  for (const [index, child] of objectsOf(schema['anyOf']).entries())
    children.push([child, `${path}.any_of[${index}]`]);
  return children.flatMap(([child, at]): [JsonObject, string][] => (isObject(child) ? [[child, at]] : []));
}

/** What `parametersJsonSchema` and `responseJsonSchema` understand is listed in the reference of `responseJsonSchema`. */
const JSON_SCHEMA_TYPES = ['string', 'number', 'integer', 'boolean', 'object', 'array', 'null'];

/** A full JSON schema is taken as it is; only what is no schema at all is refused. */
export function findJsonSchemaProblem(schema: JsonValue): string | undefined {
  if (!isObject(schema)) return 'must be a JSON object';
  const types = [schema['type'] ?? []].flat();
  const unknown = types.find((type) => !JSON_SCHEMA_TYPES.includes(String(type)));
  return unknown === undefined ? undefined : `unknown type "${unknown}"`;
}
