import { isObject, type JsonValue } from '../conversation/json.ts';
import { skipSpace } from './json-bytes.ts';
import { skipString } from './request-fields.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;

/**
 * A key that stands twice in one object of a JSON document, whatever it is for: of such an object no reader knows what another reads in
 * it, neither what it names nor what it is.
 *
 * @param json the document, which is known to be valid
 * @param counts how often the parsed document has each key
 */
export function findDoubledKey(json: Buffer, counts: ReadonlyMap<string, number>): string | undefined {
  const seen = countKeys(json);
  for (const [key, count] of seen) if (count > (counts.get(key) ?? 0)) return key;
  return undefined;
}

/** How often each key stands there, however it is spelled. */
function countKeys(json: Buffer): Map<string, number> {
  const counts = new Map<string, number>();
  for (let quote = json.indexOf(QUOTE); quote !== -1; ) {
    const end = textEnd(json, quote);
    if (end === -1) break;
    if (json[skipSpace(json, end + 1)] === COLON) {
      const text = json.toString('utf8', quote + 1, end);
      const key = text.includes('\\') ? String(JSON.parse(`"${text}"`)) : text;
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    quote = json.indexOf(QUOTE, end + 1);
  }
  return counts;
}

/** The quote that ends a text: the next before which no odd number of backslashes stands. */
function textEnd(json: Buffer, quote: number): number {
  let end = json.indexOf(QUOTE, quote + 1);
  while (end !== -1 && isEscaped(json, end)) end = json.indexOf(QUOTE, end + 1);
  return end;
}

function isEscaped(json: Buffer, at: number): boolean {
  let from = at;
  while (json[from - 1] === BACKSLASH) from--;
  return (at - from) % 2 === 1;
}

/** Whether each key of the body is in what was parsed of it: of one that stands twice a parser takes one, and a provider may take the other. */
export function holdsAllKeys(body: Buffer, parsed: JsonValue): boolean {
  let colons = 0;
  for (let at = 0; at < body.length; ) {
    const byte = body[at];
    if (byte === QUOTE) at = skipString(body, at);
    else {
      if (byte === COLON) colons++;
      at++;
    }
  }
  return colons === countParsedKeys(parsed);
}

function countParsedKeys(value: JsonValue): number {
  let keys = 0;
  if (Array.isArray(value)) for (const item of value) keys += countParsedKeys(item);
  else if (isObject(value))
    for (const item of Object.values(value)) keys += 1 + countParsedKeys(item ?? null);
  return keys;
}
