import { CARRIED_MARKER } from '../../conversation/carried-reasoning.ts';
import type { DialectName, ReasoningPart, Signature } from '../../conversation/conversation.ts';

/**
 * A client of this dialect sends `signature` and `data` back untouched, whatever they hold. So the signatures of
 * other providers travel in them, marked, and are told apart from Anthropic's own when they come back. So is thinking
 * for which there was no signature at all: Anthropic would refuse it.
 */
const CARRIED = new RegExp(`^${CARRIED_MARKER}(chat|responses|gemini|converse):(signature|encrypted):`);

/** Stands where a provider gave no signature. */
export const NO_SIGNATURE = `${CARRIED_MARKER}none`;

type Field = 'signature' | 'encrypted';

/** The wire value of a signature that stands in `field` of a reasoning part. */
export function writeSignature(signature: Signature, field: Field): string {
  return signature.dialect === 'messages'
    ? signature.value
    : `${CARRIED_MARKER}${signature.dialect}:${field}:${signature.value}`;
}

/** The fields of a reasoning part that a wire value means; `field` is where Anthropic's own value belongs. */
export function readSignature(value: string, field: Field): Pick<ReasoningPart, Field> {
  if (value === '' || value === NO_SIGNATURE) return {};
  const carried = CARRIED.exec(value);
  if (!carried) return { [field]: { dialect: 'messages', value } };
  const signature: Signature = {
    dialect: carried[1] as DialectName,
    value: value.slice(carried[0].length),
  };
  return { [carried[2] as Field]: signature };
}
