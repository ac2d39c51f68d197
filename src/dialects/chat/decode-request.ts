import type { Conversation, Parameters, ResponseFormat } from '../../conversation/conversation.ts';
import type { JsonObject, JsonValue } from '../../conversation/json.ts';
import type { RequestAddress } from '../dialect.ts';
import {
  expectInRange,
  expectKind,
  type JsonKind,
  type NumberRange,
  omitKeys,
  optionalField,
  pathOf,
  requireField,
  unknownWord,
  wrongKind,
} from '../read-json.ts';
import { decodeMessages } from './decode-messages.ts';
import { chatExtra, nestedExtra } from './extra.ts';
import { functionWords } from './function-call.ts';
import { decodeReasoningRequest } from './reasoning-request.ts';
import { decodeToolChoice, decodeTools } from './tools.ts';

/**
 * Reads a request of `POST /v1/chat/completions`. Fields that the neutral model has no word for go to `extra`, in
 * their order. Shapes are checked where they are needed, numbers and words against what OpenAI's API takes: who is asked in its
 * place must not decide what is valid.
 *
 * Source: OpenAI API reference (create chat completion).
 *
 * @throws GatewayError `invalid_request` with the path of what is wrong.
 */
export function decodeRequest(body: JsonObject, address: RequestAddress): Conversation {
  const conversation: Conversation = {
    dialect: 'chat',
    model: address.model ?? requireField(body, 'model', 'string', ''),
    stream: address.stream ?? optionalField(body, 'stream', 'boolean', '') ?? false,
    messages: decodeMessages(body),
    tools: decodeTools(body),
    parameters: {},
  };
  decodeParameters(body, conversation);
  const toolChoice = decodeToolChoice(body);
  const parallel = optionalField(body, 'parallel_tool_calls', 'boolean', '');
  const responseFormat = decodeResponseFormat(body);
  const reasoning = decodeReasoningRequest(body);
  const extra = chatExtra(extraFields(body));
  if (toolChoice) conversation.toolChoice = toolChoice;
  if (parallel !== undefined) conversation.parallelToolCalls = parallel;
  if (responseFormat) conversation.responseFormat = responseFormat;
  if (reasoning) conversation.reasoning = reasoning;
  if (extra) conversation.extra = extra;
  const spelling = { ...conversation.spelling, ...functionWords(body) };
  if (Object.keys(spelling).length > 0) conversation.spelling = spelling;
  return conversation;
}

/** A parameter's words (the first is OpenAI's own), and what kind of value it takes. */
const PARAMETER_FIELDS: Record<Exclude<keyof Parameters, 'stop'>, readonly [JsonKind, ...words: string[]]> = {
  // `max_tokens` is the deprecated word, and the only one that many compatible servers know.
  maxOutputTokens: ['number', 'max_completion_tokens', 'max_tokens'],
  temperature: ['number', 'temperature'],
  topP: ['number', 'top_p'],
  topK: ['number', 'top_k'],
  frequencyPenalty: ['number', 'frequency_penalty'],
  presencePenalty: ['number', 'presence_penalty'],
  seed: ['number', 'seed'],
  n: ['number', 'n'],
  logprobs: ['boolean', 'logprobs'],
  topLogprobs: ['number', 'top_logprobs'],
  logitBias: ['object', 'logit_bias'],
  // OpenAI replaces `user` by `safety_identifier` (and `prompt_cache_key`).
  endUser: ['string', 'user', 'safety_identifier'],
  serviceTier: ['string', 'service_tier'],
  verbosity: ['string', 'verbosity'],
  promptCacheKey: ['string', 'prompt_cache_key'],
};

/** What OpenAI's API takes. */
const RANGES: Partial<Record<keyof Parameters, NumberRange>> = {
  maxOutputTokens: { least: 1, isWhole: true },
  temperature: { least: 0, most: 2 },
  topP: { least: 0, most: 1 },
  frequencyPenalty: { least: -2, most: 2 },
  presencePenalty: { least: -2, most: 2 },
  seed: { isWhole: true },
  n: { least: 1, most: 128, isWhole: true },
  topLogprobs: { least: 0, most: 20, isWhole: true },
};

function decodeParameters(body: JsonObject, conversation: Conversation): void {
  const entries: [string, unknown][] = [];
  const spelling: Conversation['spelling'] = {};
  for (const [name, [kind, ...words]] of Object.entries(PARAMETER_FIELDS)) {
    const key = name as keyof Parameters;
    for (const word of words) {
      const value = optionalField(body, word, kind, '');
      if (value === undefined) continue;
      const range = RANGES[key];
      if (range && typeof value === 'number') expectInRange(value, range, word);
      entries.push([key, value]);
      if (word !== words[0]) spelling[key] = word;
      break;
    }
  }
  const stop = decodeStop(body);
  if (stop) entries.push(['stop', stop]);
  conversation.parameters = Object.fromEntries(entries) as Parameters;
  if (Object.keys(spelling).length > 0) conversation.spelling = spelling;
}

/** No sequences are the same as nothing said. */
function decodeStop(body: JsonObject): string[] | undefined {
  const { stop } = body;
  if (stop === undefined || stop === null) return undefined;
  if (typeof stop === 'string') return [stop];
  if (!Array.isArray(stop)) throw wrongKind(stop, 'a string or an array of strings', 'stop');
  if (stop.length === 0) return undefined;
  return stop.map((item, index) => expectKind(item, 'string', pathOf('stop', index)));
}

const FORMAT_TYPES = ['text', 'json_object', 'json_schema'];

function decodeResponseFormat(body: JsonObject): ResponseFormat | undefined {
  const at = 'response_format';
  const format = optionalField(body, at, 'object', '');
  if (!format) return undefined;
  const type = requireField(format, 'type', 'string', at);
  const extra = nestedExtra(
    format,
    type === 'json_object' ? OBJECT_FIELDS : TYPE,
    'json_schema',
    SCHEMA_FIELDS,
  );
  return { ...decodeFormatType(format, type, at), ...(extra ? { extra } : {}) };
}

const TYPE = new Set(['type']);
const OBJECT_FIELDS = new Set(['type', 'schema']);
const SCHEMA_FIELDS = new Set(['name', 'schema', 'description', 'strict']);

function decodeFormatType(format: JsonObject, type: string, at: string): ResponseFormat {
  if (type === 'text') return { type };
  if (type === 'json_object') {
    // Together and Fireworks take the schema here.
    const schema = optionalField(format, 'schema', 'object', at);
    return schema ? { type: 'json_schema', name: 'response', schema } : { type };
  }
  if (type === 'json_schema')
    return decodeJsonSchema(requireField(format, type, 'object', at), `${at}.${type}`);
  throw unknownWord(type, FORMAT_TYPES, `${at}.type`);
}

function decodeJsonSchema(value: JsonObject, at: string): ResponseFormat {
  const name = requireField(value, 'name', 'string', at);
  const schema = requireField(value, 'schema', 'object', at);
  const format: ResponseFormat = { type: 'json_schema', name, schema };
  const description = optionalField(value, 'description', 'string', at);
  const strict = optionalField(value, 'strict', 'boolean', at);
  if (description !== undefined) format.description = description;
  if (strict !== undefined) format.strict = strict;
  return format;
}

const DECODED_FIELDS: ReadonlySet<string> = new Set([
  'model',
  'stream',
  'messages',
  'tools',
  'functions',
  'tool_choice',
  'function_call',
  'parallel_tool_calls',
  'response_format',
  'reasoning_effort',
  'reasoning',
  'thinking',
  'stop',
  'stream_options',
  ...Object.values(PARAMETER_FIELDS).flatMap(([, ...words]) => words),
]);

const INCLUDE_USAGE = new Set(['include_usage']);

function extraFields(body: JsonObject): JsonObject {
  const fields = omitKeys(body, DECODED_FIELDS);
  // Whether the client sees usage is the door's matter; upstream it is always asked for.
  const streamOptions = optionalField(body, 'stream_options', 'object', '');
  const rest = streamOptions ? omitKeys(streamOptions, INCLUDE_USAGE) : {};
  if (Object.keys(rest).length > 0) fields['stream_options'] = rest;
  // Both words at once: the second is not the other's spelling but a thing of its own.
  for (const [, first = '', other] of Object.values(PARAMETER_FIELDS)) {
    if (other !== undefined && isSaid(body[first]) && isSaid(body[other])) fields[other] = body[other];
  }
  return fields;
}

function isSaid(value: JsonValue | undefined): boolean {
  return value !== undefined && value !== null;
}
