import { isObject, type JsonObject, type JsonValue } from '../conversation/json.ts';
import type { Needs } from '../routing/capabilities.ts';
import type { Call } from './call.ts';
import { parseBody } from './parse-body.ts';

/** Ordinary text has about as many characters a token. */
const CHARACTERS_PER_TOKEN = 4;

/** Longer words are no text: media, signatures, encrypted reasoning. */
const LONGEST_WORD = 500;

/**
 * What a call asks of its model, read from the words of all dialects at once. Parses the body: only for models whose targets differ in what
 * they can do.
 */
export function readNeeds(call: Call): Needs {
  const request = parseBody(call.body);
  const needs: Needs = {
    vision: false,
    tools: hasEntries(request['tools']) || hasEntries(request['functions']),
    structuredOutput: asksForSchema(request),
    inputTokens: 0,
  };
  let characters = 0;
  const look = (value: JsonValue | undefined): void => {
    if (typeof value === 'string') {
      if (isText(value)) characters += value.length;
    } else if (Array.isArray(value)) {
      value.forEach(look);
    } else if (isObject(value)) {
      if (isImage(value)) needs.vision = true;
      Object.values(value).forEach(look);
    }
  };
  look(request);
  needs.inputTokens = Math.floor(characters / CHARACTERS_PER_TOKEN);
  return needs;
}

function hasEntries(value: JsonValue | undefined): boolean {
  return Array.isArray(value) && value.length > 0;
}

function asksForSchema(request: JsonObject): boolean {
  const config = request['generationConfig'] ?? request['generation_config'];
  if (isObject(config)) {
    const names = ['responseSchema', 'response_schema', 'responseJsonSchema', 'response_json_schema'];
    return names.some((name) => isObject(config[name]));
  }
  const { text, output_config: output } = request;
  const formats = [
    request['response_format'],
    request['output_format'],
    isObject(text) ? text['format'] : undefined,
    isObject(output) ? output['format'] : undefined,
  ];
  return formats.some((format) => isObject(format) && format['type'] === 'json_schema');
}

const IMAGE_TYPES: ReadonlySet<JsonValue | undefined> = new Set(['image', 'image_url', 'input_image']);

/** A part of a message: `image_url` (chat), `input_image` (responses), `image` (messages), data or a file of an image (gemini). */
function isImage(part: JsonObject): boolean {
  if (IMAGE_TYPES.has(part['type'])) return true;
  const data = part['inlineData'] ?? part['inline_data'] ?? part['fileData'] ?? part['file_data'];
  if (!isObject(data)) return false;
  return String(data['mimeType'] ?? data['mime_type'] ?? '').startsWith('image/');
}

function isText(value: string): boolean {
  if (value.length <= LONGEST_WORD) return true;
  return /\s/.test(value.slice(0, LONGEST_WORD));
}
