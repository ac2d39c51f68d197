/**
 * Looks into a JSON text without parsing it, as `json-bytes.ts` does into bytes: of the small pieces of a stream, of
 * which many questions are asked, text (as latin1, where every byte is a character) is searched in half the time.
 * Keys are looked for with their quotes, so that they are found in no text but one that is a whole value.
 */
export type TextTest = (text: string, at: number) => boolean;

/** Whether the key stands anywhere with such a value. */
export function hasTextValue(text: string, key: string, test: TextTest): boolean {
  for (let at = text.indexOf(key); at !== -1; at = text.indexOf(key, at + key.length)) {
    const start = valueStart(text, at + key.length);
    if (start !== -1 && test(text, start)) return true;
  }
  return false;
}

/** How often the key stands there with such a value; a burst brings several events at once. */
export function countTextValues(text: string, key: string, test: TextTest): number {
  let count = 0;
  for (let at = text.indexOf(key); at !== -1; at = text.indexOf(key, at + key.length)) {
    const start = valueStart(text, at + key.length);
    if (start !== -1 && test(text, start)) count++;
  }
  return count;
}

export function countOccurrences(text: string, word: string): number {
  let count = 0;
  for (let at = text.indexOf(word); at !== -1; at = text.indexOf(word, at + word.length)) count++;
  return count;
}

/** Whether an object begins here, or a list whose first item is one. */
export const beginsFilledList: TextTest = (text, at) =>
  text.charCodeAt(at) === OPEN_BRACKET && text.charCodeAt(skipSpace(text, at + 1)) === OPEN_BRACE;
export const beginsList: TextTest = (text, at) => text.charCodeAt(at) === OPEN_BRACKET;
export const beginsObject: TextTest = (text, at) => text.charCodeAt(at) === OPEN_BRACE;
export const isNotNull: TextTest = (text, at) => text.charCodeAt(at) !== 0x6e;
export const isOtherThanZero: TextTest = (text, at) => text.charCodeAt(at) !== 0x30;
/** Some servers say an empty text where others say null. */
export const beginsFilledText: TextTest = (text, at) =>
  text.charCodeAt(at) === QUOTE && text.charCodeAt(at + 1) !== QUOTE;

const QUOTE = 0x22;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const OPEN_BRACE = 0x7b;

/** Behind a key: the place of its value, -1 where no colon follows (the word is a value itself, then). */
function valueStart(text: string, keyEnd: number): number {
  const colon = skipSpace(text, keyEnd);
  return text.charCodeAt(colon) === COLON ? skipSpace(text, colon + 1) : -1;
}

function skipSpace(text: string, from: number): number {
  for (let at = from; ; at++) {
    const code = text.charCodeAt(at);
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return at;
  }
}
