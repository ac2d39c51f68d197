import type { CompletionEvent } from '../../conversation/completion.ts';
import type { GatewayError } from '../../conversation/gateway-error.ts';
import type { Usage } from '../../conversation/usage.ts';
import type { Dialect, StreamEncoder, StreamEncoderOptions } from '../dialect.ts';
import { beforeFailure, eventField, splitEvents } from '../event-bytes.ts';
import type { MadeIds, PassThrough, StreamScanner } from '../pass-through.ts';
import { encodeError } from './errors.ts';
import { gemini } from './index.ts';
import { passThrough } from './pass-through.ts';
import { streamEncoder } from './stream-encode.ts';

/*
 * `streamGenerateContent` without `alt=sse`: one JSON array, whose elements come one by one.
 * Source: Gemini API reference, `models.streamGenerateContent`.
 */

/** Makes the elements of an array of the events of a stream. */
class ArrayWriter {
  #open = false;

  add(events: string | Buffer): string {
    let out = '';
    for (const event of splitEvents(Buffer.from(events))) {
      const data = eventField(event.toString('utf8'), 'data');
      if (data !== undefined && data !== '') out += this.#element(data);
    }
    return out;
  }

  close(): string {
    return this.#open ? '\n]\n' : '[]\n';
  }

  #element(json: string): string {
    const before = this.#open ? '\n,\r\n' : '[';
    this.#open = true;
    return before + json;
  }
}

class ArrayEncoder implements StreamEncoder {
  readonly #inner: StreamEncoder;
  readonly #array = new ArrayWriter();

  constructor(options: StreamEncoderOptions) {
    this.#inner = streamEncoder(options);
  }

  push(event: CompletionEvent): string {
    const elements = this.#array.add(this.#inner.push(event));
    const isLast = event.type === 'end' || event.type === 'error';
    return isLast ? elements + this.#array.close() : elements;
  }
}

class ArrayScanner implements StreamScanner {
  readonly cutsFailure = true;
  readonly #inner: StreamScanner;
  readonly #array = new ArrayWriter();

  constructor(inner: StreamScanner) {
    this.#inner = inner;
  }

  get usage(): Usage | undefined {
    return this.#inner.usage;
  }

  get model(): string | undefined {
    return this.#inner.model;
  }

  get hasOutput(): boolean {
    return this.#inner.hasOutput;
  }

  get finished(): boolean {
    return this.#inner.finished;
  }

  get terminated(): boolean {
    return this.#inner.terminated;
  }

  get failure(): GatewayError | undefined {
    return this.#inner.failure;
  }

  get failureIsTold(): boolean {
    return this.#inner.failureIsTold;
  }

  get outputEvents(): number {
    return this.#inner.outputEvents;
  }

  get madeIds(): MadeIds | undefined {
    return this.#inner.madeIds;
  }

  scan(events: Buffer): Buffer {
    const relayed = this.#inner.scan(events);
    const { failure, failureIsTold } = this.#inner;
    if (!failure) return Buffer.from(this.#array.add(relayed));
    // The error is the last element: the provider's own, or the one that `breakOff` adds.
    if (failureIsTold) return Buffer.from(this.#array.add(relayed) + this.#array.close());
    return Buffer.from(this.#array.add(beforeFailure(relayed)));
  }

  isWholeEvent(rest: Buffer): boolean {
    return this.#inner.isWholeEvent(rest);
  }

  closing(): string {
    return this.#array.close();
  }

  breakOff(error: GatewayError): string {
    return this.#array.add(`data: ${JSON.stringify(encodeError(error))}\n\n`) + this.#array.close();
  }
}

/** The dialect with streams in this form. */
export const geminiArray: Dialect = {
  ...gemini,
  // A comment has no place in JSON, but white space has.
  keepAlive: '\n',
  streamEncoder: (options) => new ArrayEncoder(options),
};

export const arrayPassThrough: PassThrough = {
  ...passThrough,
  streamScanner: (options) => new ArrayScanner(passThrough.streamScanner(options)),
};
