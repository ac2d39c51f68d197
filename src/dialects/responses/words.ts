import type { Part, RefusalPart, TextPart } from '../../conversation/conversation.ts';
import { isUnknownPart, type UnknownPart } from '../unknown-parts.ts';

/** What stands in the content of the assistant's message item; all else that it says are items of their own. */
export function isWord(part: Part): part is TextPart | RefusalPart | UnknownPart {
  return part.type === 'text' || part.type === 'refusal' || (part.type === 'opaque' && isUnknownPart(part));
}
