import type { Conversation, DialectName, Extra, Part, Signature } from './conversation.ts';

/**
 * Has the reasoning of a conversation, and what else is signed in it, be another's than the provider's that is spoken to in `dialect`: its
 * encoder then leaves it out, names it as dropped, and has the request stand without it. For where a provider refuses what it has not
 * signed itself: that proofs of one dialect may be of several providers, models or accounts, no proof tells.
 */
export function disownReasoning({ messages }: Conversation, dialect: DialectName): void {
  const other = dialect === 'chat' ? 'converse' : 'chat';
  for (const { role, parts, extra } of messages) {
    if (role !== 'assistant') continue;
    for (const part of parts) disown(part, dialect, other);
    if (extra?.dialect !== dialect) continue;
    // Not written any more, and known to have been said by this name.
    for (const field of REASONING_FIELDS) if (field in extra.fields) extra.fields[field] = undefined;
  }
}

/** Fields of a message that repeat its reasoning, as it came. */
const REASONING_FIELDS = ['reasoning', 'reasoning_details'];

/** Whether a provider that is spoken to in `dialect` takes what another has signed: Claude's signatures are the same at Bedrock. */
function isTaken(signed: DialectName, dialect: DialectName): boolean {
  return signed === dialect || (dialect === 'converse' && signed === 'messages');
}

function disown(part: Part, dialect: DialectName, other: DialectName): void {
  const give = (said: Signature | Extra | undefined) => {
    if (said && isTaken(said.dialect, dialect)) said.dialect = other;
  };
  if ('signature' in part) give(part.signature);
  if (part.type !== 'reasoning') return;
  // Where there are no proofs, what has one is another's.
  if (dialect === 'chat' && !part.encrypted) part.signature ??= { dialect: other, value: '' };
  give(part.encrypted);
  give(part.extra);
}
