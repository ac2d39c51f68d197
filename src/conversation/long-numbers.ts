import { isTold, parseWithSource, rawJson } from './exact-numbers.ts';
import { isObject, type JsonObject, type JsonValue } from './json.ts';

/**
 * Whole numbers with more digits than a number of JavaScript's can tell (ids of 64 bits), as they stood in a request, by
 * what became of them. What is only handed on (unknown fields, the bounds of a schema) is written with its own digits, and
 * only where no doubt is left: every number of the request that became this one stood there as this text.
 */
type LongNumbers = Map<number, string>;

const LONG = /[:,[\s]-?\d{16}|\d[eE]\+?\d{3}/;
const WHOLE = /^-?\d+$/;

const FOUND = new WeakMap<object, LongNumbers>();

/** Notes those of a request; `text`: what it was parsed from. */
export function noteLongNumbers(request: JsonObject, text: string): void {
  if (!LONG.test(text)) return;
  const sources = new Map<number, string>();
  const doubtful = new Set<number>();
  parseWithSource(text, (value, source) => {
    if (isTold(value)) return value;
    if (sources.getOrInsert(value, source) !== source) doubtful.add(value);
    return value;
  });
  for (const [value, source] of sources) {
    if (doubtful.has(value) || !isLost(value, source)) sources.delete(value);
  }
  if (sources.size > 0) FOUND.set(request, sources);
}

function isLost(value: number, source: string): boolean {
  return WHOLE.test(source) ? JSON.stringify(value) !== source : !Number.isFinite(value);
}

/**
 * Says that a body for `request` also has what was not in it: the numbers there are what they are, and those of the
 * request that became the same ones can no longer be told from them.
 */
export function noteOtherNumbers(request: JsonObject, other: JsonValue | undefined): void {
  const found = FOUND.get(request);
  if (found) forgetNumbers(found, other);
}

function forgetNumbers(found: LongNumbers, value: JsonValue | undefined): void {
  if (typeof value === 'number') found.delete(value);
  else if (Array.isArray(value)) for (const item of value) forgetNumbers(found, item);
  else if (isObject(value)) for (const item of Object.values(value)) forgetNumbers(found, item);
}

/** The JSON text of a body that says what `request` said, with the digits that its long numbers had there. */
export function writeWithLongNumbers(body: JsonObject, request: JsonObject | undefined): string {
  const found = request && FOUND.get(request);
  if (!found || found.size === 0) return JSON.stringify(body);
  return JSON.stringify(body, (_key, value: JsonValue | undefined) => {
    const source = typeof value === 'number' ? found.get(value) : undefined;
    return source === undefined ? value : rawJson(source);
  });
}
