import type { Conversation, Tool } from '../../conversation/conversation.ts';
import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import { toolPath } from '../caller-words.ts';
import { propertiesOf, requiredOf, withPlainRoot } from '../plain-root.ts';

/*
 * Schemas of arguments as OpenAI demands them, where MCP, Anthropic and Gemini demand less. The same is said in all of them, but for
 * alternatives at the root.
 *
 * Sources: OpenAI's refusals "In context=(), object schema missing properties" (openai/openai-agents-python#449), "In context=('properties', …),
 * array schema missing items", also of one type of several (campfirein/byterover-cli#42), "schema must have type 'object' and not have
 * 'oneOf'/'anyOf'/'allOf'/'enum'/'not' at the top level" (langchain-ai/langchainjs#9804).
 */

interface FittingTarget {
  conversation: Conversation;
  isOpenAi: boolean;
  drop(name: string): void;
}

/** What OpenAI takes at the root of no schema. */
const AT_ROOT = ['oneOf', 'anyOf', 'allOf', 'enum', 'not'];

/** The schema of a tool of another dialect's caller, and whether calls must keep to it, as far as the API has it. */
export function fitSchema(
  { schema, strict }: Tool & { type: 'function' },
  index: number,
  target: FittingTarget,
): { schema?: JsonObject; strict?: boolean } {
  const { conversation, isOpenAi } = target;
  const drop = (name: string) => target.drop(name);
  const plain = schema && isOpenAi ? withPlainRoot(conversation, index, schema, AT_ROOT, drop) : schema;
  const complete = plain && completeSchema(plain);
  const isKept = strict !== true || !isOpenAi || complete === undefined || fitsOpenAiStrict(complete);
  if (!isKept) drop(toolPath(conversation, index, 'strict'));
  return {
    ...(complete ? { schema: complete } : {}),
    ...(strict === undefined ? {} : { strict: isKept && strict }),
  };
}

/** Keywords that hold a list of schemas, a table of them, or one. */
const LISTS: ReadonlySet<string> = new Set(['anyOf', 'oneOf', 'allOf', 'prefixItems']);
const TABLES: ReadonlySet<string> = new Set(['properties', '$defs', 'definitions', 'patternProperties']);
const SINGLES: ReadonlySet<string> = new Set(['items', 'additionalProperties', 'not', 'if', 'then', 'else']);

/**
 * The schema with a table of properties at its root, and with `items` in every array: empty ones, where it has none, which
 * mean what their absence means. Gives the schema itself where nothing is missing.
 */
function completeSchema(schema: JsonObject): JsonObject {
  const complete = withItems(schema);
  const { type, properties } = complete;
  // Libraries of Go write null for no properties.
  const lacksProperties = properties === undefined || properties === null;
  if (type !== undefined && type !== 'object') return complete;
  return lacksProperties || type === undefined
    ? { ...complete, type: 'object', properties: lacksProperties ? {} : properties }
    : complete;
}

function withItems(schema: JsonObject): JsonObject {
  let changed: JsonObject | undefined;
  for (const [key, value] of Object.entries(schema)) {
    const mended = mendKeyword(key, value);
    if (mended !== value) changed = { ...(changed ?? schema), [key]: mended };
  }
  const { type, items, prefixItems } = schema;
  const isArray = type === 'array' || (Array.isArray(type) && type.includes('array'));
  return isArray && items === undefined && prefixItems === undefined
    ? { ...(changed ?? schema), items: {} }
    : (changed ?? schema);
}

/** The value itself where nothing is missing in it. */
function mendKeyword(key: string, value: JsonValue | undefined): JsonValue | undefined {
  if (SINGLES.has(key)) return mendValue(value);
  if (LISTS.has(key) && Array.isArray(value)) {
    const mended = value.map((item) => mendValue(item) ?? null);
    return mended.some((item, index) => item !== value[index]) ? mended : value;
  }
  if (TABLES.has(key) && isObject(value)) {
    const mended = Object.entries(value).map(([name, item]) => [name, mendValue(item)] as const);
    return mended.some(([name, item]) => item !== value[name]) ? Object.fromEntries(mended) : value;
  }
  return value;
}

function mendValue(value: JsonValue | undefined): JsonValue | undefined {
  return isObject(value) ? withItems(value) : value;
}

/**
 * Whether a strict tool's schema is as OpenAI wants such a schema: each object closed, all of its properties required, no keyword that
 * a grammar cannot follow. Source: guide "Structured outputs", "Supported schemas".
 */
function fitsOpenAiStrict(schema: JsonObject): boolean {
  return schema['type'] === 'object' && fitsStrict(schema);
}

const NOT_STRICT = [
  ...['allOf', 'oneOf', 'not', 'if', 'then', 'else', 'dependentRequired', 'dependentSchemas', 'default'],
  ...['patternProperties', 'propertyNames', 'uniqueItems', 'contains', 'unevaluatedProperties'],
];

function fitsStrict(schema: JsonObject): boolean {
  if (NOT_STRICT.some((keyword) => schema[keyword] !== undefined)) return false;
  const { type, items, $ref, anyOf, enum: values, const: value } = schema;
  if ([type, $ref, anyOf, values, value].every((said) => said === undefined)) return false;
  if (type === 'array' && items === undefined) return false;
  const isObjects = type === 'object' || (Array.isArray(type) && type.includes('object'));
  if (isObjects && !isClosed(schema)) return false;
  const tables = [schema['properties'], schema['$defs'], schema['definitions']].filter(isObject);
  const children = [
    ...tables.flatMap((table) => Object.values(table)),
    ...(Array.isArray(anyOf) ? anyOf : []),
    items,
  ];
  return children.every((child) => child === undefined || (isObject(child) && fitsStrict(child)));
}

function isClosed(schema: JsonObject): boolean {
  const names = Object.keys(propertiesOf(schema));
  const required = requiredOf(schema);
  const demanded = new Set(required);
  return (
    schema['additionalProperties'] === false &&
    required.length === names.length &&
    names.every((name) => demanded.has(name))
  );
}
