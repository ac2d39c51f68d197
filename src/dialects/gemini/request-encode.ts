import type { Conversation, ReasoningPart } from '../../conversation/conversation.ts';
import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import { changedTo } from '../caller-words.ts';
import type { EncodedRequest } from '../dialect.ts';
import { foreignFields, geminiModalities } from '../foreign-fields.ts';
import { foreignParts } from '../foreign-parts.ts';
import { offerTools } from '../offered-tools.ts';
import { parameterName, planParameters, tooManyStops } from '../parameters.ts';
import { withReadableParts } from '../readable-parts.ts';
import { describedSchema } from '../response-schema.ts';
import { isForeignThought } from './carried-signatures.ts';
import { encodeContents } from './contents-encode.ts';
import { type ModelTraits, modelTraits } from './models.ts';
import { defined, overlay, ownFields } from './proto.ts';
import { toOpenApiSchema } from './schema.ts';
import { encodeThinking } from './thinking.ts';
import { encodeTools } from './tools.ts';

/**
 * A conversation as the body of `models/MODEL:generateContent` or `:streamGenerateContent`. The model and whether
 * to stream are in the URL; `model` decides here what may be said.
 *
 * @throws GatewayError `invalid_request`, in the caller's words, for what would change the answer if it were left out.
 */
export function encodeRequest(asked: Conversation, model: string): EncodedRequest {
  const { conversation, unsaid } = offerTools(withReadableParts(asked, 'gemini'), 'gemini');
  const foreign = foreignFields(conversation, 'gemini');
  const traits = modelTraits(model);
  const { contents, systemInstruction, dropped } = encodeContents(conversation, traits);
  const tools = encodeTools(conversation, traits);
  const generation = encodeGenerationConfig(conversation, traits);
  const { functionCallingConfig } = tools;
  const body = defined({
    contents,
    systemInstruction,
    tools: tools.tools,
    toolConfig: functionCallingConfig && { functionCallingConfig },
    generationConfig: generation.config,
  });
  return {
    body: mergeOwnFields(body, ownFields(conversation.extra)),
    dropped: [
      ...new Set([
        ...foreignParts(conversation, 'gemini', (part) => isWrittenReasoning(conversation, part)),
        ...dropped,
        ...tools.dropped,
        ...unsaid,
        ...generation.dropped,
        ...foreign,
      ]),
    ],
  };
}

/** Lays what only this dialect knows over the body; `toolConfig` holds a message of its own. */
function mergeOwnFields(body: JsonObject, own: JsonObject): JsonObject {
  const merged = overlay(body, own);
  const calling = isObject(body['toolConfig']) ? body['toolConfig']['functionCallingConfig'] : undefined;
  const ownCalling = isObject(own['toolConfig']) ? own['toolConfig']['functionCallingConfig'] : undefined;
  if (!isObject(calling) || !isObject(ownCalling) || !isObject(merged['toolConfig'])) return merged;
  const functionCallingConfig = { ...calling, ...ownCalling };
  return { ...merged, toolConfig: { ...merged['toolConfig'], functionCallingConfig } };
}

/** What `encodePart` writes: a caller of this dialect may send thoughts back without their signature. */
function isWrittenReasoning({ dialect }: Conversation, part: ReasoningPart): boolean {
  return dialect === 'gemini' ? !isForeignThought(part) : part.signature?.dialect === 'gemini';
}

/** Source: Gemini API reference, `GenerationConfig.stopSequences`. */
const MOST_STOPS = 5;

/** No model takes more. Source: Gemini API docs, "Gemini models" (output token limit). */
const MOST_OUTPUT_TOKENS = 65_536;

function encodeGenerationConfig(
  conversation: Conversation,
  traits: ModelTraits,
): { config: JsonObject | undefined; dropped: string[] } {
  const { written, dropped } = planParameters(conversation, 'gemini');
  const config = new Map<string, JsonValue | undefined>();
  for (const { key, path, value } of written) {
    if (!traits.penalties && (key === 'frequencyPenalty' || key === 'presencePenalty')) {
      dropped.push(parameterName(conversation, key));
      continue;
    }
    if (
      key === 'stop' &&
      Array.isArray(value) &&
      value.length > MOST_STOPS &&
      conversation.dialect !== 'gemini'
    )
      throw tooManyStops(conversation, MOST_STOPS);
    if (
      key === 'maxOutputTokens' &&
      Number(value) > MOST_OUTPUT_TOKENS &&
      conversation.dialect !== 'gemini'
    ) {
      dropped.push(changedTo(parameterName(conversation, key), MOST_OUTPUT_TOKENS));
      config.set('maxOutputTokens', MOST_OUTPUT_TOKENS);
      continue;
    }
    // Every path of this dialect in the table is a field of generationConfig.
    config.set(path.slice(path.indexOf('.') + 1), value as JsonValue);
  }
  const thinking = encodeThinking(conversation, traits.thinking);
  const format = encodeResponseFormat(conversation, traits);
  const all = {
    ...Object.fromEntries(config),
    ...format,
    ...defined({
      responseModalities: geminiModalities(conversation),
      thinkingConfig: thinking.thinkingConfig,
    }),
  };
  return {
    config: Object.keys(all).length > 0 ? all : undefined,
    dropped: [...dropped, ...thinking.dropped],
  };
}

function encodeResponseFormat(conversation: Conversation, traits: ModelTraits): JsonObject {
  const { responseFormat } = conversation;
  if (!responseFormat) return {};
  if (responseFormat.type === 'text') return { responseMimeType: 'text/plain' };
  const responseMimeType = 'application/json';
  if (responseFormat.type === 'json_object') return { responseMimeType };
  // A caller who spoke Gemini may have said its schema in the OpenAPI form, which travels in `extra`.
  const { generationConfig } = ownFields(conversation.extra);
  if (isObject(generationConfig) && generationConfig['responseSchema'] !== undefined)
    return { responseMimeType };
  const schema = describedSchema(responseFormat);
  return traits.jsonSchema
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
