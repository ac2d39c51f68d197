import { isObject, type JsonObject, type JsonValue } from '../conversation/json.ts';
import { isTooShort, lacks, lacksFeatures, type Needs } from '../routing/capabilities.ts';
import type { Target } from '../routing/target.ts';
import { askedOutput } from './bound-call.ts';
import type { Call } from './call.ts';
import { estimateTokens } from './estimate-tokens.ts';
import { parseBody } from './parse-body.ts';

/**
 * Those of a model's targets that can do what a call needs. The body is parsed only where a target lacks something else than room, and its text looked at only where it may be too long for one.
 */
export function findAble(call: Call, targets: readonly Target[]): readonly Target[] {
  if (call.door.operation !== 'generate' || call.door.relayedPlace) return targets;
  const isAble = !targets.some(({ capabilities }) => capabilities && lacksFeatures(capabilities));
  const asked = askedOutput(call);
  const isShort = !targets.some((target) => mayBeTooLong(call, target, asked));
  if (isAble && isShort) return targets;
  const needs = isAble ? NOTHING : readNeeds(call);
  const inputTokens = isShort ? 0 : inputEstimate(call);
  return targets.filter((target) => {
    const outputTokens = isShort ? 0 : outputAt(target, asked);
    return !target.capabilities || !lacks(target.capabilities, { ...needs, inputTokens, outputTokens });
  });
}

/** The same; where none can, all: what they cannot they say better than we. */
export function ableTargets(call: Call, targets: readonly Target[]): readonly Target[] {
  const able = findAble(call, targets);
  return able.length > 0 ? able : targets;
}

/** About how many tokens the text of a call comes to. Looked at once. */
export function inputEstimate(call: Call): number {
  call.inputEstimate ??= estimateTokens(call.body);
  return call.inputEstimate;
}

/** A token is a byte at least. */
function mayBeTooLong({ body }: Call, target: Target, asked: number): boolean {
  const { capabilities } = target;
  return capabilities !== undefined && isTooShort(capabilities, body.length + outputAt(target, asked));
}

/** What the call names, or else what its target is told. */
function outputAt({ defaults }: Target, asked: number): number {
  return asked || (defaults?.parameters.maxOutputTokens ?? 0);
}

type Features = Omit<Needs, 'inputTokens' | 'outputTokens'>;

const NOTHING: Features = { vision: false, tools: false, structuredOutput: false };

/** What a call asks of its model but for room, read from the words of all dialects at once. */
function readNeeds(call: Call): Features {
  call.request ??= parseBody(call.body);
  const { request } = call;
  return {
    vision: holdsImage(request),
    tools: hasEntries(request['tools']) || hasEntries(request['functions']),
    structuredOutput: asksForSchema(request),
  };
}

function holdsImage(value: JsonValue | undefined): boolean {
  if (Array.isArray(value)) return value.some(holdsImage);
  if (!isObject(value)) return false;
  return isImage(value) || Object.values(value).some(holdsImage);
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
