import type { DialectName, Extra } from '../conversation/conversation.ts';
import { isObject, type JsonObject, type JsonValue } from '../conversation/json.ts';
import { expectKind, type JsonKind, jsonKind, KIND_NAMES, pathOf, wrongKind } from './read-json.ts';

/** What a field may be; of a list also what is in it. */
type Expected = JsonKind | readonly JsonKind[] | { listOf: JsonKind };

/** Google's parser takes a word for a flag, and one thing for a list of it. */
const FLAG = ['boolean', 'string'] as const;
const ONE_OR_MORE = ['array', 'object'] as const;

/**
 * Of what kind those fields of a request are that only their own dialect knows. A provider of another is not told of them, so it
 * cannot say that they are wrong. Fields that the vendor's reference does not have are nobody's to judge.
 *
 * Sources: OpenAI API reference (create chat completion, create a model response), Anthropic API reference (create a message, beta
 * included), Gemini API reference (`GenerateContentRequest`, `GenerationConfig`, `ToolConfig`), and the types in these vendors' SDKs.
 */
const FIELD_KINDS: Partial<Record<DialectName, Record<string, Expected>>> = {
  chat: {
    audio: 'object',
    // Beside its newer word.
    max_tokens: 'number',
    metadata: 'object',
    modalities: { listOf: 'string' },
    moderation: 'object',
    prediction: 'object',
    prompt_cache_options: 'object',
    prompt_cache_retention: 'string',
    safety_identifier: 'string',
    store: 'boolean',
    'stream_options.include_obfuscation': 'boolean',
    web_search_options: 'object',
  },
  responses: {
    access_programs: 'object',
    background: 'boolean',
    context_management: 'array',
    conversation: ['string', 'object'],
    image: 'object',
    include: { listOf: 'string' },
    max_tool_calls: 'number',
    metadata: 'object',
    moderation: 'object',
    previous_response_id: 'string',
    prompt: 'object',
    prompt_cache_options: 'object',
    prompt_cache_retention: 'string',
    safety_identifier: 'string',
    store: 'boolean',
    stream_options: 'object',
    'stream_options.include_obfuscation': 'boolean',
    truncation: 'string',
  },
  messages: {
    cache_control: 'object',
    container: ['string', 'object'],
    context_management: 'object',
    diagnostics: 'object',
    inference_geo: 'string',
    mcp_servers: 'array',
    speed: 'string',
    user_profile_id: 'string',
    workspace_id: 'string',
  },
  gemini: {
    automaticContinuation: FLAG,
    cachedContent: 'string',
    continuationToken: 'string',
    labels: 'object',
    safetySettings: ONE_OR_MORE,
    store: FLAG,
    'generationConfig.audioTimestamp': FLAG,
    'generationConfig.enableEnhancedCivicAnswers': FLAG,
    'generationConfig.imageConfig': 'object',
    'generationConfig.mediaResolution': ['string', 'number'],
    'generationConfig.responseMimeType': 'string',
    'generationConfig.responseModalities': ['array', 'string'],
    'generationConfig.routingConfig': 'object',
    'generationConfig.speechConfig': 'object',
    'toolConfig.includeServerSideToolInvocations': FLAG,
    'toolConfig.retrievalConfig': 'object',
  },
};

/** @throws GatewayError `invalid_request` with the path of the first field that its own dialect does not allow */
export function checkFieldKinds({ dialect, fields }: Extra): void {
  for (const [path, expected] of Object.entries(FIELD_KINDS[dialect] ?? {})) {
    const value = valueAt(fields, path);
    if (value !== undefined && value !== null) check(value, expected, path);
  }
}

function valueAt(fields: JsonObject, path: string): JsonValue | undefined {
  const [first = '', second] = path.split('.');
  const value = Object.hasOwn(fields, first) ? fields[first] : undefined;
  if (second === undefined) return value;
  return isObject(value) && Object.hasOwn(value, second) ? value[second] : undefined;
}

function check(value: JsonValue, expected: Expected, path: string): void {
  if (typeof expected === 'string') expectKind(value, expected, path);
  else if ('listOf' in expected) {
    for (const [index, item] of expectKind(value, 'array', path).entries())
      expectKind(item, expected.listOf, pathOf(path, index));
  } else if (!expected.some((kind) => kind === jsonKind(value))) {
    throw wrongKind(value, expected.map((kind) => KIND_NAMES[kind]).join(' or '), path);
  }
}
