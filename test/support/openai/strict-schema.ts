import { isObject, type JsonObject, type JsonValue } from '../../../src/conversation/json.ts';

/**
 * What OpenAI wants of a JSON schema: the guide "Structured outputs", section "Supported schemas", and the error
 * messages of dottxt-ai/outlines#844, vercel/ai#6484 and moeru-ai/xsai#202.
 */

/** "Some type-specific keywords are not yet supported": composition that a grammar cannot follow. */
const NOT_PERMITTED = [
  'allOf',
  'oneOf',
  'not',
  'dependentRequired',
  'dependentSchemas',
  'if',
  'then',
  'else',
  'patternProperties',
  'propertyNames',
  'uniqueItems',
  'contains',
  'unevaluatedProperties',
  'default',
];

/** Where in the schema, as the messages have it: `('properties', 'a', 'items')`. */
type Context = readonly string[];

/** The first problem, in words that follow "Invalid schema for …: "; undefined where there is none. */
export function findSchemaProblem(schema: JsonObject, strict: boolean): string | undefined {
  if (schema['type'] !== 'object') {
    const got = schema['type'] === undefined ? 'None' : String(schema['type']);
    return `schema must be a JSON Schema of 'type: "object"', got 'type: "${got}"'.`;
  }
  return (
    wrongTable(schema) ??
    rootProblem(schema) ??
    (strict ? strictProblem(schema, []) : arrayProblem(schema, []))
  );
}

/** langchain-ai/langchainjs#9804 of alternatives, openai/openai-agents-python#449 of properties. Nothing of both is said of what stands further down. */
function rootProblem(schema: JsonObject): string | undefined {
  if (['oneOf', 'anyOf', 'allOf', 'enum', 'not'].some((keyword) => schema[keyword] !== undefined)) {
    return "schema must have type 'object' and not have 'oneOf'/'anyOf'/'allOf'/'enum'/'not' at the top level.";
  }
  return schema['properties'] === undefined ? 'In context=(), object schema missing properties.' : undefined;
}

/** As Python says it: sashabaranov/go-openai#432 of the table, FoundationAgents/OpenManus#1162 of what stands in it. */
function wrongTable({ properties }: JsonObject): string | undefined {
  if (properties === undefined) return undefined;
  if (!isObject(properties)) return `${writeValue(properties)} is not of type 'object'.`;
  const wrong = Object.values(properties).find((child) => !isObject(child) && typeof child !== 'boolean');
  return wrong === undefined ? undefined : `${writeValue(wrong)} is not of type 'object', 'boolean'.`;
}

function writeValue(value: JsonValue): string {
  return value === null ? 'None' : JSON.stringify(value).replaceAll('"', "'");
}

/** Without `strict` the schema is a hint; only arrays must say what they hold. */
function arrayProblem(schema: JsonObject, context: Context): string | undefined {
  if (schema['items'] === undefined && schema['prefixItems'] === undefined) {
    const { type } = schema;
    // campfirein/byterover-cli#42
    const place =
      Array.isArray(type) && type.includes('array') ? ['type', String(type.indexOf('array'))] : [];
    if (type === 'array' || place.length > 0)
      return `In context=${writeContext([...context, ...place])}, array schema missing items.`;
  }
  return firstChildProblem(schema, context, arrayProblem);
}

function strictProblem(schema: JsonObject, context: Context): string | undefined {
  const at = `In context=${writeContext(context)}`;
  const forbidden = NOT_PERMITTED.find((keyword) => Object.hasOwn(schema, keyword));
  if (forbidden) return `${at}, '${forbidden}' is not permitted.`;
  const described = ['type', '$ref', 'anyOf', 'enum', 'const'].some((keyword) =>
    Object.hasOwn(schema, keyword),
  );
  if (!described) return `${at}, schema must have a 'type' key.`;
  if (context.length === 0 && Object.hasOwn(schema, 'anyOf'))
    return `${at}, 'anyOf' is not permitted at the root.`;
  if (schema['type'] === 'array' && schema['items'] === undefined)
    return `${at}, array schema missing items.`;
  if (isObjectType(schema)) {
    const problem = strictObjectProblem(schema, at);
    if (problem) return problem;
  }
  return firstChildProblem(schema, context, strictProblem);
}

function isObjectType({ type }: JsonObject): boolean {
  return type === 'object' || (Array.isArray(type) && type.includes('object'));
}

function strictObjectProblem(schema: JsonObject, at: string): string | undefined {
  if (schema['additionalProperties'] !== false) {
    return `${at}, 'additionalProperties' is required to be supplied and to be false.`;
  }
  const names = isObject(schema['properties']) ? Object.keys(schema['properties']) : [];
  const required: JsonValue[] = Array.isArray(schema['required']) ? schema['required'] : [];
  const missing = names.find((name) => !required.includes(name));
  if (missing !== undefined) {
    return `${at}, 'required' is required to be supplied and to be an array including every key in properties. Missing '${missing}'.`;
  }
  const extra = required.find((name) => !names.includes(String(name)));
  return extra === undefined ? undefined : `${at}, 'required' has an extra key '${extra}'.`;
}

type Check = (schema: JsonObject, context: Context) => string | undefined;

function firstChildProblem(schema: JsonObject, context: Context, check: Check): string | undefined {
  for (const [path, child] of childrenOf(schema)) {
    const problem = check(child, [...context, ...path]);
    if (problem) return problem;
  }
  return undefined;
}

function childrenOf(schema: JsonObject): [path: string[], child: JsonObject][] {
  const children: [string[], JsonObject][] = [];
  for (const keyword of ['properties', '$defs', 'definitions']) {
    const table = schema[keyword];
    if (!isObject(table)) continue;
    for (const [name, child] of Object.entries(table))
      if (isObject(child)) children.push([[keyword, name], child]);
  }
  for (const keyword of ['anyOf', 'oneOf', 'allOf', 'prefixItems']) {
    const branches = schema[keyword];
    if (!Array.isArray(branches)) continue;
    for (const [index, child] of branches.entries()) {
      if (isObject(child)) children.push([[keyword, String(index)], child]);
    }
  }
  if (isObject(schema['items'])) children.push([['items'], schema['items']]);
  return children;
}

/** As Python prints a tuple, which is what OpenAI's messages show. */
function writeContext(context: Context): string {
  const quoted = context.map((step) => `'${step}'`);
  return quoted.length === 1 ? `(${quoted[0]},)` : `(${quoted.join(', ')})`;
}
