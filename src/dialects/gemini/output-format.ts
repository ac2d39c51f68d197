import type { Conversation } from '../../conversation/conversation.ts';
import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import { callerWord } from '../caller-words.ts';
import { JSON_OUTPUT_TOOL } from '../reserved-tools.ts';
import { describedSchema } from '../response-schema.ts';
import { demandSchema, JSON_INSTRUCTION } from '../told-format.ts';
import type { ModelTraits } from './models.ts';
import { ownFields } from './proto.ts';
import { toOpenApiSchema } from './schema.ts';
import { encodeParameters } from './tools.ts';

/** How the answer is brought into the form that the caller wants. At most one of the first three is set. */
export interface OutputPlan {
  /** Fields of `generationConfig`. */
  config?: JsonObject;
  /** The function whose arguments are the answer. */
  tool?: JsonObject;
  /** A sentence of the system instruction. */
  instruction?: string;
  dropped: string[];
}

/**
 * The API's own fields, or, where a model takes no JSON answer beside functions, a function that stands for the answer.
 *
 * Sources: Gemini API docs, "Structured outputs" ("Structured outputs with tools" from Gemini 3 on); the API's refusal
 * "Function calling with a response mime type: 'application/json' is unsupported", which mode `NONE` is spared.
 */
export function planOutput(conversation: Conversation, traits: ModelTraits): OutputPlan {
  const format = conversation.responseFormat;
  if (!format) return { dropped: [] };
  if (format.type === 'text') return { config: { responseMimeType: 'text/plain' }, dropped: [] };
  const isTaken = traits.jsonMode && (traits.jsonWithTools || !mayCallFunctions(conversation));
  // A caller of this dialect gets the API's own words about it.
  if (isTaken || conversation.dialect === 'gemini')
    return { config: encodeFormat(conversation, traits, format), dropped: [] };
  if (format.type === 'json_object') return { instruction: JSON_INSTRUCTION, dropped: [] };

  const { schema, description } = format;
  if (!traits.jsonMode || !mayBeObject(schema)) {
    return { instruction: demandSchema(schema), dropped: [callerWord(conversation, 'responseFormat')] };
  }
  const parameters =
    schema['type'] === undefined && schema['$ref'] === undefined ? { ...schema, type: 'object' } : schema;
  const tool = {
    name: JSON_OUTPUT_TOOL,
    description: `Gives the answer.${description === undefined ? '' : ` ${description}`}`,
    ...encodeParameters(constAsEnum(parameters), traits),
  };
  return { tool, dropped: [] };
}

/** The arguments of a function are an object. */
function mayBeObject({ type }: JsonObject): boolean {
  return type === undefined || (Array.isArray(type) ? type.includes('object') : type === 'object');
}

function mayCallFunctions({ tools, toolChoice }: Conversation): boolean {
  return toolChoice?.type !== 'none' && tools.some(({ type }) => type !== 'opaque');
}

type JsonFormat = Exclude<NonNullable<Conversation['responseFormat']>, { type: 'text' }>;

function encodeFormat({ extra }: Conversation, { jsonSchema }: ModelTraits, format: JsonFormat): JsonObject {
  const responseMimeType = 'application/json';
  if (format.type === 'json_object') return { responseMimeType };
  // A caller who spoke Gemini may have said its schema in the OpenAPI form, which travels in `extra`.
  const { generationConfig } = ownFields(extra);
  if (isObject(generationConfig) && generationConfig['responseSchema'] !== undefined)
    return { responseMimeType };
  const schema = describedSchema(format);
  return jsonSchema
    ? { responseMimeType, responseJsonSchema: constAsEnum(schema) }
    : { responseMimeType, responseSchema: toOpenApiSchema(schema) };
}

/**
 * `responseJsonSchema` takes JSON Schema but passes over `const`, which tells alternatives apart; an `enum` of one
 * says the same.
 */
function constAsEnum(schema: JsonObject): JsonObject {
  const entries = Object.entries(schema).map(([key, value]): [string, JsonValue | undefined] => {
    if (key === 'const') return ['enum', [value ?? null]];
    if (MAPS_OF_SCHEMAS.has(key) && isObject(value)) {
      return [key, Object.fromEntries(Object.entries(value).map(([name, one]) => [name, inSchema(one)]))];
    }
    return [key, PLACES_OF_SCHEMAS.has(key) ? inSchema(value) : value];
  });
  return Object.fromEntries(entries);
}

const MAPS_OF_SCHEMAS = new Set(['properties', '$defs', 'definitions', 'patternProperties']);
const PLACES_OF_SCHEMAS = new Set([
  'items',
  'prefixItems',
  'anyOf',
  'oneOf',
  'allOf',
  'additionalProperties',
]);

function inSchema(value: JsonValue | undefined): JsonValue | undefined {
  if (Array.isArray(value)) return value.map((one) => (isObject(one) ? constAsEnum(one) : one));
  return isObject(value) ? constAsEnum(value) : value;
}
