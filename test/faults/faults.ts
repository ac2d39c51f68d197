import type { Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { chatAnswer, chatChunk } from '../support/raw-upstream.ts';

/** What a provider does to one request, once it has read it; or, without `act`, how it cannot be reached. */
export interface Fault {
  name: string;
  /** The provider that it is a fault of, where it is not `bad`, whose dialect is chat. */
  provider?: string;
  /** Absent where no request reaches anything. */
  act?(socket: Socket, stream: boolean): void;
  /** The doors that its provider is asked by in its own dialect, where it would be asked in another one by the others. */
  doors?: readonly string[];
  /** Of a stream something has reached the client before it fails: it ends with an error, and nothing else is tried. */
  breaksOff?: true;
  /** Whether it answers after all, if late or oddly. */
  isAnswer?: true;
  /** Of a call that is not streamed, or of streams, it is none. */
  only?: 'stream' | 'whole';
  /** What a client is told that has no other target; `statusAt` a door where that is another. */
  status: number;
  /** What the client is told of when to come again, in seconds. */
  retryAfter?: RegExp;
  statusAt?: Readonly<Record<string, number>>;
}

const CRLF = '\r\n';

function head(status: string, headers: string[] = []): string {
  return [`HTTP/1.1 ${status}`, 'connection: close', ...headers, '', ''].join(CRLF);
}

/** A whole answer. */
function answer(
  status: string,
  body: string | Buffer,
  headers: string[] = ['content-type: application/json'],
) {
  return (socket: Socket) => {
    socket.write(head(status, [...headers, `content-length: ${Buffer.byteLength(body)}`]));
    socket.end(body);
  };
}

const ERROR = '{"error":{"message":"Something broke","type":"server_error","code":null}}';
const GOOD = chatAnswer('Partial words');
const JSON_TYPE = 'content-type: application/json';
const SSE_TYPE = 'content-type: text/event-stream';
const FIRST = chatChunk('Partial ');
const HTML = '<!doctype html><title>Gateway</title><h1>Welcome</h1>';

const failing = (status: string, kind: number, headers: string[] = [], retryAfter?: RegExp): Fault => ({
  name: `${status} ${headers.join(' ')}`.trim(),
  act: answer(status, ERROR, [JSON_TYPE, ...headers]),
  status: kind,
  ...(retryAfter && { retryAfter }),
});

/** What may happen before any byte of an answer is worth anything to the client. */
const BEFORE: Fault[] = [
  { name: 'a reset before the head', act: (socket) => socket.resetAndDestroy(), status: 502 },
  { name: 'an end before the head', act: (socket) => socket.end(), status: 502 },
  {
    name: 'a reset in the status line',
    act: (socket) => socket.write('HTTP/1.1 2', () => socket.resetAndDestroy()),
    status: 502,
  },
  {
    name: 'an end in the headers',
    act: (socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-ty'),
    status: 502,
  },
  {
    name: 'a reset behind the head',
    act: (socket) =>
      socket.write(head('200 OK', [JSON_TYPE, 'content-length: 500']), () => socket.resetAndDestroy()),
    status: 502,
  },
  {
    name: 'an end behind the head',
    act: (socket) => socket.end(head('200 OK', [JSON_TYPE, 'content-length: 500'])),
    status: 502,
  },
  { name: 'a hang before the head', act: () => {}, status: 504 },
  { name: 'a hang in the status line', act: (socket) => socket.write('HTTP/1.1 '), status: 504 },
  {
    name: 'a hang in the headers',
    act: (socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-type: '),
    status: 504,
  },
  {
    name: 'a hang behind the head',
    act: (socket) => socket.write(head('200 OK', [JSON_TYPE, 'content-length: 500'])),
    status: 504,
  },
  {
    name: 'a head that drips',
    act: (socket) => {
      const text = head('200 OK', [JSON_TYPE]);
      let at = 0;
      const timer = setInterval(() => socket.write(text[at++] ?? ' '), 100);
      socket.on('close', () => clearInterval(timer));
    },
    status: 504,
  },
  { name: 'HTML', act: answer('200 OK', HTML, ['content-type: text/html']), status: 502 },
  { name: 'HTML that says it is JSON', act: answer('200 OK', HTML), status: 502, only: 'whole' },
  { name: 'truncated JSON', act: answer('200 OK', GOOD.slice(0, 60)), status: 502 },
  { name: 'an empty body', act: answer('200 OK', ''), status: 502 },
  { name: 'a body of spaces', act: answer('200 OK', '   \n'), status: 502 },
  { name: 'null', act: answer('200 OK', 'null'), status: 502 },
  { name: 'a list', act: answer('200 OK', '[]'), status: 502 },
  { name: 'an empty object', act: answer('200 OK', '{}'), status: 502 },
  { name: 'a number', act: answer('200 OK', '42'), status: 502 },
  { name: 'an error in a 200', act: answer('200 OK', ERROR), status: 502 },
  { name: '204', act: (socket) => socket.end(head('204 No Content')), status: 502 },
  { name: 'a redirect', act: answer('302 Found', '', ['location: http://127.0.0.1:9/']), status: 502 },
  { name: '304', act: (socket) => socket.end(head('304 Not Modified')), status: 502 },
  failing('408 Request Timeout', 504),
  failing('429 Too Many Requests', 429),
  failing('429 Too Many Requests', 429, ['retry-after: 60'], /^60$/),
  failing('429 Too Many Requests', 429, ['retry-after: Fri, 31 Dec 2100 23:59:59 GMT'], /^\d+$/),
  {
    name: '429 with a body that is reset',
    act: (socket) =>
      socket.write(head('429 Too Many Requests', ['retry-after: 60', 'content-length: 500']), () =>
        socket.resetAndDestroy(),
      ),
    status: 429,
    retryAfter: /^60$/,
  },
  failing('500 Internal Server Error', 502),
  failing('502 Bad Gateway', 502),
  failing('503 Service Unavailable', 502),
  failing('503 Service Unavailable', 502, ['retry-after: 30'], /^30$/),
  failing('504 Gateway Timeout', 504),
  failing('529 Overloaded', 502),
  failing('599 Odd', 502),
  {
    name: '500 with HTML',
    act: answer('500 Internal Server Error', HTML, ['content-type: text/html']),
    status: 502,
  },
  { name: '500 without a body', act: answer('500 Internal Server Error', '', []), status: 502 },
  {
    name: '500 whose body hangs',
    act: (socket) => socket.write(head('500 Internal Server Error', [JSON_TYPE, 'content-length: 500'])),
    status: 504,
  },
  {
    name: '503 behind 100 and 103',
    act: (socket) => {
      socket.write('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n');
      answer('503 Service Unavailable', ERROR)(socket);
    },
    status: 502,
  },
  {
    name: 'a body that is too short',
    act: (socket) => socket.end(`${head('200 OK', [JSON_TYPE, 'content-length: 5000'])}${GOOD}`),
    status: 502,
    only: 'whole',
  },
  {
    name: 'two lengths',
    act: (socket) =>
      socket.end(`${head('200 OK', [JSON_TYPE, 'content-length: 10', 'content-length: 20'])}${GOOD}`),
    status: 502,
  },
  {
    name: 'a length and chunks',
    act: (socket) =>
      socket.end(
        `${head('200 OK', [JSON_TYPE, 'content-length: 10', 'transfer-encoding: chunked'])}0\r\n\r\n`,
      ),
    status: 502,
  },
  {
    name: 'a chunk whose size is none',
    act: (socket) =>
      socket.end(`${head('200 OK', [JSON_TYPE, 'transfer-encoding: chunked'])}zz\r\n${GOOD}\r\n0\r\n\r\n`),
    status: 502,
  },
  {
    name: 'chunks without an end',
    act: (socket) => socket.end(`${head('200 OK', [JSON_TYPE, 'transfer-encoding: chunked'])}5\r\n{"id"\r\n`),
    status: 502,
  },
  {
    name: 'gzip that is none',
    act: answer('200 OK', 'this is no gzip', [JSON_TYPE, 'content-encoding: gzip']),
    status: 502,
  },
  {
    name: 'truncated gzip',
    act: answer('200 OK', gzipSync(GOOD).subarray(0, 40), [JSON_TYPE, 'content-encoding: gzip']),
    status: 502,
  },
  {
    name: 'an unknown encoding',
    act: answer('200 OK', GOOD, [JSON_TYPE, 'content-encoding: morse']),
    status: 502,
  },
  { name: 'another protocol', act: (socket) => socket.end('SSH-2.0-OpenSSH_9.6\r\n'), status: 502 },
  { name: 'HTTP/2', act: (socket) => socket.end(Buffer.from('000012040000000000', 'hex')), status: 502 },
  {
    name: 'headers without an end',
    act: (socket) => socket.write(`HTTP/1.1 200 OK\r\n${'x-long: '.padEnd(400_000, 'y')}`),
    status: 502,
  },
  {
    name: 'a control character in a header',
    act: (socket) => socket.end('HTTP/1.1 200 OK\r\nx-bad: a\u0000b\r\n\r\n'),
    status: 502,
  },
];

export const sse = (text: string | Buffer, end: (socket: Socket) => void) => (socket: Socket) => {
  socket.write(head('200 OK', [SSE_TYPE]));
  socket.write(text, () => end(socket));
};
export const close = (socket: Socket) => socket.end();
const reset = (socket: Socket) => socket.resetAndDestroy();
const hang = () => {};
/** Behind what came in another packet, and has been handed on. */
export const later = (socket: Socket, text: string) => setTimeout(() => socket.end(text), 50);
/** The bytes of a text up to the middle of its first character that has more than one. */
function untilWithinCharacter(text: string): Buffer {
  const bytes = Buffer.from(text);
  return bytes.subarray(0, bytes.findIndex((byte) => byte >= 0x80) + 1);
}
const ROLE = FIRST.replace('"content":"Partial "', '"role":"assistant","content":""');

/** Of streams alone. */
const IN_STREAMS: Fault[] = [
  { name: 'a stream of nothing', act: sse('', close), status: 502, only: 'stream' },
  { name: 'a stream of comments', act: sse(': ping\n\n: ping\n\n', close), status: 502, only: 'stream' },
  { name: 'a stream that is done at once', act: sse('data: [DONE]\n\n', close), status: 502, only: 'stream' },
  { name: 'a role, and an end', act: sse(ROLE, close), status: 502, only: 'stream' },
  { name: 'a role, and a reset', act: sse(ROLE, reset), status: 502, only: 'stream' },
  { name: 'a role, and a hang', act: sse(ROLE, hang), status: 504, only: 'stream' },
  { name: 'an error as the first event', act: sse(`data: ${ERROR}\n\n`, close), status: 502, only: 'stream' },
  {
    name: 'an error behind the role',
    act: sse(`${ROLE}data: ${ERROR}\n\n`, close),
    status: 502,
    only: 'stream',
  },
  { name: 'an event of no JSON', act: sse('data: {"id":\n\n', close), status: 502, only: 'stream' },
  { name: 'an event of no dialect', act: sse('data: "words"\n\n', close), status: 502, only: 'stream' },
  {
    name: 'a line without an end',
    act: sse('data: '.padEnd(20_000_000, 'x'), hang),
    status: 504,
    only: 'stream',
  },
  { name: 'an end behind some words', act: sse(FIRST, close), status: 200, only: 'stream', breaksOff: true },
  { name: 'a reset behind some words', act: sse(FIRST, reset), status: 200, only: 'stream', breaksOff: true },
  { name: 'a hang behind some words', act: sse(FIRST, hang), status: 200, only: 'stream', breaksOff: true },
  {
    name: 'an error behind some words',
    act: sse(FIRST, (socket) => later(socket, `data: ${ERROR}\n\n`)),
    status: 200,
    only: 'stream',
    breaksOff: true,
  },
  {
    name: 'no JSON behind some words',
    act: sse(FIRST, (socket) => later(socket, 'data: {"id":\n\n')),
    status: 200,
    only: 'stream',
    breaksOff: true,
  },
  {
    name: 'an end within a character',
    act: sse(untilWithinCharacter(`${FIRST}${chatChunk('é')}`), close),
    status: 200,
    only: 'stream',
    breaksOff: true,
  },
];

/** Odd, but answers. */
const ANSWERS: Fault[] = [
  {
    name: 'a body that drips',
    act: (socket) => {
      socket.write(head('200 OK', [JSON_TYPE, `content-length: ${Buffer.byteLength(GOOD)}`]));
      let at = 0;
      const timer = setInterval(() => {
        socket.write(GOOD.slice(at, at + 20));
        at += 20;
        if (at >= GOOD.length) clearInterval(timer);
      }, 10);
      socket.on('close', () => clearInterval(timer));
    },
    status: 200,
    only: 'whole',
    isAnswer: true,
  },
  {
    name: 'more than was announced',
    act: (socket) =>
      socket.end(
        `${head('200 OK', [JSON_TYPE, `content-length: ${Buffer.byteLength(GOOD)}`])}${GOOD}HTTP/1.1 500 Again`,
      ),
    status: 200,
    only: 'whole',
    isAnswer: true,
  },
];

/** Of who speaks chat. */
export const CHAT_FAULTS: readonly Fault[] = [...BEFORE, ...IN_STREAMS, ...ANSWERS];

/** Of who cannot be reached; `providers.ts` has the providers. */
export const UNREACHABLE: readonly Fault[] = [
  { name: 'a connection that is refused', provider: 'refusing', status: 502 },
  { name: 'a name that is none', provider: 'nameless', status: 502 },
  { name: 'a certificate that nobody trusts', provider: 'untrusted', status: 502 },
  { name: 'TLS that is none', provider: 'plain', status: 502 },
  { name: 'TLS that hangs', provider: 'silent', status: 504 },
];
