import { isRawJson, parseWithSource, rawJson } from './exact-numbers.ts';
import type { JsonObject, JsonValue } from './json.ts';

/**
 * Whole numbers with more digits than a number of JavaScript's can tell (ids of 64 bits), as they stood in a request, by
 * what became of them. What is only handed on (unknown fields, the bounds of a schema) is written with its own digits: such a
 * number in the body for the provider can only be one of the caller's.
 */
type LongNumbers = ReadonlyMap<number, readonly string[]>;

const LONG = /[:,[\s]-?\d{16}|\d[eE]\+?\d{3}/;
const WHOLE = /^-?\d+$/;

const FOUND = new WeakMap<object, LongNumbers>();

/** Notes those of a request; `text`: what it was parsed from. */
export function noteLongNumbers(request: JsonObject, text: string): void {
  if (!LONG.test(text)) return;
  const found = new Map<number, string[]>();
  parseWithSource(text, (value, source) => {
    const isLost = WHOLE.test(source) ? JSON.stringify(value) !== source : !Number.isFinite(value);
    if (isLost) found.getOrInsert(value, []).push(source);
    return value;
  });
  if (found.size > 0) FOUND.set(request, found);
}

/** The JSON text of a body that says what `request` said, with the digits that its long numbers had there. */
export function writeWithLongNumbers(body: JsonObject, request: JsonObject | undefined): string {
  const found = request && FOUND.get(request);
  if (!found) return JSON.stringify(body);
  const places = new Map<number, number>();
  eachNumber(body, (value) => {
    places.set(value, (places.get(value) ?? 0) + 1);
  });
  const written = new Map<number, number>();
  return JSON.stringify(body, (_key, value: JsonValue | undefined) => {
    const texts = typeof value === 'number' ? found.get(value) : undefined;
    if (typeof value !== 'number' || !texts) return value;
    const at = written.get(value) ?? 0;
    written.set(value, at + 1);
    const [only = ''] = texts;
    if (texts.every((text) => text === only)) return rawJson(only);
    // Several became one: in their order, where all are there.
    const text = texts.length === places.get(value) ? texts[at] : undefined;
    return text === undefined ? value : rawJson(text);
  });
}

function eachNumber(body: JsonObject, see: (value: number) => void): void {
  JSON.stringify(body, (_key, value: JsonValue | undefined) => {
    if (typeof value === 'number') see(value);
    return isRawJson(value) ? undefined : value;
  });
}
