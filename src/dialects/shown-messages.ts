import type { Conversation, Message } from '../conversation/conversation.ts';
import { placed, placeOf } from './places.ts';

/** For how long a system message of the Messages API is shown to the model. */
const CLEAR_AT = 'clear_at';
const UNTIL_NEXT = 'next_user_message';
const KNOWN: ReadonlySet<unknown> = new Set([UNTIL_NEXT, 'never']);

/**
 * The messages of a caller of the Messages API that its model would be shown. Anthropic leaves the others out itself; for
 * all other providers that is done here. What else such a message says (of tools, of effort) holds on.
 *
 * Source: Messages API reference (`BetaSystemMessageParam.clear_at`).
 */
export function shownMessages({ messages }: Conversation): Message[] {
  if (!messages.some(saysHowLong)) return messages;
  const last = messages.findLastIndex(({ role }) => role === 'user' || role === 'tool');
  return messages.flatMap((message, index) => {
    if (!saysHowLong(message)) return [message];
    const { extra, ...rest } = message;
    const { [CLEAR_AT]: until, ...fields } = extra?.fields ?? {};
    const isOver = until === UNTIL_NEXT && index < last;
    const parts = isOver ? rest.parts.filter(({ type }) => type !== 'text') : rest.parts;
    const isSilent = Object.keys(fields).length === 0;
    if (parts.length === 0 && isSilent) return [];
    const shown: Message = { ...rest, parts };
    if (extra && !isSilent) shown.extra = { ...extra, fields };
    return [placed(shown, placeOf(message))];
  });
}

function saysHowLong({ role, extra }: Message): boolean {
  return role === 'system' && extra?.dialect === 'messages' && KNOWN.has(extra.fields[CLEAR_AT]);
}

/** An instruction without words. What it says beside them is named where it is left out. */
export function isEmptyInstruction({ role, parts }: Message): boolean {
  if (role !== 'system' && role !== 'developer') return false;
  return parts.every((part) => part.type === 'text' && part.text === '');
}
