import type { Conversation, Message, Part } from '../../../src/conversation/conversation.ts';
import type { JsonObject } from '../../../src/conversation/json.ts';
import { messages } from '../../../src/dialects/messages/index.ts';

export const SONNET_4_5 = 'claude-sonnet-4-5-20250929';

/** A call in the words of Chat Completions, which is what most calls come in. */
export function conversation(fields: Partial<Conversation> = {}): Conversation {
  return {
    dialect: 'chat',
    model: 'smart',
    stream: false,
    messages: [user('Hello')],
    tools: [],
    parameters: {},
    ...fields,
  };
}

export function encode(
  fields: Partial<Conversation>,
  model = SONNET_4_5,
): { body: JsonObject; dropped: string[] } {
  const { body, dropped } = messages.encodeRequest(conversation(fields), model);
  return { body, dropped };
}

export function message(role: Message['role'], ...parts: (Part | string)[]): Message {
  return {
    role,
    parts: parts.map((part) => (typeof part === 'string' ? { type: 'text', text: part } : part)),
  };
}

export function user(...parts: (Part | string)[]): Message {
  return message('user', ...parts);
}

export function assistant(...parts: (Part | string)[]): Message {
  return message('assistant', ...parts);
}

export function call(id: string, args = '{}', name = 'look'): Part {
  return { type: 'tool_call', id, name, kind: 'function', arguments: args };
}

export function result(callId: string, text = 'seen'): Message {
  return { role: 'tool', parts: [{ type: 'tool_result', callId, parts: [{ type: 'text', text }] }] };
}

export function text(words: string): JsonObject {
  return { type: 'text', text: words };
}

export const LOOK = { type: 'function', name: 'look', schema: { type: 'object', properties: {} } } as const;
