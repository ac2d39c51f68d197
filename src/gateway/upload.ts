import { Readable } from 'node:stream';
import { GatewayError, invalidRequest } from '../conversation/gateway-error.ts';
import { type FormField, MultipartScan } from '../dialects/multipart/scan.ts';
import type { Spool, SpoolFile } from './spool.ts';

/** Of an upload so much is kept in memory, so that another attempt can follow one that failed. */
const KEEP_BYTES = 1024 * 1024;

/** A client that was refused is read on for so long: it may not look for the answer before it has sent everything. */
const DRAIN_BYTES = 64 * 1024 * 1024;

const NOTHING = Buffer.alloc(0);

export interface UploadOptions {
  source: Readable;
  contentType: string;
  boundary: string;
  /** As announced; `undefined` where the client did not say. */
  length: number | undefined;
  maxBytes: number;
  spool: Pick<Spool, 'open'>;
}

/**
 * A form that is handed on while it arrives. Where its model stands before its files, as it should, they are never stored:
 * what has been passed on is kept only up to a bound, within which the upload can be sent again. Where the files come
 * first, they wait in the spool for the model.
 */
export class Upload {
  /** The caller's own, for it names the boundary. */
  readonly contentType: string;
  readonly boundary: string;
  readonly #chunks: AsyncIterator<Buffer>;
  readonly #source: Readable;
  readonly #scan: MultipartScan;
  readonly #length: number | undefined;
  readonly #maxBytes: number;
  readonly #spool: Pick<Spool, 'open'>;
  #received = 0;
  #ended = false;
  #closed = false;
  #file: SpoolFile | undefined;
  /** What came after what is in the file; what was dropped of it is empty. */
  readonly #kept: Buffer[] = [];
  #keptBytes = 0;
  #dropped = 0;
  #canReplay = true;
  /** It is known where it goes. */
  #isOpen = false;
  /** More is being read; whoever comes meanwhile waits for the same. */
  #reading: Promise<void> | undefined;

  constructor({ source, contentType, boundary, length, maxBytes, spool }: UploadOptions) {
    this.contentType = contentType;
    this.boundary = boundary;
    this.#source = source;
    this.#chunks = source.iterator({ destroyOnReturn: false }) as AsyncIterator<Buffer>;
    this.#scan = new MultipartScan(boundary, new Set(['model']));
    this.#length = length;
    this.#maxBytes = maxBytes;
    this.#spool = spool;
  }

  /** Whether nothing was let go of what an attempt may have sent. */
  get canReplay(): boolean {
    return this.#canReplay;
  }

  /**
   * Reads as far as the model.
   *
   * @throws GatewayError `invalid_request`, `payload_too_large`, `overloaded` (the spool is full), `cancelled`
   */
  async readModel(): Promise<string> {
    this.#checkLength();
    for (;;) {
      const { model } = this.#fields;
      if (model) return model.value;
      if (this.#ended) throw invalidRequest("'model' is missing.", 'model');
      await this.#read();
      if (this.#keptBytes > KEEP_BYTES) await this.#moveToSpool();
    }
  }

  /**
   * The body from its beginning, with another model in it where one is given, and its length where it is known.
   *
   * @param pass hands the body on, and may look at it or end it meanwhile
   * @throws GatewayError `payload_too_large` for a length that is announced.
   */
  open(
    model?: string,
    pass?: (chunks: AsyncIterable<Buffer>) => AsyncIterable<Buffer>,
  ): { body: Readable; length: number | undefined } {
    this.#checkLength();
    this.#isOpen = true;
    const field = model === undefined ? undefined : this.#fields.model;
    const text = Buffer.from(model ?? '');
    const chunks = field ? replaceSpan(this.#readAll(), field, text) : this.#readAll();
    const grown = field ? text.length - (field.end - field.start) : 0;
    return {
      body: Readable.from(pass?.(chunks) ?? chunks, { objectMode: false, highWaterMark: 64 * 1024 }),
      length: this.#length === undefined ? undefined : this.#length + grown,
    };
  }

  /** The call is over. What its client still sends is read and ignored, up to a bound. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#kept.length = 0;
    // What the spool has lost by a failed close is lost by no caller.
    this.#file?.close().catch(() => {});
    const source = this.#source;
    source.on('error', () => {});
    let drained = 0;
    void Promise.resolve(this.#chunks.return?.())
      .catch(() => {})
      .then(() => {
        source.on('data', (chunk: Buffer) => {
          drained += chunk.length;
          if (drained > DRAIN_BYTES) source.destroy();
        });
      });
  }

  get #fields(): { model: FormField | undefined } {
    return { model: this.#scan.fields.get('model') };
  }

  async *#readAll(): AsyncGenerator<Buffer> {
    if (this.#file) yield* this.#file.read();
    for (let at = 0; ; ) {
      const chunk = this.#kept[at];
      if (chunk) {
        at++;
        yield chunk;
      } else if (this.#ended) return;
      else await this.#read();
      // Only one attempt reads what is not kept, and it has been here.
      while (!this.#canReplay && this.#dropped < at) this.#kept[this.#dropped++] = NOTHING;
    }
  }

  #read(): Promise<void> {
    this.#reading ??= this.#readOne().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #readOne(): Promise<void> {
    const { done, value } = await this.#next();
    if (done) {
      this.#scan.end();
      this.#ended = true;
      return;
    }
    this.#received += value.length;
    if (this.#received > this.#maxBytes) throw this.#tooLarge();
    this.#scan.push(value);
    this.#kept.push(value);
    this.#keptBytes += value.length;
    if (this.#isOpen && this.#keptBytes > KEEP_BYTES) this.#canReplay = false;
  }

  async #next(): Promise<IteratorResult<Buffer, unknown>> {
    try {
      return await this.#chunks.next();
    } catch (cause) {
      throw new GatewayError(
        'cancelled',
        'The client closed the connection before its upload was complete.',
        {
          cause,
        },
      );
    }
  }

  async #moveToSpool(): Promise<void> {
    const file = this.#file ?? (await this.#spool.open());
    this.#file = file;
    if (this.#closed) {
      // Its client left while the file was being opened.
      await file.close();
      throw new GatewayError('cancelled', 'The upload was given up.');
    }
    for (const chunk of this.#kept.splice(0)) await file.append(chunk);
    this.#keptBytes = 0;
  }

  #checkLength(): void {
    if (this.#length !== undefined && this.#length > this.#maxBytes) throw this.#tooLarge();
  }

  #tooLarge(): GatewayError {
    return new GatewayError(
      'payload_too_large',
      `The upload is larger than the limit of ${this.#maxBytes} bytes.`,
    );
  }
}

/** The same bytes with other ones in place of a span. */
async function* replaceSpan(
  chunks: AsyncIterable<Buffer>,
  { start, end }: { start: number; end: number },
  text: Buffer,
): AsyncGenerator<Buffer> {
  let offset = 0;
  for await (const chunk of chunks) {
    const [from, to] = [start - offset, end - offset];
    offset += chunk.length;
    if (from > 0) yield chunk.subarray(0, from);
    if (from >= 0 && from < chunk.length) yield text;
    if (to < chunk.length) yield chunk.subarray(Math.max(0, to));
  }
}
