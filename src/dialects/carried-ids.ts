import { CarriedIdReader } from '../conversation/carried-reasoning.ts';
import type { Message } from '../conversation/conversation.ts';

/**
 * Gives the tool calls and results of a request the ids that their providers gave them, and the calls their
 * signatures, where a client was given ids that carry these (`conversation/carried-reasoning.ts`).
 */
export function restoreCarriedIds(messages: Message[]): Message[] {
  const reader = new CarriedIdReader();
  for (const { parts } of messages) {
    for (const part of parts) {
      if (part.type === 'tool_result') part.callId = reader.read(part.callId).id;
      if (part.type !== 'tool_call') continue;
      const { id, carried } = reader.read(part.id);
      part.id = id;
      if (carried?.signature) part.signature = carried.signature;
    }
  }
  return messages;
}
