import { isObject, type JsonObject, type JsonValue } from '../../../src/conversation/json.ts';

/**
 * What makes a tool's `input_schema` no JSON Schema, to Anthropic: the meta-schema of draft 2020-12 (json-schema.org/draft/2020-12/schema,
 * claude-code#63673, anthropic-sdk-java#241), and references to what is not there (microsoft/vscode#286415).
 */
export function findJsonSchemaProblem(schema: JsonObject): string | undefined {
  if (!isSchema(schema)) {
    return `JSON schema is invalid. It must match JSON Schema draft 2020-12 (https://json-schema.org/draft/2020-12). ${LEARN_MORE}`;
  }
  const missing = referencesIn(schema).find((reference) => !leadsSomewhere(reference, schema));
  return missing === undefined
    ? undefined
    : `Invalid $ref in schema: '${missing}' does not exist. Ensure all $ref targets are defined in the schema's definitions or $defs.. ${LEARN_MORE}`;
}

const LEARN_MORE = 'Learn more about tool use at https://docs.claude.com/en/docs/tool-use.';

type Check = (value: JsonValue) => boolean;

const isText: Check = (value) => typeof value === 'string';
const isFlag: Check = (value) => typeof value === 'boolean';
const isNumber: Check = (value) => typeof value === 'number';
const isCount: Check = (value) => Number.isInteger(value) && Number(value) >= 0;
const isTable =
  (of: Check): Check =>
  (value) =>
    isObject(value) && Object.values(value).every((item) => item !== undefined && of(item));
const isSchemaList: Check = (value) => Array.isArray(value) && value.length > 0 && value.every(isSchema);
const isNameList: Check = (value) =>
  Array.isArray(value) && value.every(isText) && new Set(value).size === value.length;

const TYPES = ['array', 'boolean', 'integer', 'null', 'number', 'object', 'string'];
const isType: Check = (value) => {
  const types = Array.isArray(value) ? value : [value];
  const known = types.every((type) => typeof type === 'string' && TYPES.includes(type));
  return known && types.length > 0 && new Set(types).size === types.length;
};

/** Keywords by what they must be. Draft 4's boolean `exclusiveMinimum` and draft 7's list of `items` are what old tools say. */
const KEYWORDS: readonly (readonly [names: readonly string[], check: Check])[] = [
  [['type'], isType],
  [['$id', '$schema', '$ref', '$anchor', '$dynamicRef', '$dynamicAnchor', '$comment'], isText],
  [['title', 'description', 'format', 'pattern', 'contentEncoding', 'contentMediaType'], isText],
  [['properties', 'patternProperties', 'dependentSchemas', '$defs', 'definitions'], isTable(isSchema)],
  [['items', 'contains', 'additionalProperties', 'propertyNames', 'contentSchema'], isSchema],
  [['not', 'if', 'then', 'else', 'unevaluatedItems', 'unevaluatedProperties'], isSchema],
  [['allOf', 'anyOf', 'oneOf', 'prefixItems'], isSchemaList],
  [['enum', 'examples'], (value) => Array.isArray(value)],
  [['required'], isNameList],
  [['dependentRequired'], isTable(isNameList)],
  [['multipleOf'], (value) => isNumber(value) && Number(value) > 0],
  [['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum'], isNumber],
  [['minLength', 'maxLength', 'minItems', 'maxItems', 'minContains', 'maxContains'], isCount],
  [['minProperties', 'maxProperties'], isCount],
  [['uniqueItems', 'deprecated', 'readOnly', 'writeOnly'], isFlag],
];

const CHECKS = new Map(KEYWORDS.flatMap(([names, check]) => names.map((name) => [name, check] as const)));

function isSchema(value: JsonValue): boolean {
  if (typeof value === 'boolean') return true;
  if (!isObject(value)) return false;
  return Object.entries(value).every(([keyword, inner]) => {
    const check = CHECKS.get(keyword);
    return check === undefined || (inner !== undefined && check(inner));
  });
}

/** Of a schema that is one. What a name or a value says is no reference. */
function referencesIn(value: JsonValue | undefined): string[] {
  if (Array.isArray(value)) return value.flatMap(referencesIn);
  if (!isObject(value)) return [];
  return Object.entries(value).flatMap(([keyword, inner]) => {
    if (keyword === '$ref') return [String(inner)];
    const check = CHECKS.get(keyword);
    if (check === isSchema || check === isSchemaList) return referencesIn(inner);
    return TABLES.has(keyword) && isObject(inner) ? Object.values(inner).flatMap(referencesIn) : [];
  });
}

const TABLES = new Set(['properties', 'patternProperties', 'dependentSchemas', '$defs', 'definitions']);

/** Only a pointer into the schema itself is followed: an anchor or another document is let through. */
function leadsSomewhere(reference: string, root: JsonObject): boolean {
  if (!reference.startsWith('#/')) return true;
  let at: JsonValue | undefined = root;
  for (const step of decodeURIComponent(reference.slice(2)).split('/')) {
    const name = step.replaceAll('~1', '/').replaceAll('~0', '~');
    if (Array.isArray(at)) at = at[Number(name)];
    else at = isObject(at) && Object.hasOwn(at, name) ? at[name] : undefined;
  }
  return at !== undefined;
}
