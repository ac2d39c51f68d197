import type { AnswerHeaders } from '../exchange.ts';
import { ConnectionError } from './connection-error.ts';
import { excerpt, notHttp, type ResponseHead, readResponseHead } from './response-head.ts';

/** Who is told what is read. */
export interface ResponseSink {
  onHead(status: number, headers: AnswerHeaders): void;
  /** The body's bytes from `start` to before `end`: the buffer is the reader's, and is written again. */
  onBody(bytes: Buffer, start: number, end: number): void;
}

const CR = 0x0d;
const LF = 0x0a;
const SEMICOLON = 0x3b;

const HEAD_END = Buffer.from('\r\n\r\n');
const PREFIX = 'HTTP/1.';
/** As in Node and undici. */
const MAX_HEAD_BYTES = 16 * 1024;
/** More than any chunk has, and exact in a number. */
const MAX_CHUNK_BYTES = 2 ** 48;

type State =
  | 'head'
  | 'fixed'
  | 'until-close'
  | 'size'
  | 'size-space'
  | 'extension'
  | 'size-lf'
  | 'chunk'
  | 'chunk-cr'
  | 'chunk-lf'
  | 'trailer'
  | 'trailer-lf'
  | 'complete';

/**
 * Reads answers of HTTP/1.1 (RFC 9112), one after the other, however their bytes are cut. Answers to `HEAD` are not
 * read, interim ones (1xx) are passed over, trailers are dropped.
 */
export class ResponseParser {
  readonly #sink: ResponseSink;
  #state: State = 'head';
  /** Of a head, what came without its end. */
  #partial: Buffer | undefined;
  /** Bytes still to come of a body or a chunk. */
  #remaining = 0;
  /** Digits of a chunk's size; characters of a trailer's line. */
  #count = 0;
  /** Of what stands around the chunks, so that it has an end. */
  #overhead = 0;
  #head: ResponseHead | undefined;

  constructor(sink: ResponseSink) {
    this.#sink = sink;
  }

  /** There is a head. */
  get started(): boolean {
    return this.#head !== undefined;
  }

  get complete(): boolean {
    return this.#state === 'complete';
  }

  /** Another request may follow on the connection: once the answer is complete. */
  get keepAlive(): boolean {
    return this.#head?.keepAlive === true && this.#head.framing.kind !== 'until-close';
  }

  /** The next answer is read from here on. */
  reset(): void {
    this.#state = 'head';
    this.#head = undefined;
    this.#partial = undefined;
  }

  /**
   * Reads one step: a head, or what is there of a body in one piece. Returns how far it came: call again until that
   * is `end`, or the answer is complete.
   *
   * @throws ConnectionError `NOT_HTTP`, `HEADERS_OVERFLOW`; the connection is of no more use then
   */
  step(bytes: Buffer, start: number, end: number): number {
    switch (this.#state) {
      case 'head':
        return this.#readHead(bytes, start, end);
      case 'fixed':
        return this.#readBody(bytes, start, Math.min(end, start + this.#remaining), 'complete');
      case 'chunk':
        return this.#readBody(bytes, start, Math.min(end, start + this.#remaining), 'chunk-cr');
      case 'until-close':
        this.#sink.onBody(bytes, start, end);
        return end;
      case 'complete':
        return start;
      default:
        return this.#readAroundChunks(bytes, start, end);
    }
  }

  /**
   * The other side has closed the connection: what ends with that, is complete.
   *
   * @throws ConnectionError `CLOSED_EARLY`, or `NOT_HTTP` where what there was could not have become an answer
   */
  close(): void {
    if (this.#state === 'head' && this.#partial) checkPrefix(this.#partial);
    if (this.#state !== 'until-close' && this.#state !== 'complete')
      throw new ConnectionError('CLOSED_EARLY', 'the other side closed the connection');
    this.#state = 'complete';
  }

  #readHead(bytes: Buffer, start: number, end: number): number {
    if (this.#partial) return this.#readPartialHead(this.#partial, bytes, start, end);
    const at = bytes.indexOf(HEAD_END, start);
    // Behind `end` the buffer holds what was read before.
    if (at < 0 || at + HEAD_END.length > end) {
      this.#keepPartial(Buffer.from(bytes.subarray(start, end)));
      return end;
    }
    this.#takeHead(bytes, start, at);
    return at + HEAD_END.length;
  }

  #readPartialHead(partial: Buffer, bytes: Buffer, start: number, end: number): number {
    const joined = Buffer.concat([partial, bytes.subarray(start, end)]);
    const at = joined.indexOf(HEAD_END, Math.max(0, partial.length - HEAD_END.length));
    if (at < 0) {
      this.#keepPartial(joined);
      return end;
    }
    this.#partial = undefined;
    this.#takeHead(joined, 0, at);
    return start + at + HEAD_END.length - partial.length;
  }

  #keepPartial(partial: Buffer): void {
    checkPrefix(partial);
    checkLineEnds(partial, this.#partial?.length ?? 0);
    checkHeadLength(partial.length);
    this.#partial = partial;
  }

  #takeHead(bytes: Buffer, start: number, end: number): void {
    checkHeadLength(end - start);
    const head = readResponseHead(bytes.toString('latin1', start, end));
    if (head.status === 101) throw notHttp('another protocol, which was not asked for');
    // Interim: the answer comes behind it.
    if (head.status < 200) return;
    this.#head = head;
    this.#overhead = 0;
    this.#count = 0;
    const { framing } = head;
    if (framing.kind === 'fixed') {
      this.#remaining = framing.length;
      this.#state = framing.length === 0 ? 'complete' : 'fixed';
    } else {
      this.#remaining = 0;
      this.#state = framing.kind === 'chunked' ? 'size' : 'until-close';
    }
    this.#sink.onHead(head.status, head.headers);
  }

  #readBody(bytes: Buffer, start: number, end: number, next: State): number {
    this.#remaining -= end - start;
    if (this.#remaining === 0) this.#state = next;
    this.#sink.onBody(bytes, start, end);
    return end;
  }

  /** Sizes, line ends and trailers, byte by byte, until a chunk's data begins (RFC 9112 7.1). */
  #readAroundChunks(bytes: Buffer, start: number, end: number): number {
    for (let at = start; at < end; at += 1) {
      if (this.#state === 'chunk' || this.#state === 'complete') return at;
      this.#overhead += 1;
      this.#takeByte(bytes[at] ?? 0);
    }
    return end;
  }

  #takeByte(byte: number): void {
    switch (this.#state) {
      case 'size':
        this.#takeSizeByte(byte);
        return;
      case 'size-space':
        this.#takeSizeEnd(byte);
        return;
      case 'extension':
        if (byte === CR) this.#state = 'size-lf';
        else if (byte === LF) throw notHttp('a line that ends without a carriage return');
        else checkHeadLength(this.#overhead);
        return;
      case 'size-lf':
        expectByte(byte, LF);
        this.#overhead = 0;
        this.#count = 0;
        this.#state = this.#remaining === 0 ? 'trailer' : 'chunk';
        return;
      case 'chunk-cr':
        expectByte(byte, CR);
        this.#state = 'chunk-lf';
        return;
      case 'chunk-lf':
        expectByte(byte, LF);
        this.#overhead = 0;
        this.#state = 'size';
        return;
      case 'trailer':
        if (byte === CR) this.#state = 'trailer-lf';
        else if (byte === LF) throw notHttp('a line that ends without a carriage return');
        else this.#count += 1;
        checkHeadLength(this.#overhead);
        return;
      default:
        // 'trailer-lf': an empty line is the last.
        expectByte(byte, LF);
        this.#state = this.#count === 0 ? 'complete' : 'trailer';
        this.#count = 0;
    }
  }

  #takeSizeByte(byte: number): void {
    const digit = hexDigit(byte);
    if (digit >= 0) {
      this.#remaining = this.#remaining * 16 + digit;
      this.#count += 1;
      checkHeadLength(this.#overhead);
      if (this.#remaining > MAX_CHUNK_BYTES) throw notHttp('a chunk size that nothing has');
      return;
    }
    if (this.#count === 0) throw notHttp(`a chunk size with ${excerpt(String.fromCharCode(byte))}`);
    this.#takeSizeEnd(byte);
  }

  #takeSizeEnd(byte: number): void {
    if (byte === CR) this.#state = 'size-lf';
    else if (byte === SEMICOLON) this.#state = 'extension';
    // Before an extension: "bad whitespace", to be read (RFC 9112 7.1.1).
    else if (byte === 0x20 || byte === 0x09) this.#state = 'size-space';
    else throw notHttp(`a chunk size with ${excerpt(String.fromCharCode(byte))}`);
    checkHeadLength(this.#overhead);
  }
}

/** What cannot become an answer is told at once, also where its end would never be found: lines end with CR LF. */
function checkLineEnds(bytes: Buffer, start: number): void {
  for (let at = bytes.indexOf(LF, start); at >= 0; at = bytes.indexOf(LF, at + 1))
    if (bytes[at - 1] !== CR) throw notHttp('a line that ends without a carriage return');
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x61 + 10 : -1;
}

function expectByte(byte: number, expected: number): void {
  if (byte !== expected) throw notHttp('a chunk or a line that does not end where it should');
}

/** What cannot become an answer is told at once: its sender may wait for more from us. */
function checkPrefix(bytes: Buffer): void {
  const begin = bytes.toString('latin1', 0, PREFIX.length);
  if (!PREFIX.startsWith(begin)) throw notHttp(`it begins with ${excerpt(bytes.toString('latin1', 0, 20))}`);
}

function checkHeadLength(length: number): void {
  if (length > MAX_HEAD_BYTES)
    throw new ConnectionError('HEADERS_OVERFLOW', `more than ${MAX_HEAD_BYTES} bytes of headers`);
}
