import type { Conversation, Message, Parameters, ResponseFormat } from '../../conversation/conversation.ts';
import { invalidRequest } from '../../conversation/gateway-error.ts';
import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import type { RequestAddress } from '../dialect.ts';
import { PARAMETERS } from '../parameters.ts';
import { decodeContents, decodeSystemInstruction } from './contents-decode.ts';
import { defined, extraOf, listOf, readMessage } from './proto.ts';
import { fromOpenApiSchema } from './schema.ts';
import { decodeThinking } from './thinking.ts';
import { decodeToolConfig, decodeTools, schemaName } from './tools.ts';

/**
 * The body of a `generateContent` call as a conversation; `address` is what its URL says. Fields may be spelled in
 * camel or snake case. What has no neutral word (`safetySettings`, `cachedContent`, …) is kept in `extra`.
 *
 * @throws GatewayError `invalid_request` with the field's path.
 */
export function decodeRequest(body: JsonObject, address: RequestAddress): Conversation {
  const { contents, systemInstruction, tools, toolConfig, generationConfig, ...rest } = readMessage(body);
  const { model, ...others } = rest;
  const messages: Message[] = [...decodeSystemInstruction(systemInstruction), ...decodeContents(contents)];
  const config = decodeToolConfig(toolConfig);
  const generation = decodeGenerationConfig(expectObject(generationConfig, 'generationConfig'));
  const fields = {
    ...others,
    ...(Object.keys(config.rest).length > 0 ? { toolConfig: config.rest } : {}),
    ...(Object.keys(generation.rest).length > 0 ? { generationConfig: generation.rest } : {}),
  };
  return defined({
    dialect: 'gemini' as const,
    model: address.model ?? (typeof model === 'string' ? model : ''),
    stream: address.stream ?? false,
    messages,
    tools: decodeTools(tools),
    toolChoice: config.toolChoice,
    parameters: generation.parameters,
    responseFormat: generation.responseFormat,
    reasoning: generation.reasoning,
    extra: extraOf(fields),
  });
}

function expectObject(value: JsonValue | undefined, path: string): JsonObject {
  if (value === undefined || value === null) return {};
  if (!isObject(value)) throw invalidRequest(`'${path}' must be an object.`, path);
  return readMessage(value);
}

type DecodedGeneration = Pick<Conversation, 'parameters' | 'responseFormat' | 'reasoning'> & {
  rest: JsonObject;
};

function decodeGenerationConfig(config: JsonObject): DecodedGeneration {
  const { thinkingConfig, responseMimeType, responseJsonSchema, responseSchema, ...fields } = config;
  const { parameters, rest } = decodeParameters(fields);
  const thinking = expectObject(thinkingConfig, 'generationConfig.thinkingConfig');
  const format = decodeResponseFormat(responseMimeType, responseJsonSchema, responseSchema);
  return {
    parameters,
    responseFormat: format.responseFormat,
    reasoning: Object.keys(thinking).length > 0 ? decodeThinking(thinking) : undefined,
    rest: { ...rest, ...format.rest },
  };
}

/** JSON names of the fields that `PARAMETERS` knows, with their neutral keys. */
const PARAMETER_OF_FIELD = new Map<string, keyof Parameters>();
for (const [key, { gemini }] of Object.entries(PARAMETERS)) {
  if (typeof gemini === 'string') {
    PARAMETER_OF_FIELD.set(gemini.replace('generationConfig.', ''), key as keyof Parameters);
  }
}

function decodeParameters(fields: JsonObject): { parameters: Parameters; rest: JsonObject } {
  const parameters: Partial<Record<keyof Parameters, unknown>> = {};
  const rest: [string, JsonValue | undefined][] = [];
  for (const [field, value] of Object.entries(fields)) {
    const key = PARAMETER_OF_FIELD.get(field);
    if (key === undefined) rest.push([field, value]);
    else if (value !== null) {
      const checked = checkParameter(key, value, `generationConfig.${field}`);
      if (checked !== undefined) parameters[key] = checked;
    }
  }
  return { parameters: parameters as Parameters, rest: Object.fromEntries(rest) };
}

/** `undefined` for no stop sequences: an empty list is what says nothing in protocol buffers. */
function checkParameter(key: keyof Parameters, value: JsonValue | undefined, path: string): unknown {
  if (key === 'stop') {
    const texts = listOf(value);
    if (texts.length === 0) return undefined;
    if (texts.every((text) => typeof text === 'string')) return texts;
    throw invalidRequest(`'${path}' must be a list of strings.`, path);
  }
  const expected = key === 'logprobs' ? 'boolean' : 'number';
  if (typeof value !== expected) throw invalidRequest(`'${path}' must be a ${expected}.`, path);
  return value;
}

function decodeResponseFormat(
  mimeType: JsonValue | undefined,
  jsonSchema: JsonValue | undefined,
  openApiSchema: JsonValue | undefined,
): { responseFormat?: ResponseFormat; rest: JsonObject } {
  // The schema in its own form goes back to Gemini; others get it as JSON Schema.
  const rest = defined({ responseSchema: openApiSchema });
  const schema = jsonSchema ?? openApiSchema;
  if (mimeType === 'application/json' && isObject(schema)) {
    const neutral = isObject(jsonSchema) ? jsonSchema : fromOpenApiSchema(schema);
    return { responseFormat: { type: 'json_schema', name: schemaName(neutral), schema: neutral }, rest };
  }
  const unread = defined({ ...rest, responseJsonSchema: jsonSchema });
  if (mimeType === 'application/json') return { responseFormat: { type: 'json_object' }, rest: unread };
  if (mimeType === 'text/plain') return { responseFormat: { type: 'text' }, rest: unread };
  return { rest: defined({ ...unread, responseMimeType: mimeType }) };
}
