import {
  CARRIED_MARKER,
  type Carried,
  type CarriedIdReader,
  writeCarriedId,
} from '../../conversation/carried-reasoning.ts';
import type { ReasoningPart, Signature } from '../../conversation/conversation.ts';

/**
 * Clients of this dialect send `encrypted_content` of reasoning items back untouched, whatever it holds. So reasoning
 * that another provider has signed travels in it, in the form of a carried tool-call id without an id. What tool-call
 * ids carry besides is for clients that leave reasoning items out.
 */
export function writeEncryptedContent({ signature, encrypted, ...part }: ReasoningPart): string | undefined {
  if (encrypted?.dialect === 'responses') return encrypted.value;
  const written = writeCarriedId('', {
    reasoning: [{ ...part, ...(signature && { signature }), ...(encrypted && { encrypted }) }],
  });
  return written === '' ? undefined : written;
}

/** A signature of the answer's text (Gemini), as an item of its own behind the text. */
export function writeTextSignature(signature: Signature): string {
  return writeCarriedId('', { reasoning: [], signature });
}

/** What another provider's `encrypted_content` carries; `undefined` where it is OpenAI's own or cannot be read. */
export function readEncryptedContent(value: string, reader: CarriedIdReader): Carried | undefined {
  return reader.read(value).carried;
}

/** Whether a value is of our making, whole or not: no provider can read it. */
export function isCarried(value: string): boolean {
  return value.includes(CARRIED_MARKER);
}

/** What this dialect's own provider demands back needs no carrying: it stands in its items. */
export function isForeign({ signature, encrypted }: ReasoningPart): boolean {
  const proof = signature ?? encrypted;
  return proof !== undefined && proof.dialect !== 'responses';
}
