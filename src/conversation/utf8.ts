import { isUtf8 } from 'node:buffer';

const REPLACEMENT = '\ufffd';
const REPLACEMENT_BYTES = Buffer.from(REPLACEMENT);

/**
 * The text of bytes that somebody else wrote; `undefined` where they are no UTF-8: what decodes them puts U+FFFD in the
 * place of what it cannot read, and that is another text. Looked into only where there is one, which costs next to nothing.
 */
export function decodeUtf8(bytes: Buffer, start = 0, end = bytes.length): string | undefined {
  const text = bytes.toString('utf8', start, end);
  return text.includes(REPLACEMENT) && !isUtf8(bytes.subarray(start, end)) ? undefined : text;
}

/** Where bytes stop being UTF-8: how many go before, and the text that they are. */
export function findBadUtf8(bytes: Buffer): { offset: number; before: string } {
  const text = bytes.toString('utf8');
  let offset = 0;
  let from = 0;
  for (let at = text.indexOf(REPLACEMENT); at !== -1; at = text.indexOf(REPLACEMENT, from)) {
    offset += Buffer.byteLength(text.slice(from, at));
    // The character itself may have been sent.
    if (!bytes.subarray(offset, offset + REPLACEMENT_BYTES.length).equals(REPLACEMENT_BYTES))
      return { offset, before: text.slice(0, at) };
    offset += REPLACEMENT_BYTES.length;
    from = at + 1;
  }
  return { offset: bytes.length, before: text };
}
