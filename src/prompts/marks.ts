import { isObject, type JsonObject, type JsonValue } from '../conversation/json.ts';

/*
 * The dotprompt package writes roles, history and media as marks (`<<<dotprompt:…>>>`) into the text that a template gives, and looks for
 * them there: text of a caller that holds such a mark, or the parts of one, would open a role. So whatever comes from outside has no angle
 * bracket while the template is rendered.
 */

/** Of the private use area: a template may not have it, and what comes from outside has it doubled, as it were. */
export const ESCAPE = '\uE0F0';

/** What stands for what; the escape itself is hidden first, and shown last. */
const HIDDEN = [
  [ESCAPE, `${ESCAPE}0`],
  ['<', `${ESCAPE}1`],
  ['>', `${ESCAPE}2`],
] as const;
const SHOWN = HIDDEN.toReversed();

export function hideMarks(text: string): string {
  let hidden = text;
  for (const [character, stand] of HIDDEN) hidden = hidden.replaceAll(character, stand);
  return hidden;
}

export function showMarks(text: string): string {
  if (!text.includes(ESCAPE)) return text;
  let shown = text;
  for (const [character, stand] of SHOWN) shown = shown.replaceAll(stand, character);
  return shown;
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

/** How many characters the texts of a value have, names of fields included. */
export function charactersIn(value: JsonValue): number {
  if (typeof value === 'string') return value.length;
  let characters = 0;
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
