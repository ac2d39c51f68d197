/** What a message is made of, told as it arrives. */
export interface MessageListener {
  /** Start line and header lines, without the closing empty line. */
  onHead(head: string): void;
  /** Body bytes with the framing removed; only valid during the call. */
  onBody(bytes: Buffer): void;
  onEnd(): void;
}

const HEAD_END = '\r\n\r\n';
const LINE_END = '\r\n';

type State = 'head' | 'fixed-body' | 'chunk-size' | 'chunk-body' | 'chunk-end' | 'trailer';

/**
 * Reads HTTP/1.1 messages off a connection, requests or responses, however the bytes are cut. It does what the
 * bench's own traffic needs and no more (no upgrade, no bodies that end with the connection): the point of it is to
 * cost so little next to a gateway that upstream and load share one core.
 */
export class MessageReader {
  readonly #listener: MessageListener;
  #state: State = 'head';
  /** Start of a head or line whose end has not arrived. */
  #partial = '';
  /** Body bytes still to come, of the message or of its current chunk. */
  #remaining = 0;

  constructor(listener: MessageListener) {
    this.#listener = listener;
  }

  /** Throws when the bytes are not HTTP/1.1, or an answer whose body has no declared length. */
  feed(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length) {
      at = this.#state.endsWith('body') ? this.#readBody(bytes, at) : this.#readText(bytes, at);
    }
  }

  #readBody(bytes: Buffer, at: number): number {
    const end = Math.min(bytes.length, at + this.#remaining);
    this.#remaining -= end - at;
    this.#listener.onBody(bytes.subarray(at, end));
    if (this.#remaining > 0) return end;
    if (this.#state === 'chunk-body') this.#state = 'chunk-end';
    else this.#finishMessage();
    return end;
  }

  /** Reads up to the end of a head or line; keeps what is there when the end is still to come. */
  #readText(bytes: Buffer, at: number): number {
    const mark = this.#state === 'head' ? HEAD_END : LINE_END;
    if (this.#partial === '') {
      const end = bytes.indexOf(mark, at, 'latin1');
      if (end !== -1) {
        this.#takeText(bytes.toString('latin1', at, end));
        return end + mark.length;
      }
    }
    const text = this.#partial + bytes.toString('latin1', at);
    const end = text.indexOf(mark);
    if (end === -1) {
      this.#partial = text;
      return bytes.length;
    }
    const next = at + end + mark.length - this.#partial.length;
    this.#partial = '';
    this.#takeText(text.slice(0, end));
    return next;
  }

  #takeText(text: string): void {
    if (this.#state === 'head') this.#takeHead(text);
    else if (this.#state === 'chunk-size') this.#takeChunkSize(text);
    else if (this.#state === 'chunk-end') this.#state = 'chunk-size';
    else if (text === '') this.#finishMessage();
  }

  #takeHead(head: string): void {
    this.#listener.onHead(head);
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
    if (length !== undefined) {
      this.#remaining = Number(length);
      this.#state = 'fixed-body';
      if (this.#remaining === 0) this.#finishMessage();
    } else if (/\r\ntransfer-encoding: *chunked/i.test(head)) {
      this.#state = 'chunk-size';
    } else if (head.startsWith('HTTP/')) {
      throw new Error(`an answer without a length: ${head.slice(0, 200)}`);
    } else {
      this.#finishMessage();
    }
  }

  #takeChunkSize(line: string): void {
    const size = Number.parseInt(line, 16);
    if (Number.isNaN(size)) throw new Error(`not a chunk size: ${line.slice(0, 40)}`);
    this.#remaining = size;
    this.#state = size === 0 ? 'trailer' : 'chunk-body';
  }

  #finishMessage(): void {
    this.#state = 'head';
    this.#listener.onEnd();
  }
}
