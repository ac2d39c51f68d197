import type { Message, Part } from '../../conversation/conversation.ts';
import { placed, placeOf } from '../places.ts';

/**
 * Makes one message of the model's contents that follow one another: Google's clients keep each chunk of a stream as a
 * content of its own, and other dialects want the results of a turn's calls right behind it.
 */
export function joinModelTurns(messages: readonly Message[]): Message[] {
  const joined: Message[] = [];
  for (const message of messages) {
    const last = joined.at(-1);
    if (last?.role !== 'assistant' || message.role !== 'assistant') joined.push(message);
    else joined[joined.length - 1] = joinMessages(last, message);
  }
  return joined;
}

function joinMessages(first: Message, second: Message): Message {
  const parts = [...first.parts];
  for (const part of second.parts) {
    const before = parts.at(-1);
    if (before && isPlain(before) && isPlain(part) && before.type === part.type) {
      parts[parts.length - 1] = placed({ ...before, text: before.text + part.text }, placeOf(before));
    } else if (!isPlain(part) || part.text !== '') {
      parts.push(part);
    }
  }
  const extra = first.extra ?? second.extra;
  const fields = { ...first.extra?.fields, ...second.extra?.fields };
  return placed({ ...first, parts, ...(extra ? { extra: { ...extra, fields } } : {}) }, placeOf(first));
}

/** Text that says nothing but its words runs on; where a signature stands, a part ends. */
function isPlain(part: Part): part is Extract<Part, { type: 'text' | 'reasoning' }> {
  return (part.type === 'text' || part.type === 'reasoning') && !part.signature && !part.extra;
}
