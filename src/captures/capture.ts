import type { CallerDialectName } from '../dialects/dialect.ts';

/** What a tenant has kept of its calls, and how. */
export interface CapturePolicy {
  retentionMs: number;
  /** Regular expressions; what they match, wherever in a prompt or an answer, is blanked out before anything is written. */
  redact: readonly string[];
}

/** What an answer is written in: a dialect, or the output of a prompt alone, which is JSON (`output`) or `text`, or the events of a stream of it. */
export type AnswerForm = CallerDialectName | 'output' | 'text';

/** A call whose prompt and answer are to be kept. */
export interface CapturedCall {
  id: string;
  tenant: string;
  /** Unix milliseconds. */
  startedAt: number;
  policy: CapturePolicy;
  /** What the client was answered in; `null` for a form whose streams nobody reads (legacy completions). */
  form: AnswerForm | null;
  /** The answer is a stream of server-sent events. */
  stream: boolean;
  /** The body of the request; empty where it was handed on while it arrived. */
  request: Buffer;
  answer: AnswerTap;
}

/** A larger answer is not kept: nothing of it could be redacted as a whole. */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;

/** What goes to a client, while it goes. */
export class AnswerTap {
  #chunks: Buffer[] = [];
  #bytes = 0;
  /** It was too large, or of no kind that is kept. */
  missed = false;

  get byteLength(): number {
    return this.#bytes;
  }

  push(bytes: Buffer | string, encoding: BufferEncoding = 'utf8'): void {
    if (this.missed) return;
    const chunk = typeof bytes === 'string' ? Buffer.from(bytes, encoding) : bytes;
    this.#bytes += chunk.length;
    if (this.#bytes > MAX_ANSWER_BYTES) this.miss();
    else this.#chunks.push(chunk);
  }

  miss(): void {
    this.missed = true;
    this.#chunks = [];
    this.#bytes = 0;
  }

  read(): Buffer {
    return Buffer.concat(this.#chunks);
  }
}

/** Why a part of a capture is not there. */
export type CaptureGap =
  /** Larger than what is kept, or no text. */
  | 'too_large_or_binary'
  /** It is in no form that can be redacted as a whole. */
  | 'unreadable'
  /** The tenant's expressions took too long over it: one of them is of the kind that tries every way to match. */
  | 'redaction_timed_out';

/** What is kept of a call. */
export interface Capture {
  /** JSON text, or the first megabyte of it where `truncated` is set. */
  request: string | null;
  response: string | null;
  truncated: boolean;
  gap: CaptureGap | null;
}
