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

const NO_BODY: Framing = Object.freeze({ kind: 'fixed', length: 0 });
const CHUNKED: Framing = Object.freeze({ kind: 'chunked' });
const UNTIL_CLOSE: Framing = Object.freeze({ kind: 'until-close' });

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: |$)/;
/** RFC 9110 5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~\w-]+$/;
const NOT_IN_VALUES = /[\0\r\n]/;
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
  return {
    status,
    headers,
    framing: readFraming(status, headers),
    keepAlive: staysOpen(minor === '1', headers['connection']),
  };
}

function addLine(headers: AnswerHeaders, line: string): string {
  const colon = line.indexOf(':');
  const name = line.slice(0, Math.max(colon, 0)).toLowerCase();
  const value = trimSpace(line.slice(colon + 1));
  if (!TOKEN.test(name) || NOT_IN_VALUES.test(value)) throw notHttp(`a header such as ${excerpt(line)}`);
  const before = headers[name];
  if (before === undefined) headers[name] = value;
  else if (typeof before === 'string') headers[name] = [before, value];
  else before.push(value);
  return name;
}

function extendLast(headers: AnswerHeaders, name: string, line: string): void {
  const before = headers[name];
  const more = trimSpace(line);
  if (NOT_IN_VALUES.test(more)) throw notHttp(`a header such as ${excerpt(line)}`);
  if (Array.isArray(before)) before.push(`${before.pop() ?? ''} ${more}`);
  else headers[name] = `${before ?? ''} ${more}`;
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

export function notHttp(what: string): ConnectionError {
  return new ConnectionError('NOT_HTTP', `the answer is not HTTP/1.1: ${what}`);
}

export function excerpt(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}
