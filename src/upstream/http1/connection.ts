import type { Socket } from 'node:net';
import type { Deadlines, Timed } from '../deadlines.ts';
import type { AnswerHeaders, ExchangeControl, ExchangeHandler } from '../exchange.ts';
import { isSignOfLife } from '../sign-of-life.ts';
import { ConnectionError } from './connection-error.ts';
import { ResponseParser, type ResponseSink } from './response-parser.ts';

/** What goes out on a connection. */
export interface OutgoingRequest {
  /** Up to and with the empty line, in Latin-1. */
  head: string;
  body: Buffer | undefined;
  timeouts: { firstByteMs: number; idleMs: number };
}

/** Where connections come from and go back to. */
export interface ConnectionHome {
  readonly deadlines: Deadlines;
  monotonicMs(): number;
  /** It can take another request. */
  takeBack(connection: Connection): void;
  /** It is of no more use. */
  forget(connection: Connection): void;
}

/** Up to here a body goes out in one string with its head: one write instead of two, and no copy of it in a buffer. */
const ONE_WRITE_BYTES = 16 * 1024;
/** How long servers keep an unused connection that do not say so, and how much sooner than they say it is given up. */
const KEEP_ALIVE_MS = 4_000;
const MAX_KEEP_ALIVE_MS = 600_000;
const KEEP_ALIVE_MARGIN_MS = 2_000;

/** What only says that the provider lives keeps an answer that has begun for so many times as long as silence would be borne. */
const SIGNS_KEEP = 10;

/** What is said of a connection that the other side broke off. */
const BROKEN_OFF: ReadonlySet<unknown> = new Set(['ECONNRESET', 'EPIPE', 'CLOSED_EARLY']);

const NOTHING = Buffer.alloc(0);

/** A request on its way, and the answer to it. */
class Exchange implements ExchangeControl {
  readonly handler: ExchangeHandler;
  readonly timeouts: OutgoingRequest['timeouts'];
  readonly #connection: Connection;
  #unsent: OutgoingRequest | undefined;
  paused = false;

  constructor(connection: Connection, request: OutgoingRequest, handler: ExchangeHandler) {
    this.#connection = connection;
    this.#unsent = request;
    this.timeouts = request.timeouts;
    this.handler = handler;
  }

  /** What is to go out, once: an answer may take minutes, and is not to hold its request for as long. */
  takeUnsent(): Pick<OutgoingRequest, 'head' | 'body'> {
    const { head = '', body } = this.#unsent ?? {};
    this.#unsent = undefined;
    return { head, body };
  }

  pause(): void {
    this.paused = true;
    this.#connection.pause(this);
  }

  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    this.#connection.resume(this);
  }

  abort(reason: Error): void {
    this.#connection.abort(this, reason);
  }
}

/**
 * One connection, which carries one exchange at a time. There are no promises, streams or timers of its own in the way
 * of a call: bytes go from the socket through the parser to the handler in one turn.
 */
export class Connection implements ResponseSink, Timed {
  readonly #home: ConnectionHome;
  readonly #socket: Socket;
  readonly #parser = new ResponseParser(this);
  #exchange: Exchange | undefined;
  #connected = false;
  #closed = false;
  /** What was read behind the place at which the handler asked for a pause. */
  #unread: Buffer | undefined;
  #parsing = false;
  /** What there is of the body in what is being read, from here to before there; none: 0. */
  #bodyStart = 0;
  #bodyEnd = 0;
  /** There was more than the answer: whatever it is, the next answer is not to begin with it. */
  #surplus = false;
  /** The other side ended while the handler had asked for a pause. */
  #ended = false;
  #keepAliveMs = KEEP_ALIVE_MS;
  /** When the request went out, and when the answer last said something; `undefined`: it has not yet. */
  #begunMs = 0;
  #saidMs: number | undefined;
  /** Silence would be borne for longer: it is signs of life that are not. */
  #isBounded = false;
  /** What was read last says more than that the provider lives. */
  #isSaid = false;
  /** The time that it has for what it waits for now. */
  #limitMs = 0;
  dueMs = 0;
  earlier: Timed | undefined;
  later: Timed | undefined;

  /** `open` makes the socket, which hands what it reads to `read`. */
  constructor(home: ConnectionHome, connectMs: number, open: (connection: Connection) => Socket) {
    this.#home = home;
    this.#socket = open(this);
    this.#socket.on('error', (error) => this.#lose(error));
    this.#socket.on('end', () => this.#endOfInput());
    this.#socket.on('close', () => this.#lose(closedEarly()));
    this.#allow(connectMs);
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** The socket's connection stands, with TLS where there is some. */
  connected(): void {
    if (this.#closed) return;
    this.#connected = true;
    if (this.#exchange) this.#begin(this.#exchange);
  }

  /** Takes the next exchange; the connection is free, or about to stand. */
  send(request: OutgoingRequest, handler: ExchangeHandler): void {
    const exchange = new Exchange(this, request, handler);
    this.#exchange = exchange;
    if (this.#connected) this.#begin(exchange);
  }

  /** What the socket read. The buffer is written again afterwards. */
  read(bytes: Buffer, length: number): void {
    const exchange = this.#exchange;
    if (!exchange) {
      // Nothing was asked: it could only be taken for the beginning of the next answer.
      this.destroy();
    } else if (exchange.paused) {
      // TLS hands on what it has decrypted, also behind a pause.
      const more = bytes.subarray(0, length);
      this.#unread = this.#unread ? Buffer.concat([this.#unread, more]) : Buffer.from(more);
    } else this.#take(exchange, bytes, length);
  }

  onHead(status: number, headers: AnswerHeaders): void {
    const exchange = this.#exchange;
    if (!exchange) return;
    this.#keepAliveMs = readKeepAlive(headers['keep-alive']);
    exchange.handler.onResponseStart(exchange, status, headers);
  }

  /** What stood between the pieces is read: they are moved together, and handed on as one. */
  onBody(bytes: Buffer, start: number, end: number): void {
    if (this.#bodyEnd === 0) {
      this.#bodyStart = start;
      this.#bodyEnd = end;
      return;
    }
    bytes.copyWithin(this.#bodyEnd, start, end);
    this.#bodyEnd += end - start;
  }

  pause(exchange: Exchange): void {
    if (exchange === this.#exchange) this.#socket.pause();
  }

  resume(exchange: Exchange): void {
    if (exchange !== this.#exchange) return;
    // Before anything else: what follows may be the end of this exchange, and the connection is another's then.
    this.#socket.resume();
    // Nobody could say anything meanwhile.
    if (this.#saidMs !== undefined) this.#saidMs = this.#home.monotonicMs();
    // Within a step of the parser the loop around it goes on by itself.
    if (this.#parsing) return;
    const unread = this.#unread;
    this.#unread = undefined;
    this.#take(exchange, unread ?? NOTHING, unread?.length ?? 0);
    if (this.#ended && exchange === this.#exchange && !exchange.paused) this.#endOfInput();
  }

  abort(exchange: Exchange, reason: Error): void {
    if (exchange === this.#exchange) this.#close(reason);
  }

  expire(): void {
    const exchange = this.#exchange;
    // Whoever asked for the pause knows for how long.
    if (exchange?.paused) this.#allow(this.#limitMs);
    else if (!this.#connected)
      this.#close(new ConnectionError('CONNECT_TIMEOUT', `no connection within ${this.#limitMs} ms`));
    else if (!exchange) this.destroy();
    else this.#close(this.#timeout(exchange));
  }

  destroy(): void {
    this.#close(closedEarly());
  }

  #timeout({ timeouts }: Exchange): ConnectionError {
    const { firstByteMs, idleMs } = timeouts;
    if (this.#saidMs === undefined && (this.#isBounded || !this.#parser.started))
      return new ConnectionError('FIRST_BYTE_TIMEOUT', `no answer within ${firstByteMs} ms`);
    return new ConnectionError('IDLE_TIMEOUT', `nothing of the answer for ${idleMs} ms`);
  }

  #begin(exchange: Exchange): void {
    try {
      exchange.handler.onRequestStart(exchange);
    } catch (thrown) {
      this.#close(toError(thrown));
    }
    if (this.#exchange !== exchange) return;
    this.#begunMs = this.#home.monotonicMs();
    this.#saidMs = undefined;
    this.#allow(exchange.timeouts.firstByteMs, this.#begunMs);
    const { head, body } = exchange.takeUnsent();
    if (!body) this.#socket.write(head, 'latin1');
    else if (body.length <= ONE_WRITE_BYTES) this.#socket.write(head + body.toString('latin1'), 'latin1');
    else {
      this.#socket.cork();
      this.#socket.write(head, 'latin1');
      this.#socket.write(body);
      this.#socket.uncork();
    }
  }

  #take(exchange: Exchange, bytes: Buffer, length: number): void {
    this.#isSaid = false;
    try {
      this.#parse(exchange, bytes, length);
    } catch (thrown) {
      this.#close(toError(thrown));
    }
    // The handler may have broken the exchange off.
    if (this.#exchange !== exchange) return;
    if (this.#parser.complete && !exchange.paused) this.#complete(exchange);
    else if (this.#parser.started) this.#waitForMore(exchange);
  }

  /** What says nothing is no beginning of an answer, and keeps one only for a while. */
  #waitForMore({ timeouts }: Exchange): void {
    const { firstByteMs, idleMs } = timeouts;
    const nowMs = this.#home.monotonicMs();
    if (this.#isSaid) this.#saidMs = nowMs;
    const lastMs =
      this.#saidMs === undefined ? this.#begunMs + firstByteMs : this.#saidMs + SIGNS_KEEP * idleMs;
    this.#isBounded = nowMs + idleMs > lastMs;
    this.#allow(idleMs, this.#isBounded ? lastMs - idleMs : nowMs);
  }

  #parse(exchange: Exchange, bytes: Buffer, length: number): void {
    let at = 0;
    this.#parsing = true;
    try {
      try {
        while (at < length && !exchange.paused && !this.#parser.complete && this.#exchange === exchange)
          at = this.#parser.step(bytes, at, length);
      } finally {
        // Also what came before something that is no answer.
        this.#handOn(exchange, bytes);
      }
    } finally {
      this.#parsing = false;
    }
    if (at === length) return;
    if (this.#parser.complete) this.#surplus = true;
    else if (exchange.paused) this.#unread = Buffer.from(bytes.subarray(at, length));
  }

  #handOn(exchange: Exchange, bytes: Buffer): void {
    const [start, end] = [this.#bodyStart, this.#bodyEnd];
    this.#bodyEnd = 0;
    if (end === 0 || this.#exchange !== exchange) return;
    if (!this.#isSaid) this.#isSaid = !isSignOfLife(bytes, start, end);
    const own = Buffer.allocUnsafe(end - start);
    bytes.copy(own, 0, start, end);
    exchange.handler.onResponseData(exchange, own);
  }

  #complete(exchange: Exchange): void {
    this.#exchange = undefined;
    const { keepAlive } = this.#parser;
    // An answer that came before all of its request was sent: the rest of it would be in the way of the next.
    const isFree =
      keepAlive &&
      !this.#surplus &&
      !this.#ended &&
      this.#keepAliveMs > 0 &&
      this.#socket.writableLength === 0;
    if (isFree) {
      this.#parser.reset();
      this.#allow(this.#keepAliveMs);
      this.#home.takeBack(this);
    } else this.destroy();
    try {
      exchange.handler.onResponseEnd(exchange);
    } catch (thrown) {
      exchange.handler.onResponseError(exchange, toError(thrown));
    }
  }

  #endOfInput(): void {
    const exchange = this.#exchange;
    if (exchange?.paused) {
      this.#ended = true;
      return;
    }
    try {
      this.#parser.close();
    } catch (thrown) {
      this.#end(toError(thrown));
      return;
    }
    if (exchange && exchange === this.#exchange) this.#complete(exchange);
  }

  /** The socket is gone. What was read before is still to be handed on. */
  #lose(error: Error): void {
    if (!this.#ended || !this.#exchange?.paused) this.#end(error);
  }

  /** The other side, or what is between, ends it. */
  #end(error: Error): void {
    this.#close(this.#connected ? error : unconnected(error));
  }

  #close(error: Error): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#home.deadlines.remove(this, this.#limitMs);
    this.#home.forget(this);
    this.#socket.destroy();
    const exchange = this.#exchange;
    this.#exchange = undefined;
    exchange?.handler.onResponseError(exchange, error);
  }

  #allow(limitMs: number, sinceMs = this.#home.monotonicMs()): void {
    const { deadlines } = this.#home;
    if (this.#limitMs > 0) deadlines.remove(this, this.#limitMs);
    this.#limitMs = limitMs;
    deadlines.add(this, sinceMs, limitMs);
  }
}

/** How long the connection may wait for its next request (`timeout` of the header `keep-alive`, in seconds). */
function readKeepAlive(header: AnswerHeaders[string]): number {
  const seconds = header === undefined ? undefined : /\btimeout=(\d+)/.exec(String(header))?.[1];
  if (seconds === undefined) return KEEP_ALIVE_MS;
  return Math.min(Number(seconds) * 1000, MAX_KEEP_ALIVE_MS) - KEEP_ALIVE_MARGIN_MS;
}

function closedEarly(): ConnectionError {
  return new ConnectionError('CLOSED_EARLY', 'the other side closed the connection');
}

/** Why there was no connection: that it was broken off before it stood (its TLS, most of the time) is no broken exchange. */
function unconnected(error: Error): Error {
  const isBrokenOff = 'code' in error && BROKEN_OFF.has(error.code);
  return isBrokenOff ? new ConnectionError('NOT_CONNECTED', error.message) : error;
}

function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
