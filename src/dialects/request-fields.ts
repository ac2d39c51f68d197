import { invalidRequest } from '../conversation/gateway-error.ts';
import { skipSpace, skipSpaceBack } from './json-bytes.ts';
import type { SeenWords } from './seen-words.ts';

/** Where the value of a top-level field stands in a JSON body: `body.subarray(start, end)` is its text. */
export interface FieldSpan {
  start: number;
  end: number;
}

/** The same, and where the field's key begins. */
export interface FieldPlace extends FieldSpan {
  key: number;
}

export type FieldSpans = Partial<Record<string, FieldPlace>>;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;

/** RFC 8259: what is neither text nor nested. */
const SCALAR = /^(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)$/;
const MAX_SCALAR = 1024;

/** What a byte outside of texts is; 0 for what is none of JSON's. Of numbers only the bytes are looked at. */
const PASSED_OVER = 1;
const BEGINS_TEXT = 2;
const OPENS = 3;
const CLOSES = 4;
const BEGINS_WORD = 5;
const OUTSIDE_TEXT = new Uint8Array(256);
for (const [characters, kind] of [
  [':, \t\n\r0123456789+-.eE', PASSED_OVER],
  ['"', BEGINS_TEXT],
  ['{[', OPENS],
  ['}]', CLOSES],
  ['tfn', BEGINS_WORD],
] as const) {
  for (const byte of Buffer.from(characters)) OUTSIDE_TEXT[byte] = kind;
}

/** What may follow a backslash. */
const ESCAPES = new Uint8Array(256);
for (const byte of Buffer.from('"\\/bfnrtu')) ESCAPES[byte] = 1;

/** How far a string is walked byte by byte before `indexOf` is worth its call. */
const SHORT_STRING = 48;

/** JSON nested deeper than this is refused: nothing real needs it, and decoders may recurse. */
export const MAX_JSON_DEPTH = 128;

/**
 * Finds wanted top-level fields of a JSON object without parsing it, so that a pass-through body can be read
 * and rewritten for about a microsecond a kilobyte. Structure is checked (brackets, strings, the top-level
 * keys), nested values are only skipped. But no key hides in them from who looks for `"key"`, whatever else than JSON
 * the provider's parser may take (Google's: keys in single quotes or none, needless escapes): that is refused.
 *
 * A wanted field that stands twice is refused, and one in another case (Go's parser takes "MODEL" for it): two readers would
 * disagree about which of them counts.
 *
 * @param words is shown each text below the top
 * @throws GatewayError `invalid_request` where the body is not a JSON object, or nested too deeply.
 */
export function findTopLevelFields(body: Buffer, wanted: ReadonlySet<string>, words?: SeenWords): FieldSpans {
  const spans: FieldSpans = {};
  let at = skipSpace(body, 0);
  if (body[at] !== OPEN_BRACE) throw notJson(body);
  at = skipSpace(body, at + 1);
  if (body[at] === CLOSE_BRACE) return endOfBody(body, at + 1, spans);
  for (;;) {
    if (body[at] !== QUOTE) throw notJson(body);
    const keyStart = at;
    const keyEnd = skipString(body, at);
    const key = readKey(body, at, keyEnd);
    at = skipSpace(body, keyEnd);
    if (body[at] !== COLON) throw notJson(body);
    const start = skipSpace(body, at + 1);
    const end = skipValue(body, start, words);
    if (wanted.has(key)) {
      if (spans[key]) throw invalidRequest(`'${key}' stands twice in the request body.`, key);
      spans[key] = { start, end, key: keyStart };
    } else if (hasOtherCase(body, keyStart + 1, keyEnd - 1))
      refuseOtherCase(body.toString('utf8', keyStart, keyEnd), wanted);
    at = skipSpace(body, end);
    if (body[at] === CLOSE_BRACE) return endOfBody(body, at + 1, spans);
    if (body[at] !== COMMA) throw notJson(body);
    at = skipSpace(body, at + 1);
  }
}

/** Replaces the spans by new texts, copying the bytes between them untouched. Edits must be in body order. */
export function spliceBody(body: Buffer, edits: readonly { span: FieldSpan; text: string }[]): Buffer {
  let length = body.length;
  for (const { span, text } of edits) length += Buffer.byteLength(text) - (span.end - span.start);
  const spliced = Buffer.allocUnsafe(length);
  let from = 0;
  let to = 0;
  for (const { span, text } of edits) {
    to += body.copy(spliced, to, from, span.start);
    to += spliced.write(text, to);
    from = span.end;
  }
  body.copy(spliced, to, from);
  return spliced;
}

/**
 * Replaces whole entries (`"key":value`) of a JSON object by new texts, in body order; an empty text takes the entry
 * out, with the one comma that is then too many.
 */
export function spliceEntries(body: Buffer, edits: readonly { place: FieldPlace; text: string }[]): Buffer {
  const pieces: Buffer[] = [];
  let from = 0;
  for (const { place, text } of edits) {
    const before = skipSpaceBack(body, place.key - 1);
    const behind = skipSpace(body, place.end);
    let start = place.key;
    let end = place.end;
    // The comma before it, unless it went with an entry before it; then it is as the first, and the one behind goes.
    if (text === '' && body[before] === COMMA && before >= from) start = before;
    else if (text === '' && body[behind] === COMMA) end = behind + 1;
    pieces.push(body.subarray(from, start), Buffer.from(text));
    from = end;
  }
  pieces.push(body.subarray(from));
  return Buffer.concat(pieces);
}

/** The value in a span, parsed; `invalid_request` where it is no JSON. */
export function parseField(body: Buffer, span: FieldSpan, name: string): unknown {
  try {
    return JSON.parse(body.toString('utf8', span.start, span.end));
  } catch {
    throw invalidRequest(`'${name}' is not valid JSON.`, name);
  }
}

function endOfBody(body: Buffer, at: number, spans: FieldSpans): FieldSpans {
  if (skipSpace(body, at) !== body.length) throw notJson(body);
  return spans;
}

export function readKey(body: Buffer, quote: number, end: number): string {
  const raw = body.toString('latin1', quote + 1, end - 1);
  // An escaped key is the same key (`"mod\u0065l"`): whoever checks permissions must see it as the provider will.
  if (!raw.includes('\\')) return raw;
  try {
    return String(JSON.parse(body.toString('utf8', quote, end)));
  } catch {
    throw notJson(body);
  }
}

/** Whether a key has other bytes than those of a plain name in lower case. */
function hasOtherCase(body: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const byte = body[at] ?? 0;
    if (byte < 0x5f || byte > 0x7a) return true;
  }
  return false;
}

function refuseOtherCase(quoted: string, wanted: ReadonlySet<string>): void {
  const key = quoted.includes('\\') ? String(JSON.parse(quoted)) : quoted.slice(1, -1);
  for (const name of wanted) {
    if (name.length === key.length && foldCase(name) === foldCase(key))
      throw invalidRequest(`'${key}' must be written as '${name}'.`, key);
  }
}

/** Some letters have several forms in one of the cases: s and U+017F, k and U+212A. */
function foldCase(name: string): string {
  return name.toLowerCase().toUpperCase();
}

/** From a string's opening quote to just behind its closing one. */
export function skipString(body: Buffer, quote: number): number {
  let at = quote + 1;
  const near = Math.min(at + SHORT_STRING, body.length);
  while (at < near) {
    const byte = body[at];
    if (byte === QUOTE) return at + 1;
    if (byte !== BACKSLASH) at++;
    else if (ESCAPES[body[at + 1] ?? 0] === 0) throw notJson(body);
    else at += 2;
  }
  for (;;) {
    const end = body.indexOf(QUOTE, at);
    if (end === -1) throw notJson(body);
    // The quote is escaped when an odd number of backslashes stands before it.
    let backslashes = 0;
    while (end - 1 - backslashes >= at && body[end - 1 - backslashes] === BACKSLASH) backslashes++;
    if (backslashes % 2 === 0) return end + 1;
    at = end + 1;
  }
}

export function skipValue(body: Buffer, start: number, words?: SeenWords): number {
  const first = body[start];
  if (first === QUOTE) return skipString(body, start);
  if (first === OPEN_BRACE || first === OPEN_BRACKET) return skipNested(body, start, words);
  let at = start;
  for (; at < body.length; at++) {
    const byte = body[at] ?? 0;
    if (byte === COMMA || byte === CLOSE_BRACE || byte <= 0x20) break;
  }
  if (!SCALAR.test(body.toString('latin1', start, Math.min(at, start + MAX_SCALAR)))) throw notJson(body);
  return at;
}

const WORDS = ['true', 'false', 'null'].map((word) => Buffer.from(word));

function skipWord(body: Buffer, at: number): number {
  for (const word of WORDS) {
    const end = at + word.length;
    if (body[at] !== word[0] || end > body.length) continue;
    if (body.compare(word, 0, word.length, at, end) === 0) return end;
  }
  throw notJson(body);
}

function skipNested(body: Buffer, start: number, words: SeenWords | undefined): number {
  let depth = 0;
  let at = start;
  while (at < body.length) {
    const kind = OUTSIDE_TEXT[body[at] ?? 0];
    if (kind === PASSED_OVER) at++;
    else if (kind === BEGINS_TEXT) {
      const end = skipString(body, at);
      words?.look(body, at, end);
      at = end;
    } else if (kind === OPENS) {
      depth++;
      if (depth >= MAX_JSON_DEPTH) {
        throw invalidRequest(`The request body is nested deeper than ${MAX_JSON_DEPTH} levels.`);
      }
      at++;
    } else if (kind === CLOSES) {
      depth--;
      at++;
      if (depth === 0) return at;
    } else if (kind === BEGINS_WORD) at = skipWord(body, at);
    else throw notJson(body);
  }
  throw notJson(body);
}

/** Runs only once a body was found broken: the parser's own words say where. */
function notJson(body: Buffer): Error {
  if (body.length === 0) return invalidRequest('The request body is empty; a JSON object was expected.');
  try {
    JSON.parse(body.toString('utf8'));
  } catch (error) {
    // V8 quotes the text around the fault; what the caller sent may be secret, so only the position is kept.
    const position = /position \d+(?: \(line \d+ column \d+\))?/.exec(String(error))?.[0];
    return invalidRequest(`The request body is not valid JSON${position ? ` (at ${position})` : ''}.`);
  }
  return invalidRequest('The request body must be a JSON object.');
}
