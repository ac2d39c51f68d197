import type { JsonObject } from '../conversation/json.ts';
import { skipSpace } from './json-bytes.ts';
import { type FieldSpan, readKey, skipString, skipValue } from './request-fields.ts';

/** A new text for a place in a JSON text; an empty place is filled. */
export interface Edit {
  span: FieldSpan;
  text: string;
}

/**
 * The edit that gives a field of an object, which stands at `path` of a JSON text, another value: the value that is
 * there is replaced, or the field becomes the first. All other bytes stay as they are.
 *
 * `json`: whole and valid, `object`: what it holds at `path`, parsed.
 */
export function setField(
  json: Buffer,
  path: readonly (string | number)[],
  object: JsonObject,
  key: string,
  text: string,
): Edit {
  const start = path.reduce<number>((at, step) => findInside(json, at, step).start, skipSpace(json, 0));
  if (Object.hasOwn(object, key)) return { span: findInside(json, start, key), text };
  const inside = start + 1;
  const comma = Object.keys(object).length === 0 ? '' : ',';
  return { span: { start: inside, end: inside }, text: `${JSON.stringify(key)}:${text}${comma}` };
}

/** The places of a list's items. `json`: whole and valid; `list`: where the list stands in it. */
export function itemPlaces(json: Buffer, list: FieldSpan): FieldSpan[] {
  const places: FieldSpan[] = [];
  let at = skipSpace(json, list.start + 1);
  while (at < json.length && json[at] !== CLOSE_BRACKET) {
    const end = skipValue(json, at);
    places.push({ start: at, end });
    at = skipSpace(json, end);
    if (json[at] === COMMA) at = skipSpace(json, at + 1);
  }
  return places;
}

/** The value of a field or a list's item. Of a field that stands twice it is the last, which parsers take, too. */
function findInside(json: Buffer, container: number, step: string | number): FieldSpan {
  let found: FieldSpan | undefined;
  let at = skipSpace(json, container + 1);
  for (let index = 0; at < json.length && json[at] !== CLOSE_BRACE && json[at] !== CLOSE_BRACKET; index++) {
    let name: string | number = index;
    if (typeof step === 'string') {
      const keyEnd = skipString(json, at);
      name = readKey(json, at, keyEnd);
      at = skipSpace(json, skipSpace(json, keyEnd) + 1);
    }
    const end = skipValue(json, at);
    if (name === step) found = { start: at, end };
    at = skipSpace(json, end);
    if (json[at] === COMMA) at = skipSpace(json, at + 1);
  }
  if (!found) throw new Error(`there is no ${JSON.stringify(step)} where it was parsed`);
  return found;
}

const COMMA = 0x2c;
const CLOSE_BRACE = 0x7d;
const CLOSE_BRACKET = 0x5d;
