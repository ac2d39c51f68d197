import { invalidRequest } from '../conversation/gateway-error.ts';

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
const CLOSE_BRACKET = 0x5d;

/** RFC 8259: what is neither text nor nested. */
const SCALAR = /^(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)$/;
const MAX_SCALAR = 1024;

/** How far a string is walked byte by byte before `indexOf` is worth its call. */
const SHORT_STRING = 48;

/** JSON nested deeper than this is refused: nothing real needs it, and decoders may recurse. */
export const MAX_JSON_DEPTH = 128;

/**
 * Finds wanted top-level fields of a JSON object without parsing it, so that a pass-through body can be read
 * and rewritten for about a microsecond a kilobyte. Structure is checked (brackets, strings, the top-level
 * keys), nested values are only skipped: whoever parses them checks them.
 *
 * A wanted field that stands twice is refused: two readers would disagree about which of them counts.
 *
 * @throws GatewayError `invalid_request` where the body is not a JSON object, or nested too deeply.
 */
export function findTopLevelFields(body: Buffer, wanted: ReadonlySet<string>): FieldSpans {
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
    const end = skipValue(body, start);
    if (wanted.has(key)) {
      if (spans[key]) throw invalidRequest(`'${key}' stands twice in the request body.`, key);
      spans[key] = { start, end, key: keyStart };
    }
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

export function skipSpace(body: Buffer, from: number): number {
  let at = from;
  while (isSpace(body[at])) at++;
  return at;
}

function skipSpaceBack(body: Buffer, from: number): number {
  let at = from;
  while (isSpace(body[at])) at--;
  return at;
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

/** From a string's opening quote to just behind its closing one. */
export function skipString(body: Buffer, quote: number): number {
  let at = quote + 1;
  const near = Math.min(at + SHORT_STRING, body.length);
  while (at < near) {
    const byte = body[at];
    if (byte === QUOTE) return at + 1;
    at += byte === BACKSLASH ? 2 : 1;
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

export function skipValue(body: Buffer, start: number): number {
  const first = body[start];
  if (first === QUOTE) return skipString(body, start);
  if (first === OPEN_BRACE || first === OPEN_BRACKET) return skipNested(body, start);
  let at = start;
  for (; at < body.length; at++) {
    const byte = body[at] ?? 0;
    if (byte === COMMA || byte === CLOSE_BRACE || byte <= 0x20) break;
  }
  if (!SCALAR.test(body.toString('latin1', start, Math.min(at, start + MAX_SCALAR)))) throw notJson(body);
  return at;
}

function skipNested(body: Buffer, start: number): number {
  let depth = 0;
  let at = start;
  while (at < body.length) {
    const byte = body[at];
    if (byte === QUOTE) {
      at = skipString(body, at);
      continue;
    }
    if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      depth++;
      if (depth >= MAX_JSON_DEPTH) {
        throw invalidRequest(`The request body is nested deeper than ${MAX_JSON_DEPTH} levels.`);
      }
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      depth--;
      if (depth === 0) return at + 1;
    }
    at++;
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
