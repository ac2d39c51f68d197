import { isObject, type JsonObject, type JsonValue } from '../conversation/json.ts';

/*
 * What of a request's body could reach a model, in bytes. Of a body that a counter understood, what is left when all that it counted is
 * taken off was not counted.
 */

/** Fields that frame what is said: they become tokens that every count has already, or none. */
const FRAME_KEYS: ReadonlySet<string> = new Set(
  [
    'model messages input instructions system contents systemInstruction system_instruction role content parts type text',
    'tools function functions functionDeclarations function_declarations name description parameters input_schema strict',
    'parametersJsonSchema parameters_json_schema tool_calls function_call functionCall functionResponse arguments args output',
    'tool_choice toolConfig tool_config response_format json_schema schema format output_config generationConfig generation_config',
    'responseSchema responseJsonSchema refusal custom image_url url detail source data media_type inlineData inline_data mimeType mime_type',
    'input_audio file file_data document thinking reasoning_content signature thoughtSignature thought_signature',
    'properties required items additionalProperties enum const anyOf oneOf allOf $defs definitions title default',
    'stream stream_options include_usage max_tokens max_completion_tokens max_output_tokens maxOutputTokens temperature top_p topP n seed store',
    'parallel_tool_calls cache_control ttl id tool_call_id tool_use_id call_id is_error',
  ].flatMap((line) => line.split(' ')),
);

/** Objects whose keys are names that callers chose. */
const NAMING_KEYS: ReadonlySet<string> = new Set(['properties', '$defs', 'definitions']);

/** Values that say of what kind something is. */
const FRAME_WORDS: ReadonlySet<JsonValue> = new Set(
  [
    'system developer user assistant tool model function auto none required any text image image_url input_text output_text',
    'input_image input_audio input_file file document base64 tool_use tool_result tool_call function_call function_call_output message',
    'thinking object string number integer boolean array null OBJECT STRING NUMBER INTEGER BOOLEAN ARRAY json_schema json_object',
    'ephemeral 5m 1h low high',
  ].flatMap((line) => line.split(' ')),
);

/**
 * The bytes of a value of a request that a model could be told, at least as many as it could come to in tokens but for the frames that any count has: texts, names
 * that callers chose, and all that stands in fields that are not known here.
 */
export function tellingBytes(value: JsonValue): number {
  if (typeof value === 'string') return FRAME_WORDS.has(value) ? 0 : Buffer.byteLength(value);
  if (Array.isArray(value)) return value.reduce<number>((sum, item) => sum + itemBytes(item), 0);
  return isObject(value) ? fieldBytes(value, false) : 0;
}

/** Of a list any number of items can stand there that say nothing but that they do. */
function itemBytes(item: JsonValue): number {
  const isBare = typeof item === 'string' || (isObject(item) && Object.keys(item).length > 0);
  if (isBare || (Array.isArray(item) && item.length > 0)) return tellingBytes(item);
  return JSON.stringify(item).length + 1;
}

function fieldBytes(object: JsonObject, isNaming: boolean): number {
  let bytes = 0;
  for (const [key, value] of Object.entries(object)) {
    if (value === undefined) continue;
    if (isNaming) bytes += Buffer.byteLength(key);
    else if (!FRAME_KEYS.has(key)) {
      bytes += Buffer.byteLength(JSON.stringify(key)) + Buffer.byteLength(JSON.stringify(value)) + 2;
      continue;
    }
    bytes += NAMING_KEYS.has(key) && isObject(value) ? fieldBytes(value, true) : tellingBytes(value);
  }
  return bytes;
}
