import { invalidRequest } from '../../conversation/gateway-error.ts';
import { notMultipart, type PartHead, readPartHead } from './head.ts';

/** A plain field that was wanted: its value, and where it stands in the body. */
export interface FormField {
  value: string;
  start: number;
  end: number;
}

const LINE_BREAK = Buffer.from('\r\n');
const LINE_FEED = Buffer.from('\n');
const HEAD_END = Buffer.from('\r\n\r\n');
const MAX_HEAD_BYTES = 16 * 1024;
const MAX_PARTS = 256;
/** What is wanted is short; files pass by. */
const MAX_VALUE_BYTES = 1024;

type State = 'body' | 'after delimiter' | 'head' | 'end';

/**
 * Watches a multipart/form-data body go by (RFC 2046 5.1.1, RFC 7578), however its packets are cut, and keeps no more of it
 * than the end of what could still become a delimiter. Files are not looked into here.
 */
export class MultipartScan {
  readonly fields = new Map<string, FormField>();
  readonly #delimiter: Buffer;
  readonly #wanted: ReadonlySet<string>;
  /** What stands before the first delimiter is the body of no part; a line break before the very first one is not sent. */
  #state: State = 'body';
  #rest: Buffer = LINE_BREAK;
  /** Where `#rest` begins in the body. */
  #offset = -2;
  #parts = 0;
  /** The wanted field that is under way. */
  #field: { name: string; start: number } | undefined;
  readonly #seen = new Set<string>();
  readonly #onFile: ((bytes: Buffer) => void) | undefined;
  #inFile = false;

  /** @param onFile is given what files hold, as it comes; a line feed behind each */
  constructor(boundary: string, wanted: ReadonlySet<string>, onFile?: (bytes: Buffer) => void) {
    this.#delimiter = Buffer.from(`--${boundary}`, 'latin1');
    this.#wanted = wanted;
    this.#onFile = onFile;
  }

  /** The last delimiter has come. */
  get isOver(): boolean {
    return this.#state === 'end';
  }

  /** @throws GatewayError `invalid_request` where it is no form, or a wanted field stands there twice. */
  push(chunk: Buffer): void {
    if (this.#state === 'end') return;
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    while (this.#step());
  }

  /** The body is over. @throws GatewayError `invalid_request` where its last delimiter did not come. */
  end(): void {
    if (this.#state !== 'end') throw notMultipart('it ends before its last boundary');
  }

  /** One step through `#rest`; false where more bytes are needed. */
  #step(): boolean {
    switch (this.#state) {
      case 'body':
        return this.#stepBody();
      case 'after delimiter':
        return this.#stepDelimiter();
      case 'head':
        return this.#stepHead();
      case 'end':
        this.#drop(this.#rest.length);
        return false;
    }
  }

  /** The boundary occurs nowhere else in a form, so that no reader can take for a delimiter what another takes for content. */
  #stepBody(): boolean {
    const at = this.#rest.indexOf(this.#delimiter);
    if (at === -1) {
      const kept = this.#delimiter.length - 1 + LINE_BREAK.length;
      if (this.#field) this.#checkLength(this.#offset + this.#rest.length - kept);
      else this.#dropContent(Math.max(0, this.#rest.length - kept));
      return false;
    }
    const end = at - LINE_BREAK.length;
    if (end < 0 || !this.#rest.subarray(end, at).equals(LINE_BREAK)) {
      throw notMultipart('its boundary stands within a part');
    }
    this.#endField(end);
    this.#endFile(end);
    this.#drop(at + this.#delimiter.length);
    this.#state = 'after delimiter';
    return true;
  }

  #stepDelimiter(): boolean {
    if (this.#rest.length < 2) return false;
    const two = this.#rest.toString('latin1', 0, 2);
    if (two === '--') this.#state = 'end';
    else if (two === '\r\n') {
      this.#parts++;
      if (this.#parts > MAX_PARTS) throw notMultipart(`it has more than ${MAX_PARTS} parts`);
      this.#state = 'head';
      // The line break stays: it is half of the blank line behind a head that is empty.
      return true;
    } else throw notMultipart('its boundary stands within a part');
    this.#drop(2);
    return true;
  }

  #stepHead(): boolean {
    const at = this.#rest.indexOf(HEAD_END);
    if (at > MAX_HEAD_BYTES || (at === -1 && this.#rest.length > MAX_HEAD_BYTES)) {
      throw notMultipart('a part has a head that is too long');
    }
    if (at === -1) return false;
    const head = readPartHead(this.#rest.toString('utf8', 2, Math.max(2, at)));
    this.#drop(at + HEAD_END.length);
    this.#beginPart(head);
    this.#state = 'body';
    return true;
  }

  #beginPart({ name, isFile, isEncoded }: PartHead): void {
    if (this.#onFile && (isFile || name === 'file')) {
      if (isEncoded) throw invalidRequest(`'${name}' must be sent without a transfer encoding.`, name);
      this.#inFile = true;
    }
    if (name === undefined || !this.#wanted.has(name)) return;
    if (this.#seen.has(name)) throw invalidRequest(`'${name}' stands twice in the form.`, name);
    if (isFile || isEncoded) throw invalidRequest(`'${name}' must be a plain field of the form.`, name);
    this.#seen.add(name);
    this.#field = { name, start: this.#offset };
  }

  #endField(at: number): void {
    if (!this.#field) return;
    const { name, start } = this.#field;
    const end = this.#offset + at;
    this.#checkLength(end);
    this.#field = undefined;
    this.fields.set(name, { value: this.#rest.toString('utf8', start - this.#offset, at), start, end });
  }

  #dropContent(bytes: number): void {
    if (this.#inFile) this.#onFile?.(this.#rest.subarray(0, bytes));
    this.#drop(bytes);
  }

  #endFile(at: number): void {
    if (!this.#inFile) return;
    this.#inFile = false;
    this.#onFile?.(this.#rest.subarray(0, at));
    this.#onFile?.(LINE_FEED);
  }

  #checkLength(end: number): void {
    if (this.#field && end - this.#field.start > MAX_VALUE_BYTES) {
      throw invalidRequest(
        `'${this.#field.name}' is longer than ${MAX_VALUE_BYTES} bytes.`,
        this.#field.name,
      );
    }
  }

  #drop(bytes: number): void {
    this.#rest = this.#rest.subarray(bytes);
    this.#offset += bytes;
  }
}
