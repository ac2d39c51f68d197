import type { Conversation, Message, Part, Tool } from '../../../src/conversation/conversation.ts';
import { GatewayError } from '../../../src/conversation/gateway-error.ts';
import { isObject, type JsonObject, type JsonValue } from '../../../src/conversation/json.ts';
import { gemini } from '../../../src/dialects/gemini/index.ts';

/** A conversation as a chat client would have asked it. */
export function chatConversation(messages: Message[], more: Partial<Conversation> = {}): Conversation {
  return { dialect: 'chat', model: 'smart', stream: false, messages, tools: [], parameters: {}, ...more };
}

export function user(...parts: (Part | string)[]): Message {
  return { role: 'user', parts: parts.map(asPart) };
}

export function assistant(...parts: (Part | string)[]): Message {
  return { role: 'assistant', parts: parts.map(asPart) };
}

export function system(...texts: string[]): Message {
  return { role: 'system', parts: texts.map((text) => ({ type: 'text', text })) };
}

function asPart(part: Part | string): Part {
  return typeof part === 'string' ? { type: 'text', text: part } : part;
}

export function call(id: string, name: string, args: string, signature?: string): Part {
  const part: Part = { type: 'tool_call', id, name, kind: 'function', arguments: args };
  return signature === undefined ? part : { ...part, signature: { dialect: 'gemini', value: signature } };
}

export function result(callId: string, text: string, isError?: boolean): Message {
  const part: Part = { type: 'tool_result', callId, parts: [{ type: 'text', text }] };
  return { role: 'tool', parts: [isError === undefined ? part : { ...part, isError }] };
}

export function functionTool(name: string, schema?: JsonObject): Tool {
  return schema ? { type: 'function', name, schema } : { type: 'function', name };
}

/** The body that a model is sent. */
export function bodyFor(conversation: Conversation, model = 'gemini-3-flash-preview'): JsonObject {
  return gemini.encodeRequest(conversation, model).body;
}

export function contentsFor(messages: Message[], model?: string): JsonValue | undefined {
  return bodyFor(chatConversation(messages), model)['contents'];
}

export function droppedFor(conversation: Conversation, model = 'gemini-3-flash-preview'): string[] {
  return gemini.encodeRequest(conversation, model).dropped;
}

/** For `assert.throws`: the refusal of a request, naming this parameter. */
export function refusalOf(param: string): (error: unknown) => boolean {
  return (error) =>
    error instanceof GatewayError && error.kind === 'invalid_request' && error.param === param;
}

/** `at(body, 'generationConfig', 'seed')`: what stands there, or `undefined`. */
export function at(value: JsonValue | undefined, ...steps: (string | number)[]): JsonValue | undefined {
  let here = value;
  for (const step of steps) {
    if (typeof step === 'number') here = Array.isArray(here) ? here[step] : undefined;
    else here = isObject(here) ? here[step] : undefined;
  }
  return here;
}
