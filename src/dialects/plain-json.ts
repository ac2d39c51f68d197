import type { JsonObject } from '../conversation/json.ts';
import { skipSpace } from './json-bytes.ts';
import { isAt, WordTable } from './word-table.ts';

/*
 * Small values of JSON, read without a parser, which costs a microsecond whatever it is given. What is not plain (escapes,
 * fractions, long texts, lists) is not read: that is for `JSON.parse`, which gives the same for what is.
 */
export type PlainValue = string | number | boolean | null;

const QUOTE = 0x22;
const COMMA = 0x2c;
const ZERO = 0x30;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** The words of JSON that are values. */
export const JSON_WORDS = ([true, false, null] as const).map((value) => ({
  value,
  bytes: Buffer.from(String(value)),
}));

/** More digits could be more than a number holds. */
const MAX_DIGITS = 15;
const MAX_TEXT = 64;

/** The value that these bytes are, where it is a plain one. */
export function readPlain(body: Buffer, start: number, end: number): PlainValue | undefined {
  const first = body[start] ?? 0;
  if (first === QUOTE) return readPlainText(body, start + 1, end - 1);
  if (isDigit(first)) return readDigits(body, start, end);
  for (const { value, bytes } of JSON_WORDS) {
    if (end - start === bytes.length && isAt(body, start, bytes)) return value;
  }
  return undefined;
}

function readPlainText(body: Buffer, start: number, end: number): string | undefined {
  if (end < start || end - start > MAX_TEXT || body[end] !== QUOTE) return undefined;
  for (let at = start; at < end; at++) {
    const byte = body[at] ?? 0;
    if (byte < 0x20 || byte > 0x7e || byte === QUOTE || byte === BACKSLASH) return undefined;
  }
  return body.toString('latin1', start, end);
}

function readDigits(body: Buffer, start: number, end: number): number | undefined {
  const digits = end - start;
  if (digits > MAX_DIGITS || (body[start] === ZERO && digits > 1)) return undefined;
  let value = 0;
  for (let at = start; at < end; at++) {
    const byte = body[at] ?? 0;
    if (!isDigit(byte)) return undefined;
    value = value * 10 + byte - ZERO;
  }
  return value;
}

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= 0x39;
}

/** Keys of usage objects. Of others a text has to be made, which costs more than all else about them. */
const KEYS = new WordTable([
  'prompt_tokens',
  'completion_tokens',
  'total_tokens',
  'prompt_tokens_details',
  'completion_tokens_details',
  'cached_tokens',
  'audio_tokens',
  'reasoning_tokens',
  'accepted_prediction_tokens',
  'rejected_prediction_tokens',
  'input_tokens',
  'output_tokens',
  'input_tokens_details',
  'output_tokens_details',
  'cache_read_input_tokens',
  'cache_creation_input_tokens',
  'cache_creation',
  'ephemeral_5m_input_tokens',
  'ephemeral_1h_input_tokens',
]);

/** Reads an object of plain values and of further objects of that kind. */
export class PlainReader {
  readonly #body: Buffer;
  /** Behind what was read. */
  at: number;

  /** `at`: where the object begins. */
  constructor(body: Buffer, at: number) {
    this.#body = body;
    this.at = at;
  }

  /** `undefined` where anything in it is not plain. */
  read(depth = MAX_DEPTH): JsonObject | undefined {
    const body = this.#body;
    if (depth === 0 || body[this.at] !== OPEN_BRACE) return undefined;
    const object: JsonObject = {};
    let at = skipSpace(body, this.at + 1);
    if (body[at] === CLOSE_BRACE) {
      this.at = at + 1;
      return object;
    }
    for (;;) {
      if (body[at] !== QUOTE) return undefined;
      const keyEnd = endOfText(body, at + 1);
      const key = keyAt(body, at + 1, keyEnd);
      at = skipSpace(body, keyEnd + 1);
      if (key === undefined || body[at] !== COLON) return undefined;
      at = skipSpace(body, at + 1);
      let value: JsonObject | PlainValue | undefined;
      if (body[at] === OPEN_BRACE) {
        this.at = at;
        value = this.read(depth - 1);
        at = this.at;
      } else {
        const end = endOfPlain(body, at);
        value = readPlain(body, at, end);
        at = end;
      }
      if (value === undefined) return undefined;
      object[key] = value;
      at = skipSpace(body, at);
      if (body[at] === CLOSE_BRACE) {
        this.at = at + 1;
        return object;
      }
      if (body[at] !== COMMA) return undefined;
      at = skipSpace(body, at + 1);
    }
  }
}

const MAX_DEPTH = 4;

/** The next quote or backslash. */
function endOfText(body: Buffer, start: number): number {
  let at = start;
  for (; at < body.length; at++) {
    const byte = body[at];
    if (byte === QUOTE || byte === BACKSLASH) break;
  }
  return at;
}

function keyAt(body: Buffer, start: number, end: number): string | undefined {
  if (body[end] !== QUOTE) return undefined;
  const place = KEYS.find(body, start, end);
  if (place !== -1) return KEYS.words[place];
  // What is assigned under this name would be no field.
  return isAt(body, start, PROTO) ? undefined : readPlainText(body, start, end);
}

const PROTO = Buffer.from('__proto__"');

function endOfPlain(body: Buffer, start: number): number {
  if (body[start] === QUOTE) return endOfText(body, start + 1) + 1;
  let at = start;
  for (; at < body.length; at++) {
    const byte = body[at] ?? 0;
    if (byte === COMMA || byte === CLOSE_BRACE || byte <= 0x20) break;
  }
  return at;
}
