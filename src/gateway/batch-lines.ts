import { appendAll } from '../conversation/append-all.ts';
import { GatewayError, invalidRequest } from '../conversation/gateway-error.ts';
import { passThrough as chat } from '../dialects/chat/pass-through.ts';
import { findInTexts, mayNameInTexts } from '../dialects/files-in-texts.ts';
import { mayNameHeld } from '../dialects/held-bytes.ts';
import { findHeldReferences, type HeldReference } from '../dialects/held-references.ts';
import { findTopLevelFields, parseField } from '../dialects/request-fields.ts';
import { passThrough as responses } from '../dialects/responses/pass-through.ts';
import { SeenWords } from '../dialects/seen-words.ts';
import { WordTable } from '../dialects/word-table.ts';
import { parseBody } from './parse-body.ts';

/** What a line of a batch names of what providers hold. */
export interface NamedInLine {
  references: HeldReference[];
  /** The response that it goes on from. */
  previous: string | undefined;
}

const LINE_FIELDS = new WordTable(['custom_id', 'method', 'url', 'body']);
const LINE_FEED = 0x0a;
const OPEN_BRACE = 0x7b;
const PREVIOUS = 'previous_response_id';
const NAMES_NOTHING: NamedInLine = { references: [], previous: undefined };

/** By their URLs lines are requests in either; which of the two a server goes by, the line's or the batch's, is its own affair. */
const DIALECTS = ['chat', 'responses'] as const;
const REQUEST_FIELDS = new WordTable([...chat.fields.words, ...responses.fields.words]);

/**
 * Reads one line of a batch file, whose `body` is a request.
 *
 * @param filesInTexts what stands before ids in texts that the batch's provider reads
 * Source: OpenAI API reference, "The request input object" (batches).
 *
 * @throws GatewayError `invalid_request` where it is no JSON object, or two readers could read different ids in it.
 */
export function readBatchLine(line: Buffer, filesInTexts?: string): NamedInLine {
  const { body } = findTopLevelFields(line, LINE_FIELDS);
  if (!body) return NAMES_NOTHING;
  const request = line.subarray(body.start, body.end);
  const words = new SeenWords();
  const spans = findTopLevelFields(request, REQUEST_FIELDS, words);
  const span = spans[PREVIOUS];
  const previous = span ? parseField(request, span, PREVIOUS) : undefined;
  const named = DIALECTS.filter((dialect) => mayNameHeld(request, spans, words, dialect));
  const readsTexts = filesInTexts !== undefined && mayNameInTexts(request, filesInTexts);
  const parsed = named.length > 0 || readsTexts ? parseBody(request) : {};
  const references = named.flatMap((dialect) => findHeldReferences(request, parsed, dialect));
  if (readsTexts) appendAll(references, findInTexts(parsed, filesInTexts));
  return {
    references,
    previous: typeof previous === 'string' ? previous : undefined,
  };
}

/** Cuts what arrives into lines, of which one is kept at a time. */
export class LineCutter {
  /** The one that is under way, counted from 1. */
  line = 1;
  readonly #maxBytes: number;
  #pieces: Buffer[] = [];
  #bytes = 0;
  #hasBegun = false;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /**
   * The lines that end in these bytes.
   *
   * @throws GatewayError `invalid_request`, `payload_too_large` where a line begins that is no JSON object, or is too long.
   */
  push(bytes: Buffer): Buffer[] {
    const lines: Buffer[] = [];
    let from = 0;
    for (let at = bytes.indexOf(LINE_FEED); at !== -1; at = bytes.indexOf(LINE_FEED, from)) {
      this.#keep(bytes.subarray(from, at));
      lines.push(this.#take());
      from = at + 1;
      this.line++;
    }
    this.#keep(bytes.subarray(from));
    return lines;
  }

  /** The rest, which no line feed ended. */
  end(): Buffer[] {
    return [this.#take()];
  }

  #keep(bytes: Buffer): void {
    if (bytes.length === 0) return;
    if (!this.#hasBegun) this.#begin(bytes);
    this.#pieces.push(bytes);
    this.#bytes += bytes.length;
    if (this.#bytes > this.#maxBytes) {
      throw new GatewayError(
        'payload_too_large',
        `A line of a batch may have ${this.#maxBytes} bytes, as every request.`,
        { param: 'file' },
      );
    }
  }

  /** Other files, which may have no lines at all, are given up at once. */
  #begin(bytes: Buffer): void {
    const first = bytes.find((byte) => byte > 0x20);
    if (first === undefined) return;
    if (first !== OPEN_BRACE) throw invalidRequest('It is not valid JSON: an object was expected.', 'file');
    this.#hasBegun = true;
  }

  #take(): Buffer {
    const line = this.#pieces.length === 1 && this.#pieces[0] ? this.#pieces[0] : Buffer.concat(this.#pieces);
    this.#pieces = [];
    this.#bytes = 0;
    this.#hasBegun = false;
    return line;
  }
}

/** A line that holds nothing. */
export function isBlank(line: Buffer): boolean {
  return line.every((byte) => byte <= 0x20);
}

/** The same error, told of a line. Lines are counted from 1. */
export function inLine(error: unknown, line: number): unknown {
  if (!(error instanceof GatewayError) || error.kind !== 'invalid_request') return error;
  const { message, code } = error;
  return invalidRequest(`Line ${line} of the batch: ${message}`, 'file', code);
}
