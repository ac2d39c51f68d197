import { isObject, type JsonObject, type JsonValue } from '../conversation/json.ts';

/*
 * The dotprompt package writes roles, history and media as marks (`<<<dotprompt:…>>>`) into the text that a template gives, and looks for
 * them there: text of a caller that holds such a mark, or the parts of one, would open a role. So whatever comes from outside has no angle
 * bracket while the template is rendered.
 */

/** Of the private use area: a template may not have it, and what comes from outside has it doubled, as it were. */
export const ESCAPE = '\uE0F0';

const TO_HIDE = /[\uE0F0<>]/;
/** What stands for each: the escape, and one of these. */
const CHARACTERS = [ESCAPE, '<', '>'].map((character) => character.charCodeAt(0));
const [ESCAPE_CODE = 0] = CHARACTERS;
const FIRST_DIGIT = '0'.charCodeAt(0);

/** Stands behind a value that is blank, and shows as nothing: dotprompt leaves a message out that has only white space. */
export const BLANK = `${ESCAPE}3`;
const BLANK_DIGIT = FIRST_DIGIT + 3;

/*
 * Both go through a text by its codes: millions of angle brackets would take `replace` seconds.
 */

export function hideMarks(text: string): string {
  if (!TO_HIDE.test(text)) return text;
  const codes = new Uint16Array(text.length * 2);
  let length = 0;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    const index = CHARACTERS.indexOf(code);
    if (index >= 0) codes[length++] = ESCAPE_CODE;
    codes[length++] = index >= 0 ? FIRST_DIGIT + index : code;
  }
  return textOf(codes, length);
}

export function showMarks(text: string): string {
  if (!text.includes(ESCAPE)) return text;
  const codes = new Uint16Array(text.length);
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

function textOf(codes: Uint16Array, length: number): string {
  return Buffer.from(codes.buffer, 0, length * codes.BYTES_PER_ELEMENT).toString('utf16le');
}

/** The same of every text in a value, names of fields included. An object where a text is wanted is one, whatever its fields are called. */
export function hideMarksIn(value: JsonValue): JsonValue {
  return mapTexts(value, hideMarks, (mapped) =>
    Object.defineProperty(mapped, Symbol.toPrimitive, { value: () => '[object Object]' }),
  );
}

export function showMarksIn(value: JsonValue): JsonValue {
  return mapTexts(value, showMarks, (mapped) => mapped);
}

/** How many characters a value has, names of fields included, with two for what stands around each. */
export function charactersIn(value: JsonValue): number {
  if (typeof value !== 'object' || value === null) return 2 + String(value).length;
  let characters = 2;
  if (Array.isArray(value)) for (const item of value) characters += charactersIn(item);
  else if (isObject(value))
    for (const [name, field] of Object.entries(value))
      characters += name.length + charactersIn(field ?? null);
  return characters;
}

function mapTexts(
  value: JsonValue,
  map: (text: string) => string,
  finish: (mapped: JsonObject) => JsonObject,
): JsonValue {
  if (typeof value === 'string') return map(value);
  if (Array.isArray(value)) return value.map((item) => mapTexts(item, map, finish));
  if (!isObject(value)) return value;
  const mapped: [string, JsonValue][] = [];
  for (const [name, field] of Object.entries(value)) {
    if (field !== undefined) mapped.push([map(name), mapTexts(field, map, finish)]);
  }
  return finish(Object.fromEntries(mapped));
}
