import type { AnswerHeaders } from '../exchange.ts';
import { ConnectionError } from './connection-error.ts';

/** How the length of a body is known (RFC 9112 6.3). */
export type Framing = { kind: 'fixed'; length: number } | { kind: 'chunked' } | { kind: 'until-close' };

export interface ResponseHead {
  status: number;
  headers: AnswerHeaders;
  framing: Framing;
  /** The connection can take another request behind this answer (RFC 9112 9.3). */
  keepAlive: boolean;
}

const OWN = { writable: true, enumerable: true, configurable: true };
const NO_BODY: Framing = Object.freeze({ kind: 'fixed', length: 0 });
const CHUNKED: Framing = Object.freeze({ kind: 'chunked' });
const UNTIL_CLOSE: Framing = Object.freeze({ kind: 'until-close' });

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: [^\0\r\n]*)?$/;
/** RFC 9110 5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~\w-]+$/;
/** RFC 9110 5.5: control characters, of which a bare CR or LF would be a line's end to others. */
const NOT_IN_VALUES = /[^\t -~\x80-\xff]/;
/** As many digits as a number holds exactly. */
const LENGTH = /^\d{1,15}$/;

/**
 * Reads the head of an answer to anything but `HEAD`: `text` is all before the empty line, in Latin-1.
 *
 * @throws ConnectionError `NOT_HTTP` for what RFC 9112 does not allow, also where only lenient readers would know how
 *   long the body is: two readers that disagree about that are how answers get mixed up.
 */
export function readResponseHead(text: string): ResponseHead {
  let at = text.indexOf('\r\n');
  const statusLine = at < 0 ? text : text.slice(0, at);
  const [, minor, digits] = STATUS_LINE.exec(statusLine) ?? [];
  if (digits === undefined) throw notHttp(`a status line such as ${excerpt(statusLine)}`);
  const headers: AnswerHeaders = {};
  let name = '';
  while (at >= 0) {
    const from = at + 2;
    at = text.indexOf('\r\n', from);
    const line = at < 0 ? text.slice(from) : text.slice(from, at);
    // A line that goes on in the next one (RFC 9112 5.2).
    if (name !== '' && (line.startsWith(' ') || line.startsWith('\t'))) extendLast(headers, name, line);
    else name = addLine(headers, line);
  }
  const status = Number(digits);
  const framing = readFraming(status, headers);
  const isHttp11 = minor === '1';
  const keepAlive = staysOpen(isHttp11, headers['connection']) && isSure(isHttp11, framing, headers);
  return { status, headers, framing, keepAlive };
}

function addLine(headers: AnswerHeaders, line: string): string {
  const colon = line.indexOf(':');
  const name = line.slice(0, Math.max(colon, 0)).toLowerCase();
  const value = trimSpace(line.slice(colon + 1));
  if (!TOKEN.test(name) || NOT_IN_VALUES.test(value)) throw notHttp(`a header such as ${excerpt(line)}`);
  const before = headers[name];
  if (before === undefined) headers[name] = value;
  // `__proto__` and `constructor` are names like others: what is found under them is not ours.
  else if (!Object.hasOwn(headers, name)) Object.defineProperty(headers, name, { ...OWN, value });
  else if (typeof before === 'string') headers[name] = [before, value];
  else before.push(value);
  return name;
}

function extendLast(headers: AnswerHeaders, name: string, line: string): void {
  const before = headers[name];
  if (NOT_IN_VALUES.test(line)) throw notHttp(`a header such as ${excerpt(line)}`);
  const more = trimSpace(line);
  if (Array.isArray(before)) before.push(trimSpace(`${before.pop() ?? ''} ${more}`));
  else headers[name] = trimSpace(`${before ?? ''} ${more}`);
}

/** Spaces and tabs only: `trim` also takes what is a letter or a control character here. */
function trimSpace(text: string): string {
  let [start, end] = [0, text.length];
  while (start < end && isSpace(text.charCodeAt(start))) start += 1;
  while (end > start && isSpace(text.charCodeAt(end - 1))) end -= 1;
  return start === 0 && end === text.length ? text : text.slice(start, end);
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

function readFraming(status: number, headers: AnswerHeaders): Framing {
  const coding = headers['transfer-encoding'];
  const length = headers['content-length'];
  if (status < 200 || status === 204 || status === 304) return NO_BODY;
  if (coding !== undefined) {
    if (length !== undefined) throw notHttp('both a transfer-encoding and a content-length');
    if (typeof coding !== 'string' || coding.toLowerCase() !== 'chunked')
      throw notHttp(`the transfer-encoding ${excerpt(String(coding))}`);
    return CHUNKED;
  }
  if (length === undefined) return UNTIL_CLOSE;
  if (typeof length !== 'string' || !LENGTH.test(length))
    throw notHttp(`the content-length ${excerpt(String(length))}`);
  return { kind: 'fixed', length: Number(length) };
}

function staysOpen(isHttp11: boolean, connection: AnswerHeaders[string]): boolean {
  if (connection === undefined) return isHttp11;
  const options = String(connection).toLowerCase();
  return isHttp11 ? !options.includes('close') : options.includes('keep-alive');
}

/**
 * Nobody could take the answer to be longer: where a body is announced that is not to be read (RFC 9110 8.6), or in a way
 * that the sender's version does not know (RFC 9112 6.1), some send it all the same, and the next answer would begin with it.
 */
function isSure(isHttp11: boolean, framing: Framing, headers: AnswerHeaders): boolean {
  if (framing === NO_BODY) return headers['transfer-encoding'] === undefined && !announcesLength(headers);
  return isHttp11 || framing.kind !== 'chunked';
}

function announcesLength({ 'content-length': length }: AnswerHeaders): boolean {
  return length !== undefined && length !== '0';
}

export function notHttp(what: string): ConnectionError {
  return new ConnectionError('NOT_HTTP', `the answer is not HTTP/1.1: ${what}`);
}

export function excerpt(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}
