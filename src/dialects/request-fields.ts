import { invalidRequest } from '../conversation/gateway-error.ts';
import { decodeUtf8, findBadUtf8 } from '../conversation/utf8.ts';
import { skipSpace, skipSpaceBack } from './json-bytes.ts';
import { JSON_WORDS, readPlain } from './plain-json.ts';
import type { SeenWords } from './seen-words.ts';
import { isAt, type WordTable } from './word-table.ts';

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
const PLUS = 0x2b;
const COMMA = 0x2c;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;

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
 * @param words is shown each key, and each text below the top
 * @throws GatewayError `invalid_request` where the body is not a JSON object, or nested too deeply.
 */
export function findTopLevelFields(body: Buffer, wanted: WordTable, words?: SeenWords): FieldSpans {
  const spans: FieldSpans = {};
  walkFields(body, (quote, keyEnd, start) => {
    words?.lookAtTop(body, quote, keyEnd);
    const end = skipValue(body, start, words);
    const key = findName(body, quote, keyEnd, wanted);
    if (key !== undefined) {
      if (spans[key]) throw invalidRequest(`'${key}' stands twice in the request body.`, key);
      spans[key] = { start, end, key: quote };
    }
    return end;
  });
  return spans;
}

/**
 * Goes through the fields of a JSON object.
 *
 * @param take is told where the quote of a key is, where the key has ended, where its value begins; gives where that ends
 * @throws GatewayError as `findTopLevelFields`
 */
export function walkFields(
  body: Buffer,
  take: (quote: number, keyEnd: number, start: number) => number,
): void {
  let at = skipSpace(body, 0);
  if (body[at] !== OPEN_BRACE) throw notJson(body);
  at = skipSpace(body, at + 1);
  let isMore = body[at] !== CLOSE_BRACE;
  while (isMore) {
    if (body[at] !== QUOTE) throw notJson(body);
    const quote = at;
    const keyEnd = skipString(body, at);
    at = skipSpace(body, keyEnd);
    if (body[at] !== COLON) throw notJson(body);
    const end = take(quote, keyEnd, skipSpace(body, at + 1));
    at = skipSpace(body, end);
    isMore = body[at] === COMMA;
    if (isMore) at = skipSpace(body, at + 1);
  }
  if (body[at] !== CLOSE_BRACE || skipSpace(body, at + 1) !== body.length) throw notJson(body);
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
  const plain = readPlain(body, span.start, span.end);
  if (plain !== undefined) return plain;
  const text = spanText(body, span, name);
  try {
    return JSON.parse(text);
  } catch {
    throw invalidRequest(`'${name}' is not valid JSON.`, name);
  }
}

/** What stands in a span, as text; `invalid_request` where it is no UTF-8. */
export function spanText(body: Buffer, { start, end }: FieldSpan, name: string): string {
  const text = decodeUtf8(body, start, end);
  if (text === undefined) throw badUtf8(body, name);
  return text;
}

/** For a body whose text cannot be read: what would be understood in its place is not what was said. */
export function badUtf8(body: Buffer, name?: string): Error {
  const { offset } = findBadUtf8(body);
  return invalidRequest(
    `The request body is not valid UTF-8 (at byte ${offset}); JSON is written in UTF-8.`,
    name,
  );
}

/**
 * The word that a key is. An escaped key is the same key: whoever checks permissions must see it as the provider will.
 *
 * @throws GatewayError `invalid_request` for one of the words in another case
 */
export function findName<W extends string>(
  body: Buffer,
  quote: number,
  end: number,
  wanted: WordTable<W>,
): W | undefined {
  const place = wanted.find(body, quote + 1, end - 1);
  if (place !== -1) return wanted.words[place];
  if (!hasOtherCase(body, quote + 1, end - 1)) return undefined;
  const key = readKey(body, quote, end);
  const name = wanted.words.find((word) => word === key);
  if (name === undefined) refuseOtherCase(key, wanted.words);
  return name;
}

export function readKey(body: Buffer, quote: number, end: number): string {
  const raw = body.toString('utf8', quote + 1, end - 1);
  if (!raw.includes('\\')) return raw;
  try {
    return String(JSON.parse(`"${raw}"`));
  } catch {
    throw notJson(body);
  }
}

/** Whether a key has other bytes than those of a plain name in lower case: what is escaped has, too. */
function hasOtherCase(body: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const byte = body[at] ?? 0;
    if (byte < 0x5f || byte > 0x7a) return true;
  }
  return false;
}

function refuseOtherCase(key: string, wanted: readonly string[]): void {
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
  const first = body[start] ?? 0;
  if (first === QUOTE) return skipString(body, start);
  if (first === OPEN_BRACE || first === OPEN_BRACKET) return skipNested(body, start, words);
  return OUTSIDE_TEXT[first] === BEGINS_WORD ? skipWord(body, start) : skipNumber(body, start);
}

/** RFC 8259, 6. */
function skipNumber(body: Buffer, start: number): number {
  const whole = body[start] === MINUS ? start + 1 : start;
  let at = skipDigits(body, whole);
  if (body[whole] === ZERO && at > whole + 1) throw notJson(body);
  if (body[at] === POINT) at = skipDigits(body, at + 1);
  if (body[at] === 0x65 || body[at] === 0x45) {
    const isSigned = body[at + 1] === PLUS || body[at + 1] === MINUS;
    at = skipDigits(body, isSigned ? at + 2 : at + 1);
  }
  return at;
}

/** One at least. */
function skipDigits(body: Buffer, start: number): number {
  let at = start;
  for (; ; at++) {
    const byte = body[at] ?? 0;
    if (byte < ZERO || byte > NINE) break;
  }
  if (at === start) throw notJson(body);
  return at;
}

function skipWord(body: Buffer, at: number): number {
  for (const { bytes } of JSON_WORDS) if (isAt(body, at, bytes)) return at + bytes.length;
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
