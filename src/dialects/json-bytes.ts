/**
 * Looks into JSON without parsing it. A key is looked for with its quotes: inside a text they would be escaped, so
 * only keys (and texts that are a whole value) are found.
 */
export type ValueTest = (body: Buffer, at: number) => boolean;

export const beginsObject: ValueTest = (body, at) => body[at] === 0x7b;
export const beginsList: ValueTest = (body, at) => body[at] === 0x5b;
/** A list whose first item is an object. */
export const beginsFilledList: ValueTest = (body, at) =>
  body[at] === 0x5b && body[skipSpace(body, at + 1)] === 0x7b;
export const beginsText: ValueTest = (body, at) => body[at] === 0x22;
/** As counts do; negative numbers do not. */
export const beginsDigit: ValueTest = (body, at) => (body[at] ?? 0) >= 0x30 && (body[at] ?? 0) <= 0x39;
export const isNotNull: ValueTest = (body, at) => body[at] !== 0x6e;

/** Whether the key stands anywhere with such a value. */
export function hasValue(body: Buffer, key: Buffer, test: ValueTest): boolean {
  for (let at = body.indexOf(key); at !== -1; at = body.indexOf(key, at + key.length)) {
    const start = valueStart(body, at + key.length);
    if (start !== -1 && test(body, start)) return true;
  }
  return false;
}

/** Behind a key: the place of its value, -1 where no colon follows (the word is a value itself, then). */
export function valueStart(body: Buffer, keyEnd: number): number {
  const colon = skipSpace(body, keyEnd);
  return body[colon] === 0x3a ? skipSpace(body, colon + 1) : -1;
}

export function beginsWith(bytes: Buffer, start: Buffer): boolean {
  return bytes.length >= start.length && bytes.compare(start, 0, start.length, 0, start.length) === 0;
}

export function countOccurrences(body: Buffer, word: Buffer): number {
  let count = 0;
  for (let at = body.indexOf(word); at !== -1; at = body.indexOf(word, at + word.length)) count++;
  return count;
}

/** The next place from there on that holds no white space. */
export function skipSpace(body: Buffer, from: number): number {
  let at = from;
  while (at < body.length && isSpace(body[at] ?? 0)) at++;
  return at;
}

export function skipSpaceBack(body: Buffer, from: number): number {
  let at = from;
  while (at >= 0 && isSpace(body[at] ?? 0)) at--;
  return at;
}

function isSpace(byte: number): boolean {
  return byte <= 0x20 && (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09);
}
