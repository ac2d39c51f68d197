import { appendAll } from '../conversation/append-all.ts';
import { CarriedIdReader } from '../conversation/carried-reasoning.ts';
import type { Message, Part } from '../conversation/conversation.ts';
import { rode } from './places.ts';

/**
 * Gives the tool calls and results of a request the ids that their providers gave them, and the calls their
 * signatures, where a client was given ids that carry these (`conversation/carried-reasoning.ts`). Reasoning that it was
 * not shown goes back where it stood: before its call, and that of a turn's first call before all that the turn says
 * (providers that sign want it there).
 */
export function restoreCarriedIds(messages: Message[]): Message[] {
  const reader = new CarriedIdReader();
  for (const message of messages) {
    const lead: Part[] = [];
    const parts: Part[] = [];
    let calls = 0;
    for (const part of message.parts) {
      if (part.type === 'tool_result') part.callId = reader.read(part.callId).id;
      if (part.type === 'tool_call') {
        const { id, carried } = reader.read(part.id);
        part.id = id;
        if (carried?.signature) part.signature = rode(carried.signature);
        appendAll(calls++ === 0 ? lead : parts, (carried?.reasoning ?? []).map(rode));
      }
      parts.push(part);
    }
    if (lead.length + parts.length > message.parts.length) message.parts = [...lead, ...parts];
  }
  return messages;
}
