import { isObject, type JsonObject, type JsonValue } from '../conversation/json.ts';

/*
 * The dotprompt package writes roles, history and media as marks (`<<<dotprompt:…>>>`) into the text that a template gives, and looks for
 * them there: text of a caller that holds such a mark, or the parts of one, would open a role. So whatever comes from outside has no angle
 * bracket while the template is rendered.
 */

/** Of the private use area: a template may not have it, and what comes from outside has it doubled, as it were. */
export const ESCAPE = '\uE0F0';

const TO_HIDE = /[\uE0F0<>]/g;
const HIDDEN = /\uE0F0([0-2])/g;
const CHARACTERS = [ESCAPE, '<', '>'];

export function hideMarks(text: string): string {
  return text.replace(TO_HIDE, (character) => ESCAPE + CHARACTERS.indexOf(character));
}

export function showMarks(text: string): string {
  return text.includes(ESCAPE)
    ? text.replace(HIDDEN, (_, index: string) => CHARACTERS[Number(index)] ?? '')
    : text;
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
