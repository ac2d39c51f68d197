import type { Method } from '../connections.ts';

/** Those that say how a request is framed, which is for the connection to say. */
const FRAMING = new Set([
  'connection',
  'content-length',
  'expect',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** RFC 9110 5.6.2 and 5.5: a name that is a token, a value without control characters. */
const NAME = /^[!#$%&'*+.^_`|~\w-]+$/;
const NOT_IN_VALUES = /[^\t -~\x80-\xff]/;
/** RFC 9112 3.2: a request target has neither spaces nor control characters. Bytes beyond ASCII pass, as clients sent them. */
const NOT_IN_TARGETS = /[^!-~\x80-\xff]/;

interface HeaderLines {
  /** In place of the address's, where one was given. */
  hostLine: string | undefined;
  others: string;
}

/** The lines of header lists that many requests share: those of an account, wherever they go. */
const written = new WeakMap<readonly string[], HeaderLines>();

/**
 * The head of a request, in Latin-1, up to and with the empty line (RFC 9112 2.1).
 *
 * @param headers names and values in turns; a `host` among them stands in for the address's
 * @throws Error where a name, a value or the path could not be read back as what it is
 */
export function writeRequestHead(
  method: Method,
  path: string,
  host: string,
  headers: readonly string[],
  bodyLength: number | undefined,
): string {
  if (NOT_IN_TARGETS.test(path)) throw new Error('a path with characters that no request line holds');
  let lines = written.get(headers);
  if (lines === undefined) {
    lines = writeLines(headers);
    written.set(headers, lines);
  }
  const length = bodyLength === undefined ? '' : `content-length: ${bodyLength}\r\n`;
  const hostLine = lines.hostLine ?? `host: ${host}\r\n`;
  return `${method} ${path} HTTP/1.1\r\n${hostLine}${lines.others}${length}\r\n`;
}

function writeLines(headers: readonly string[]): HeaderLines {
  let hostLine: string | undefined;
  let others = 'connection: keep-alive\r\n';
  for (let at = 0; at + 1 < headers.length; at += 2) {
    const [name = '', value = ''] = [headers[at], headers[at + 1]];
    // Not its value: it may be a credential.
    if (!NAME.test(name) || NOT_IN_VALUES.test(value) || FRAMING.has(name.toLowerCase()))
      throw new Error(`the header ${JSON.stringify(name)} cannot be sent`);
    const line = `${name}: ${value}\r\n`;
    if (name.toLowerCase() === 'host') hostLine = line;
    else others += line;
  }
  return { hostLine, others };
}
