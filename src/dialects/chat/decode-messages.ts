import { appendAll } from '../../conversation/append-all.ts';
import { type Carried, CarriedIdReader } from '../../conversation/carried-reasoning.ts';
import type {
  Message,
  Part,
  ReasoningPart,
  Role,
  ToolCallPart,
  ToolResultPart,
} from '../../conversation/conversation.ts';
import { invalidRequest } from '../../conversation/gateway-error.ts';
import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import { placed } from '../places.ts';
import {
  expectKind,
  omitKeys,
  optionalField,
  pathOf,
  requireField,
  unknownWord,
  wrongKind,
} from '../read-json.ts';
import { decodeCacheHint } from './cache-hints.ts';
import {
  type ContentOwner,
  type ContentPart,
  decodeContent,
  decodeImages,
  urlSource,
} from './content-parts.ts';
import { chatExtra, extraOf } from './extra.ts';
import { decodeReasoningDetails, type ReasoningDetails, reasoningText } from './reasoning-details.ts';

/**
 * Reads `messages`.
 *
 * Source: OpenAI API reference (create chat completion, the `ChatCompletion…MessageParam` kinds).
 */
export function decodeMessages(body: JsonObject): Message[] {
  const messages = requireField(body, 'messages', 'array', '');
  if (messages.length === 0) {
    throw invalidRequest(
      "'messages' is empty; at least one message was expected.",
      'messages',
      'invalid_value',
    );
  }
  const decoder = new MessageDecoder();
  return messages.map((message, index) => decoder.decode(message, pathOf('messages', index)));
}

const ROLES = ['system', 'developer', 'user', 'assistant', 'tool', 'function'];

const PLAIN_FIELDS = new Set(['role', 'content', 'name', 'cache_control']);
const TOOL_FIELDS = new Set([...PLAIN_FIELDS, 'tool_call_id']);
const ASSISTANT_FIELDS = new Set([
  ...PLAIN_FIELDS,
  'refusal',
  'tool_calls',
  'function_call',
  'images',
  'reasoning_content',
  'reasoning',
  'reasoning_details',
]);

/** Goes through the messages in order and remembers the tool calls, which results name by their id alone. */
class MessageDecoder {
  readonly #carried = new CarriedIdReader();
  readonly #toolNames = new Map<string, string>();
  /** The newest call of the deprecated kind, which has no id of its own. */
  #functionCalls = 0;

  decode(value: JsonValue, at: string): Message {
    const message = expectKind(value, 'object', at);
    const role = requireField(message, 'role', 'string', at);
    switch (role) {
      case 'system':
      case 'developer':
        return this.#decodePlain(message, role, 'instructions', at);
      case 'user':
        return this.#decodePlain(message, role, 'user', at);
      case 'assistant':
        return this.#decodeAssistant(message, at);
      case 'tool':
        return this.#decodeToolResult(message, at);
      case 'function':
        return this.#decodeFunctionResult(message, at);
      default:
        throw unknownWord(role, ROLES, pathOf(at, 'role'));
    }
  }

  #decodePlain(message: JsonObject, role: Role, owner: ContentOwner, at: string): Message {
    const content = message['content'];
    const path = pathOf(at, 'content');
    if (content === undefined || content === null) {
      throw wrongKind(content, 'a string or an array of content parts', path);
    }
    const parts = withCacheHint(decodeContent(content, owner, path), message, at);
    return finishMessage({ role, parts }, message, PLAIN_FIELDS, at);
  }

  #decodeAssistant(message: JsonObject, at: string): Message {
    const content = decodeContent(message['content'], 'assistant', pathOf(at, 'content'));
    const refusal = optionalField(message, 'refusal', 'string', at);
    if (refusal !== undefined) content.push({ type: 'refusal', text: refusal });
    const images = decodeImages(message['images'], (url, index) =>
      urlSource(url, `${pathOf(at, 'images')}[${index}].image_url.url`),
    );
    appendAll(content, images);
    const calls = this.#decodeToolCalls(message, at);
    const details = decodeReasoningDetails(optionalField(message, 'reasoning_details', 'array', at));
    checkReasoning(message, at);
    const { lead, unsigned } = leadingReasoning(message, calls, details);
    signCalls(calls, details);
    signText(content, details);

    const parts: Part[] = [...lead, ...withCacheHint(content, message, at)];
    for (const [index, { call, carried }] of calls.entries()) {
      if (index > 0 && carried) appendAll(parts, carried.reasoning);
      parts.push(call);
    }
    const result = finishMessage({ role: 'assistant', parts }, message, ASSISTANT_FIELDS, at);
    const kept = { ...(unsigned ? keptReasoning(message, details) : {}), ...result.extra?.fields };
    const extra = chatExtra(kept);
    if (extra) result.extra = extra;
    return result;
  }

  #decodeToolCalls(message: JsonObject, at: string): DecodedCall[] {
    const calls = optionalField(message, 'tool_calls', 'array', at) ?? [];
    const decoded = calls.map((call, index) =>
      this.#decodeToolCall(call, pathOf(pathOf(at, 'tool_calls'), index)),
    );
    const legacy = optionalField(message, 'function_call', 'object', at);
    if (legacy) {
      const path = pathOf(at, 'function_call');
      const id = functionCallId(++this.#functionCalls);
      decoded.push({ call: this.#remember({ ...readFunction(legacy, path), id }) });
    }
    return decoded;
  }

  #decodeToolCall(value: JsonValue, at: string): DecodedCall {
    const wire = expectKind(value, 'object', at);
    const type = optionalField(wire, 'type', 'string', at) ?? 'function';
    if (type !== 'function' && type !== 'custom') {
      throw unknownWord(type, ['function', 'custom'], pathOf(at, 'type'));
    }
    const { id, carried } = this.#carried.read(requireField(wire, 'id', 'string', at));
    const path = pathOf(at, type);
    const named = requireField(wire, type, 'object', at);
    const call: ToolCallPart = { ...(type === 'custom' ? readCustom : readFunction)(named, path), id };
    const cacheHint = decodeCacheHint(wire, at);
    if (cacheHint) call.cacheHint = cacheHint;
    if (carried?.signature) call.signature = carried.signature;
    const inner = omitKeys(named, NAMED_FIELDS[type]);
    const extra = chatExtra({
      ...omitKeys(wire, new Set(['id', 'type', type, 'cache_control'])),
      ...(Object.keys(inner).length > 0 ? { [type]: inner } : {}),
    });
    if (extra) call.extra = extra;
    this.#remember(placed(call, at));
    return carried ? { call, carried } : { call };
  }

  #remember(call: ToolCallPart): ToolCallPart {
    this.#toolNames.set(call.id, call.name);
    return call;
  }

  #decodeToolResult(message: JsonObject, at: string): Message {
    const { id } = this.#carried.read(requireField(message, 'tool_call_id', 'string', at));
    return this.#resultMessage(id, message, TOOL_FIELDS, at);
  }

  /** The deprecated role `function` answers the newest call; its name is the function's. */
  #decodeFunctionResult(message: JsonObject, at: string): Message {
    requireField(message, 'name', 'string', at);
    const id = functionCallId(this.#functionCalls);
    const { name: _, ...result } = this.#resultMessage(id, message, PLAIN_FIELDS, at);
    return result;
  }

  #resultMessage(callId: string, message: JsonObject, known: ReadonlySet<string>, at: string): Message {
    const content = decodeContent(message['content'], 'tool', pathOf(at, 'content'));
    const result: ToolResultPart = { type: 'tool_result', callId, parts: content.filter(isResultContent) };
    const name = optionalField(message, 'name', 'string', at) ?? this.#toolNames.get(callId);
    if (name !== undefined) result.name = name;
    placed(result, at);
    const cacheHint = decodeCacheHint(message, at);
    if (cacheHint) result.cacheHint = cacheHint;
    return finishMessage({ role: 'tool', parts: [result] }, message, known, at);
  }
}

const NAMED_FIELDS = { function: new Set(['name', 'arguments']), custom: new Set(['name', 'input']) };

interface DecodedCall {
  call: ToolCallPart;
  carried?: Carried;
}

function functionCallId(number: number): string {
  return `call_function_${number}`;
}

function readFunction(named: JsonObject, at: string): Omit<ToolCallPart, 'id'> {
  const name = requireField(named, 'name', 'string', at);
  const text = optionalField(named, 'arguments', 'string', at) ?? '';
  return { type: 'tool_call', kind: 'function', name, arguments: text };
}

function readCustom(named: JsonObject, at: string): Omit<ToolCallPart, 'id'> {
  const name = requireField(named, 'name', 'string', at);
  return { type: 'tool_call', kind: 'custom', name, arguments: requireField(named, 'input', 'string', at) };
}

function finishMessage(
  result: Message,
  message: JsonObject,
  known: ReadonlySet<string>,
  at: string,
): Message {
  const name = optionalField(message, 'name', 'string', at);
  if (name !== undefined) result.name = name;
  const extra = extraOf(message, known);
  if (extra) result.extra = extra;
  return result;
}

/** LiteLLM's clients also set `cache_control` on a whole message: it stands for the end of its content. */
function withCacheHint(parts: ContentPart[], message: JsonObject, at: string): ContentPart[] {
  const cacheHint = decodeCacheHint(message, at);
  const last = parts.findLast((part) => part.type !== 'opaque');
  if (cacheHint && last) last.cacheHint = cacheHint;
  return parts;
}

/**
 * The reasoning that comes before the message's text. What was carried in ids or details as a provider wrote it
 * stands in for the readable copy; a client that sent both back is not taken twice at its word.
 */
function leadingReasoning(
  message: JsonObject,
  calls: DecodedCall[],
  details: ReasoningDetails,
): { lead: ReasoningPart[]; unsigned: boolean } {
  const carried = calls.flatMap((call) => call.carried?.reasoning ?? []);
  const seen = new Set(carried.map(proofOf));
  const detailed = details.demanded.filter((part) => !seen.has(proofOf(part)));
  const lead = [...(calls[0]?.carried?.reasoning ?? []), ...detailed];
  if (lead.length > 0 || carried.length > 0) return { lead, unsigned: false };
  const text = reasoningText(message);
  return { lead: text === undefined || text === '' ? [] : [{ type: 'reasoning', text }], unsigned: true };
}

function proofOf(part: ReasoningPart): string | undefined {
  return (part.signature ?? part.encrypted)?.value;
}

function checkReasoning(message: JsonObject, at: string): void {
  const { reasoning } = message;
  optionalField(message, 'reasoning_content', 'string', at);
  if (typeof reasoning !== 'string' && !isObject(reasoning)) {
    // Some servers write it as an object; whatever else stands there is an error.
    optionalField(message, 'reasoning', 'string', at);
  }
}

/** What another name than `reasoning_content` said, kept so that a server which uses that name gets it back so. */
function keptReasoning(message: JsonObject, details: ReasoningDetails): JsonObject {
  const { reasoning, reasoning_content: content } = message;
  const kept: JsonObject = {};
  const isOnlyOne = content === undefined || content === null || content === '';
  if (isOnlyOne && reasoning !== undefined && reasoning !== null) kept['reasoning'] = reasoning;
  if (details.unknown.length > 0) kept['reasoning_details'] = details.unknown;
  return kept;
}

function signCalls(calls: DecodedCall[], details: ReasoningDetails): void {
  for (const { call } of calls) {
    const signature = details.callSignatures.get(call.id);
    if (signature && !call.signature) call.signature = signature;
  }
}

function signText(content: ContentPart[], { textSignature }: ReasoningDetails): void {
  const text = content.findLast((part) => part.type === 'text');
  if (text && textSignature) text.signature = textSignature;
}

function isResultContent(
  part: ContentPart,
): part is Extract<ContentPart, { type: 'text' | 'image' | 'file' | 'opaque' }> {
  return part.type === 'text' || part.type === 'image' || part.type === 'file' || part.type === 'opaque';
}
