import { isObject, type JsonValue } from '../conversation/json.ts';
import { isWritten } from './written-number.ts';

/*
 * The dotprompt package writes roles, history and media as marks (`<<<dotprompt:…>>>`) into the text that a template gives, and looks for
 * them there: text of a caller that holds such a mark, or the parts of one, would open a role. So whatever comes from outside has no angle
 * bracket while the template is rendered.
 */

/** Of the private use area: a template may not have it, and what comes from outside has it doubled, as it were. */
export const ESCAPE = '\uE0F0';

const ESCAPE_CODE = ESCAPE.charCodeAt(0);
const LEFT = '<'.charCodeAt(0);
const RIGHT = '>'.charCodeAt(0);
/** What stands for each: the escape, and its place here. */
const CHARACTERS = [ESCAPE_CODE, LEFT, RIGHT];
const FIRST_DIGIT = '0'.charCodeAt(0);

/** Stands behind a value that is blank, and shows as nothing: dotprompt leaves a message out that has only white space. */
export const BLANK = `${ESCAPE}3`;
const BLANK_DIGIT = FIRST_DIGIT + 3;

/*
 * Both go through a text by its codes, where it has any of them: millions of angle brackets would take `replace` seconds.
 */

export function hideMarks(text: string): string {
  if (!text.includes('<') && !text.includes('>') && !text.includes(ESCAPE)) return text;
  const codes = room(text.length * 2);
  let length = 0;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    // All others are many more.
    if (code !== LEFT && code !== RIGHT && code !== ESCAPE_CODE) {
      codes[length++] = code;
      continue;
    }
    codes[length++] = ESCAPE_CODE;
    codes[length++] = FIRST_DIGIT + CHARACTERS.indexOf(code);
  }
  return textOf(codes, length);
}

export function showMarks(text: string): string {
  if (!text.includes(ESCAPE)) return text;
  const codes = room(text.length);
  let length = 0;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code !== ESCAPE_CODE) {
      codes[length++] = code;
      continue;
    }
    at += 1;
    const digit = text.charCodeAt(at);
    if (digit !== BLANK_DIGIT) codes[length++] = CHARACTERS[digit - FIRST_DIGIT] ?? code;
  }
  return textOf(codes, length);
}

/** Most texts are small, and each is done with when the next one comes. */
const SHARED = new Uint16Array(32 * 1024);

function room(length: number): Uint16Array {
  return length <= SHARED.length ? SHARED : new Uint16Array(length);
}

function textOf(codes: Uint16Array, length: number): string {
  return Buffer.from(codes.buffer, 0, length * codes.BYTES_PER_ELEMENT).toString('utf16le');
}

/** The same of every text in a value, names of fields included. */
export function hideMarksIn(value: JsonValue): JsonValue {
  return mapTexts(value, hideMarks);
}

export function showMarksIn(value: JsonValue): JsonValue {
  return mapTexts(value, showMarks);
}

/** How many characters a value has, names of fields included, with two for what stands around each. */
export function charactersIn(value: JsonValue): number {
  if (typeof value !== 'object' || value === null || isWritten(value)) return 2 + String(value).length;
  let characters = 2;
  if (Array.isArray(value)) for (const item of value) characters += charactersIn(item);
  else if (isObject(value))
    for (const [name, field] of Object.entries(value))
      characters += name.length + charactersIn(field ?? null);
  return characters;
}

function mapTexts(value: JsonValue, map: (text: string) => string): JsonValue {
  if (typeof value === 'string') return map(value);
  if (Array.isArray(value)) return value.map((item) => mapTexts(item, map));
  if (!isObject(value) || isWritten(value)) return value;
  const mapped: [string, JsonValue][] = [];
  for (const [name, field] of Object.entries(value)) {
    if (field !== undefined) mapped.push([map(name), mapTexts(field, map)]);
  }
  return Object.fromEntries(mapped);
}
