import type {
  Conversation,
  Message,
  Parameters,
  Part,
  ReasoningRequest,
  ResponseFormat,
  Role,
  Tool,
  ToolChoice,
} from '../../conversation/conversation.ts';
import { invalidRequest } from '../../conversation/gateway-error.ts';
import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import { restoreCarriedIds } from '../carried-ids.ts';
import { placed } from '../places.ts';
import { expectKind, jsonKind, optionalField, requireField, unknownWord, wrongKind } from '../read-json.ts';
import { decodeBlock, type Reject } from './decode-blocks.ts';
import { decodeCacheHint, extraOf, innerFields, unknownFields } from './fields.ts';

const reject: Reject = (expected, path) => invalidRequest(`'${path}' must be ${expected}.`, path);

/** What `output_config.format` was called while it was a beta, which takes it still. */
const OLD_FORMAT = 'output_format';
const FORMAT = 'output_config.format';

const REQUEST_FIELDS = new Set([
  'model',
  'max_tokens',
  'messages',
  'system',
  'stream',
  'temperature',
  'top_p',
  'top_k',
  'stop_sequences',
  'service_tier',
  'tools',
  'tool_choice',
  'thinking',
  'metadata',
  'output_config',
  OLD_FORMAT,
]);

/** @throws GatewayError `invalid_request` with the path of what is not in the form of the Messages API. */
export function decodeRequest(body: JsonObject): Conversation {
  const config = optionalField(body, 'output_config', 'object', '') ?? {};
  const choice = optionalField(body, 'tool_choice', 'object', '');
  const format = decodeFormat(body, config);
  const reasoning = decodeReasoning(body, config);
  const parallel = choice && optionalField(choice, 'disable_parallel_tool_use', 'boolean', 'tool_choice');
  return {
    dialect: 'messages',
    model: requireField(body, 'model', 'string', ''),
    stream: optionalField(body, 'stream', 'boolean', '') ?? false,
    messages: [...decodeSystem(body['system']), ...restoreCarriedIds(decodeMessages(body))],
    tools: (optionalField(body, 'tools', 'array', '') ?? []).map(decodeTool),
    ...(choice ? { toolChoice: decodeToolChoice(choice) } : {}),
    ...(parallel === undefined ? {} : { parallelToolCalls: !parallel }),
    parameters: decodeParameters(body),
    ...format,
    ...(reasoning ? { reasoning } : {}),
    ...extraOf(requestExtra(body, config)),
  };
}

function requestExtra(body: JsonObject, config: JsonObject): JsonObject {
  const metadata = unknownFields(optionalField(body, 'metadata', 'object', '') ?? {}, new Set(['user_id']));
  const outputConfig = unknownFields(config, new Set(['effort', 'format']));
  return {
    ...unknownFields(body, REQUEST_FIELDS),
    ...(Object.keys(metadata).length > 0 ? { metadata } : {}),
    ...(Object.keys(outputConfig).length > 0 ? { output_config: outputConfig } : {}),
  };
}

function decodeSystem(system: JsonValue | undefined): Message[] {
  if (jsonKind(system) === 'missing' || jsonKind(system) === 'null') return [];
  const parts = decodeContent(system, 'system');
  return parts.length > 0 ? [{ role: 'system', parts }] : [];
}

const ROLES = new Map<string, Role>([
  ['user', 'user'],
  ['assistant', 'assistant'],
  // Between turns, on models that take it ("Mid-conversation system messages").
  ['system', 'system'],
]);

function decodeMessages(body: JsonObject): Message[] {
  const list = requireField(body, 'messages', 'array', '');
  if (list.length === 0) throw reject('a list of at least one message', 'messages');
  return list.flatMap((value, index) => {
    const path = `messages[${index}]`;
    const message = expectKind(value, 'object', path);
    const word = requireField(message, 'role', 'string', path);
    const role = ROLES.get(word);
    if (!role) throw unknownWord(word, ROLES.keys(), `${path}.role`);
    const parts = isSilent(message) ? [] : decodeContent(message['content'], `${path}.content`);
    const extra = extraOf(unknownFields(message, new Set(['role', 'content'])));
    if (role === 'user') return splitToolResults(parts, extra).map((one) => placed(one, path));
    const stray = parts.findIndex(({ type }) => type === 'tool_result');
    if (stray >= 0) throw reject('in a user message', `${path}.content[${stray}]`);
    return [placed({ role, parts, ...extra }, path)];
  });
}

/** A system message that only says how to answer from there on may lack its content. */
function isSilent({ role, content, output_config: config }: JsonObject): boolean {
  return role === 'system' && (content === undefined || content === null) && isObject(config);
}

/** Tool results stand in user messages here, in messages of their own in the neutral model. */
function splitToolResults(parts: Part[], extra: Pick<Message, 'extra'>): Message[] {
  const messages: Message[] = [];
  for (const part of parts) {
    const role = part.type === 'tool_result' ? 'tool' : 'user';
    const last = messages.at(-1);
    if (last?.role === role) last.parts.push(part);
    else messages.push({ role, parts: [part], ...extra });
  }
  return messages;
}

function decodeContent(content: JsonValue | undefined, path: string): Part[] {
  if (typeof content === 'string') return [placed({ type: 'text', text: content }, path)];
  if (!Array.isArray(content)) throw wrongKind(content, 'a string or an array of blocks', path);
  return content.map((block, index) => {
    const at = `${path}[${index}]`;
    return placed(decodeBlock(block, at, reject), at);
  });
}

const TOOL_FIELDS = new Set(['name', 'description', 'input_schema', 'strict', 'cache_control']);

function decodeTool(value: JsonValue, index: number): Tool {
  const path = `tools[${index}]`;
  const tool = expectKind(value, 'object', path);
  const type = optionalField(tool, 'type', 'string', path) ?? 'custom';
  // Only tools of one's own have a schema; every other type is one that Anthropic defines or runs.
  if (type !== 'custom') return { type: 'opaque', dialect: 'messages', value: tool };
  const description = optionalField(tool, 'description', 'string', path);
  const strict = optionalField(tool, 'strict', 'boolean', path);
  return {
    type: 'function',
    name: requireField(tool, 'name', 'string', path),
    ...(description === undefined ? {} : { description }),
    schema: requireField(tool, 'input_schema', 'object', path),
    ...(strict === undefined ? {} : { strict }),
    ...decodeCacheHint(tool['cache_control']),
    ...extraOf(unknownFields(tool, TOOL_FIELDS)),
  };
}

const CHOICES = new Map<string, ToolChoice>([
  ['auto', { type: 'auto' }],
  ['none', { type: 'none' }],
  ['any', { type: 'required' }],
]);

function decodeToolChoice(choice: JsonObject): ToolChoice {
  const type = requireField(choice, 'type', 'string', 'tool_choice');
  const known =
    type === 'tool'
      ? { type: 'tool' as const, name: requireField(choice, 'name', 'string', 'tool_choice') }
      : CHOICES.get(type);
  if (!known) return { type: 'opaque', dialect: 'messages', value: choice };
  return { ...known, ...extraOf(unknownFields(choice, CHOICE_FIELDS)) };
}

const CHOICE_FIELDS = new Set(['type', 'name', 'disable_parallel_tool_use']);

function decodeParameters(body: JsonObject): Parameters {
  const metadata = optionalField(body, 'metadata', 'object', '') ?? {};
  const stop = (optionalField(body, 'stop_sequences', 'array', '') ?? []).map((sequence, index) =>
    expectKind(sequence, 'string', `stop_sequences[${index}]`),
  );
  const parameters: Parameters = { maxOutputTokens: requireField(body, 'max_tokens', 'number', '') };
  const temperature = optionalField(body, 'temperature', 'number', '');
  const topP = optionalField(body, 'top_p', 'number', '');
  const topK = optionalField(body, 'top_k', 'number', '');
  const endUser = optionalField(metadata, 'user_id', 'string', 'metadata');
  const serviceTier = optionalField(body, 'service_tier', 'string', '');
  if (temperature !== undefined) parameters.temperature = temperature;
  if (topP !== undefined) parameters.topP = topP;
  if (topK !== undefined) parameters.topK = topK;
  if (stop.length > 0) parameters.stop = stop;
  if (endUser !== undefined) parameters.endUser = endUser;
  if (serviceTier !== undefined) parameters.serviceTier = serviceTier;
  return parameters;
}

const FORMAT_FIELDS = new Set(['type', 'schema']);

function decodeFormat(
  body: JsonObject,
  config: JsonObject,
): Pick<Conversation, 'responseFormat' | 'spelling'> {
  const old = optionalField(body, OLD_FORMAT, 'object', '');
  const format = optionalField(config, 'format', 'object', 'output_config');
  if (!old) return format ? { responseFormat: readFormat(format, FORMAT) } : {};
  if (format)
    throw invalidRequest(`'${OLD_FORMAT}' is the former word for '${FORMAT}': say one of them.`, OLD_FORMAT);
  return { responseFormat: readFormat(old, OLD_FORMAT), spelling: { responseFormat: OLD_FORMAT } };
}

function readFormat(format: JsonObject, path: string): ResponseFormat {
  const type = requireField(format, 'type', 'string', path);
  if (type !== 'json_schema') throw unknownWord(type, ['json_schema'], `${path}.type`);
  return {
    type: 'json_schema',
    name: 'response',
    schema: requireField(format, 'schema', 'object', path),
    ...extraOf(unknownFields(format, FORMAT_FIELDS)),
  };
}

/**
 * `enabled` is a budget, `adaptive` the budget -1 (the model decides), the two ways without thinking before the
 * answer are the effort `none`. An effort beside those speaks of the answer only and stays this dialect's.
 */
function decodeReasoning(body: JsonObject, config: JsonObject): ReasoningRequest | undefined {
  const thinking = optionalField(body, 'thinking', 'object', '');
  const effort = optionalField(config, 'effort', 'string', 'output_config');
  if (!thinking) return effort === undefined ? undefined : { effort };
  const type = requireField(thinking, 'type', 'string', 'thinking');
  const others = innerFields('thinking', thinking, THINKING_FIELDS);
  if (type === 'disabled' || type === 'between_tools') {
    return { effort: 'none', ...extraOf({ ...(effort === undefined ? {} : { effort }), ...others }) };
  }
  if (!THINKING_TYPES.includes(type)) throw unknownWord(type, THINKING_TYPES, 'thinking.type');
  const display = optionalField(thinking, 'display', 'string', 'thinking');
  return {
    ...(effort === undefined ? {} : { effort }),
    budgetTokens: type === 'adaptive' ? -1 : requireField(thinking, 'budget_tokens', 'number', 'thinking'),
    ...(display === undefined ? {} : { includeText: display !== 'omitted' }),
    ...extraOf(others),
  };
}

const THINKING_FIELDS = new Set(['type', 'budget_tokens', 'display']);

const THINKING_TYPES = ['enabled', 'adaptive', 'disabled', 'between_tools'];
