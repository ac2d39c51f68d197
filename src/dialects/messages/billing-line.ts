import type { Conversation, Message } from '../../conversation/conversation.ts';
import { isObject, type JsonValue } from '../../conversation/json.ts';
import { placed, placeOf } from '../places.ts';

/**
 * The line that Claude Code puts before all of its instructions, for Anthropic's billing: version, entry point and, in some versions, a
 * checksum of the request. Anthropic's own API reads it. Bedrock refuses it ("x-anthropic-billing-header is a reserved keyword and may not be used
 * in the system prompt"), models of others are told it, and as it changes from request to request nothing behind it is ever found in a cache.
 *
 * Sources: anthropics/claude-code#24168 (a text block of its own, or the first line of one), #68900 (caches).
 */
const LINE = /^x-anthropic-billing-header:[^\n]*\n*/;

export const BILLING_WORD = Buffer.from('x-anthropic-billing-header:');

/** Takes the line out of a conversation's instructions, and gives its place in the caller's request; `undefined` where there is none. */
export function dropBillingLine(conversation: Conversation): string | undefined {
  const [first, ...others] = conversation.messages;
  const [part, ...parts] = first?.parts ?? [];
  if (first?.role !== 'system' || part?.type !== 'text' || !LINE.test(part.text)) return undefined;
  const text = part.text.replace(LINE, '');
  const place = placeOf(part) ?? 'system';
  const left = text === '' ? parts : [placed({ ...part, text }, place), ...parts];
  const kept: Message[] = left.length > 0 ? [placed({ ...first, parts: left }, placeOf(first))] : [];
  conversation.messages = [...kept, ...others];
  return place;
}

/** `system` of a request without the line, to be written in its place (`undefined`: nothing is left), and where the line stood. */
export interface CutInstructions {
  system: JsonValue | undefined;
  place: string;
}

/** The same of the field as it came; `undefined` where there is no such line. */
export function cutBillingLine(system: JsonValue | undefined): CutInstructions | undefined {
  if (typeof system === 'string') {
    const text = system.replace(LINE, '');
    return text === system ? undefined : { system: text === '' ? undefined : text, place: 'system' };
  }
  const [first, ...others] = Array.isArray(system) ? system : [];
  if (!isObject(first) || typeof first['text'] !== 'string') return undefined;
  const text = first['text'].replace(LINE, '');
  if (text === first['text']) return undefined;
  const left = text === '' ? others : [{ ...first, text }, ...others];
  return { system: left.length > 0 ? left : undefined, place: 'system[0]' };
}
