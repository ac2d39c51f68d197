import type {
  Conversation,
  Parameters,
  ReasoningRequest,
  ResponseFormat,
} from '../../conversation/conversation.ts';
import { isObject, type JsonObject } from '../../conversation/json.ts';
import type { RequestAddress } from '../dialect.ts';
import { type JsonKind, omitKeys, optionalField, requireField, unknownWord } from '../read-json.ts';
import { allTools } from './additional-tools.ts';
import { decodeInput } from './decode-items.ts';
import { extraOf, responsesExtra } from './extra.ts';
import { Namespaces } from './namespaces.ts';
import { decodeToolChoice, decodeTools } from './tools.ts';

/**
 * Reads a request of `POST /v1/responses`. Fields that the neutral model has no word for go to `extra`, in their
 * order; `dialects/foreign-fields.ts` says what becomes of them at a provider of another dialect. A
 * `previous_response_id` is one of them: whoever keeps responses resolves it first (`stored.ts`).
 *
 * Source: OpenAI API reference (create a model response).
 *
 * @throws GatewayError `invalid_request` with the path of what is wrong.
 */
export function decodeRequest(body: JsonObject, address: RequestAddress): Conversation {
  const namespaces = new Namespaces(allTools(body));
  const conversation: Conversation = {
    dialect: 'responses',
    model: address.model ?? requireField(body, 'model', 'string', ''),
    stream: address.stream ?? optionalField(body, 'stream', 'boolean', '') ?? false,
    messages: decodeInput(body, namespaces),
    tools: decodeTools(body, namespaces),
    parameters: {},
  };
  decodeParameters(body, conversation);
  const toolChoice = decodeToolChoice(body, namespaces);
  const parallel = optionalField(body, 'parallel_tool_calls', 'boolean', '');
  const text = optionalField(body, 'text', 'object', '');
  const responseFormat = text && decodeFormat(text);
  const reasoning = decodeReasoningRequest(body);
  const extra = responsesExtra(extraFields(body));
  if (toolChoice) conversation.toolChoice = toolChoice;
  if (parallel !== undefined) conversation.parallelToolCalls = parallel;
  if (responseFormat) conversation.responseFormat = responseFormat;
  if (reasoning) conversation.reasoning = reasoning;
  if (extra) conversation.extra = extra;
  return conversation;
}

/** What stands in `include` for log probabilities. */
export const INCLUDE_LOGPROBS = 'message.output_text.logprobs';

type PlainParameter = readonly [key: keyof Parameters, kind: JsonKind, word: string];

const PARAMETER_FIELDS: readonly PlainParameter[] = [
  ['maxOutputTokens', 'number', 'max_output_tokens'],
  ['temperature', 'number', 'temperature'],
  ['topP', 'number', 'top_p'],
  ['topLogprobs', 'number', 'top_logprobs'],
  ['endUser', 'string', 'user'],
  ['serviceTier', 'string', 'service_tier'],
  ['promptCacheKey', 'string', 'prompt_cache_key'],
];

/** OpenAI replaces `user` by it (and by `prompt_cache_key`). */
const NEW_USER = 'safety_identifier';

function decodeParameters(body: JsonObject, conversation: Conversation): void {
  const entries: [string, unknown][] = [];
  for (const [key, kind, word] of PARAMETER_FIELDS) {
    const value = optionalField(body, word, kind, '');
    if (value !== undefined) entries.push([key, value]);
  }
  const identifier = optionalField(body, NEW_USER, 'string', '');
  if (identifier !== undefined && !isSaid(body, 'user')) {
    entries.push(['endUser', identifier]);
    conversation.spelling = { endUser: NEW_USER };
  }
  const text = optionalField(body, 'text', 'object', '') ?? {};
  const verbosity = optionalField(text, 'verbosity', 'string', 'text');
  if (verbosity !== undefined) entries.push(['verbosity', verbosity]);
  const include = optionalField(body, 'include', 'array', '') ?? [];
  if (include.includes(INCLUDE_LOGPROBS)) entries.push(['logprobs', true]);
  conversation.parameters = Object.fromEntries(entries) as Parameters;
}

const FORMAT_TYPES = ['text', 'json_object', 'json_schema'];

function decodeFormat(text: JsonObject): ResponseFormat | undefined {
  const at = 'text.format';
  const format = optionalField(text, 'format', 'object', 'text');
  if (!format) return undefined;
  const type = requireField(format, 'type', 'string', at);
  if (type === 'text' || type === 'json_object') {
    const extra = extraOf(format, TYPE);
    return { type, ...(extra ? { extra } : {}) };
  }
  if (type !== 'json_schema') throw unknownWord(type, FORMAT_TYPES, `${at}.type`);
  const name = requireField(format, 'name', 'string', at);
  const schema = requireField(format, 'schema', 'object', at);
  const result: ResponseFormat = { type, name, schema };
  const description = optionalField(format, 'description', 'string', at);
  const strict = optionalField(format, 'strict', 'boolean', at);
  if (description !== undefined) result.description = description;
  if (strict !== undefined) result.strict = strict;
  const extra = extraOf(format, SCHEMA_FIELDS);
  if (extra) result.extra = extra;
  return result;
}

const TYPE = new Set(['type']);
const SCHEMA_FIELDS = new Set(['type', 'name', 'schema', 'description', 'strict']);

const EFFORT = new Set(['effort']);

/** `reasoning` { effort, summary, … }: a summary that is asked for is text that is wanted. */
function decodeReasoningRequest(body: JsonObject): ReasoningRequest | undefined {
  const reasoning = optionalField(body, 'reasoning', 'object', '');
  if (!reasoning) return undefined;
  const request: ReasoningRequest = {};
  const effort = optionalField(reasoning, 'effort', 'string', 'reasoning');
  const summary =
    optionalField(reasoning, 'summary', 'string', 'reasoning') ??
    // The deprecated word for it.
    optionalField(reasoning, 'generate_summary', 'string', 'reasoning');
  const extra = responsesExtra(omitKeys(reasoning, EFFORT));
  if (effort !== undefined) request.effort = effort;
  if (summary !== undefined) request.includeText = true;
  if (extra) request.extra = extra;
  return request;
}

const DECODED_FIELDS: ReadonlySet<string> = new Set([
  'model',
  'stream',
  'input',
  'instructions',
  'tools',
  'tool_choice',
  'parallel_tool_calls',
  'text',
  'reasoning',
  NEW_USER,
  ...PARAMETER_FIELDS.map(([, , word]) => word),
]);
const TEXT_FIELDS = new Set(['format', 'verbosity']);

function extraFields(body: JsonObject): JsonObject {
  const rest = Object.entries(omitKeys(body, DECODED_FIELDS)).filter(([, value]) => value !== null);
  const fields = Object.fromEntries(rest);
  const text = isObject(body['text']) ? omitKeys(body['text'], TEXT_FIELDS) : {};
  if (Object.keys(text).length > 0) fields['text'] = text;
  // Both words at once: the second is not the other's spelling but a thing of its own.
  if (isSaid(body, 'user') && isSaid(body, NEW_USER)) fields[NEW_USER] = body[NEW_USER] ?? null;
  return fields;
}

function isSaid(body: JsonObject, key: string): boolean {
  return body[key] !== undefined && body[key] !== null;
}
