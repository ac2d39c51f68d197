import type { Conversation, Message, Part } from '../../../src/conversation/conversation.ts';

/** A conversation of a dialect with these messages and nothing else said. */
export function conversationOf(
  dialect: Conversation['dialect'],
  messages: Message[],
  more: Partial<Conversation> = {},
): Conversation {
  return { dialect, model: 'asked-for', stream: false, messages, tools: [], parameters: {}, ...more };
}

export function assistant(...parts: Part[]): Message {
  return { role: 'assistant', parts };
}

export function user(text: string): Message {
  return { role: 'user', parts: [{ type: 'text', text }] };
}
