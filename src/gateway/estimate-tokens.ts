import { isAscii } from 'node:buffer';
import { skipSpace } from '../dialects/json-bytes.ts';
import { skipString } from '../dialects/request-fields.ts';
import { WordTable } from '../dialects/word-table.ts';

/** Ordinary text in Latin letters has about as many a token; JSON, as many bytes. */
export const CHARACTERS_PER_TOKEN = 4;

const QUOTE = 0x22;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const LETTER_U = 0x75;

/** Where media, signatures and encrypted reasoning stand in the dialects that clients speak. */
const MEDIA_KEYS = new WordTable([
  ...['data', 'file_data', 'b64_json', 'encrypted_content'],
  ...['signature', 'thoughtSignature', 'thought_signature'],
]);
/** Begins the number of a letter, or is a backslash before a `u`. */
const ESCAPED = Buffer.from('\\u');
const DATA_URL = Buffer.from('data:');

/** What is no text has no space within so many bytes. */
const LONGEST_WORD = 500;

/**
 * About how many tokens the input of a request comes to, by the texts and keys of its body, which is valid JSON: for choosing among targets, in
 * no more time than its parsing takes. A token for four letters of ASCII (what looks like base64 has more), for two of other alphabets, for one
 * of Chinese, Japanese or Korean; an emoji is two. Media are not counted.
 */
export function estimateTokens(body: Buffer): number {
  // Nearly all bodies: no letter of theirs need be looked at.
  const isPlain = isAscii(body) && !body.includes(ESCAPED);
  let fourths = 0;
  let isMediaKey = false;
  for (let quote = nextQuote(body, 0); quote < body.length; ) {
    const end = skipString(body, quote);
    const behind = skipSpace(body, end);
    const isKey = body[behind] === COLON;
    if (isKey) isMediaKey = MEDIA_KEYS.find(body, quote + 1, end - 1) !== -1;
    if (isKey || !isMedium(body, quote + 1, end - 1, isMediaKey)) {
      fourths += isPlain ? end - quote - 2 : textFourths(body, quote + 1, end - 1);
    }
    quote = nextQuote(body, behind);
  }
  return Math.ceil(fourths / CHARACTERS_PER_TOKEN);
}

/** Between two texts there is little. */
function nextQuote(body: Buffer, from: number): number {
  let at = from;
  while (at < body.length && body[at] !== QUOTE) at++;
  return at;
}

function isMedium(body: Buffer, start: number, end: number, isMediaKey: boolean): boolean {
  if (end - start <= LONGEST_WORD) return false;
  const isSaid =
    isMediaKey || body.compare(DATA_URL, 0, DATA_URL.length, start, start + DATA_URL.length) === 0;
  return isSaid && !body.subarray(start, start + LONGEST_WORD).includes(0x20);
}

/** In fourths of a token: what a letter comes to by the first of its bytes in UTF-8. */
function textFourths(body: Buffer, start: number, end: number): number {
  let fourths = 0;
  for (let at = start; at < end; at++) {
    const byte = body[at] ?? 0;
    if (byte < 0x80) {
      fourths += 1;
      if (byte !== BACKSLASH) continue;
      at += 1;
      if (body[at] !== LETTER_U) continue;
      // Clients that write ASCII alone say other letters by their numbers.
      const code = Number.parseInt(body.toString('latin1', at + 1, at + 5), 16);
      if (code >= 0x80) fourths += code < 0x800 ? 1 : 3;
      at += 4;
    } else if (byte >= 0xf0) fourths += 8;
    else if (byte >= 0xe0) fourths += 4;
    else if (byte >= 0xc0) fourths += 2;
  }
  return fourths;
}
