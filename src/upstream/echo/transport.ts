import { decodeUtf8 } from '../../conversation/utf8.ts';
import type { ExchangeControl, ExchangeHandler } from '../exchange.ts';
import { answerRequest, type EchoAnswer } from './answer.ts';

/** Others get their turn after so many chunks. */
const CHUNKS_PER_TURN = 4;

/**
 * Stands in for a connection where the provider is this process: answers
 * `POST …/chat/completions` and `POST …/embeddings` by the echo model. As over a connection, the answer comes in
 * later turns of the event loop, waits while the exchange is paused, and ends in `onResponseError` when aborted.
 * `created` dates the answer, in Unix seconds.
 */
export function dispatchEcho(request: EchoRequest, handler: ExchangeHandler, created: number): void {
  new EchoExchange(handler).start(() =>
    answerRequest(request.method, request.path, readBody(request.body), created),
  );
}

/** What the echo model reads of a request. */
export interface EchoRequest {
  method: string;
  path: string;
  body: unknown;
}

/** `undefined` for bytes that are no UTF-8. */
function readBody(body: EchoRequest['body']): string | undefined {
  if (typeof body === 'string') return body;
  if (body instanceof Uint8Array)
    return decodeUtf8(Buffer.from(body.buffer, body.byteOffset, body.byteLength));
  throw new TypeError('the echo provider takes its body as text or bytes');
}

/** One request and its answer. */
class EchoExchange implements ExchangeControl {
  readonly #handler: ExchangeHandler;
  #chunks: Iterator<string> | undefined;
  #nextTurn: NodeJS.Immediate | undefined;
  #paused = false;
  #over = false;
  #failed = false;

  constructor(handler: ExchangeHandler) {
    this.#handler = handler;
  }

  get paused(): boolean {
    return this.#paused;
  }

  start(makeAnswer: () => EchoAnswer): void {
    this.#guard(() => this.#handler.onRequestStart(this));
    this.#continueLater(() => this.#begin(makeAnswer()));
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    if (this.#chunks) this.#continueLater(() => this.#pump());
  }

  abort(reason: Error): void {
    if (this.#over) return;
    this.#fail(reason);
  }

  #begin({ status, headers, chunks }: EchoAnswer): void {
    this.#chunks = chunks[Symbol.iterator]();
    this.#handler.onResponseStart(this, status, headers);
    this.#continueLater(() => this.#pump());
  }

  #pump(): void {
    for (let count = 0; count < CHUNKS_PER_TURN; count += 1) {
      if (this.#over || this.#paused) return;
      const next = this.#chunks?.next();
      if (!next || next.done) {
        this.#over = true;
        this.#handler.onResponseEnd(this);
        return;
      }
      this.#handler.onResponseData(this, Buffer.from(next.value));
    }
    this.#continueLater(() => this.#pump());
  }

  /** One step at a time waits: to be resumed twice is not to be twice as fast. */
  #continueLater(step: () => void): void {
    if (this.#over || this.#nextTurn) return;
    this.#nextTurn = setImmediate(() => {
      this.#nextTurn = undefined;
      this.#guard(step);
    });
  }

  /** As over a connection, what a handler throws ends its exchange. */
  #guard(step: () => void): void {
    try {
      step();
    } catch (thrown) {
      this.#fail(thrown instanceof Error ? thrown : new Error(String(thrown)));
    }
  }

  /** An exchange fails once: a handler that aborts and then throws has been told already. */
  #fail(error: Error): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#over = true;
    if (this.#nextTurn) clearImmediate(this.#nextTurn);
    this.#handler.onResponseError(this, error);
  }
}
