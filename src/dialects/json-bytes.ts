import { isObject, type JsonObject, tryParseJson } from '../conversation/json.ts';

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
export const isNotNull: ValueTest = (body, at) => body[at] !== 0x6e;

/** Whether the key stands anywhere with such a value. */
export function hasValue(body: Buffer, key: Buffer, test: ValueTest): boolean {
  for (let at = body.indexOf(key); at !== -1; at = body.indexOf(key, at + key.length)) {
    const start = valueStart(body, at + key.length);
    if (start !== -1 && test(body, start)) return true;
  }
  return false;
}

/** The last object behind this key that is one of those meant; an answer says what is its own after its content. */
export function findLastObject(
  body: Buffer,
  key: Buffer,
  isMeant: (value: JsonObject) => boolean,
): JsonObject | undefined {
  for (let at = body.lastIndexOf(key); at !== -1; at = at > 0 ? body.lastIndexOf(key, at - 1) : -1) {
    const value = readObject(body, at + key.length);
    if (value && isMeant(value)) return value;
  }
  return undefined;
}

/** The object behind a key, parsed; `undefined` where something else (null) stands there. */
function readObject(body: Buffer, keyEnd: number): JsonObject | undefined {
  const start = valueStart(body, keyEnd);
  if (body[start] !== 0x7b) return undefined;
  let depth = 0;
  let inString = false;
  for (let at = start; at < body.length; at++) {
    const byte = body[at];
    if (inString) {
      if (byte === 0x5c) at++;
      else if (byte === 0x22) inString = false;
    } else if (byte === 0x22) inString = true;
    else if (byte === 0x7b) depth++;
    else if (byte === 0x7d && --depth === 0) {
      const value = tryParseJson(body.toString('utf8', start, at + 1));
      return isObject(value) ? value : undefined;
    }
  }
  return undefined;
}

/** Behind a key: the place of its value, -1 where no colon follows (the word is a value itself, then). */
export function valueStart(body: Buffer, keyEnd: number): number {
  const colon = skipSpace(body, keyEnd);
  return body[colon] === 0x3a ? skipSpace(body, colon + 1) : -1;
}

/** How often the key stands there with a value. */
export function countValues(body: Buffer, key: Buffer): number {
  let count = 0;
  for (let at = body.indexOf(key); at !== -1; at = body.indexOf(key, at + key.length)) {
    if (valueStart(body, at + key.length) !== -1) count++;
  }
  return count;
}

export function countOccurrences(body: Buffer, word: Buffer): number {
  let count = 0;
  for (let at = body.indexOf(word); at !== -1; at = body.indexOf(word, at + word.length)) count++;
  return count;
}

/** The next place from there on that holds no white space. */
export function skipSpace(body: Buffer, from: number): number {
  let at = from;
  while (isSpace(body[at])) at++;
  return at;
}

export function skipSpaceBack(body: Buffer, from: number): number {
  let at = from;
  while (isSpace(body[at])) at--;
  return at;
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}
