/**
 * Words that are looked for in bytes. Their lengths and first bytes tell them from nearly all else, of which no text has
 * to be made then.
 */
export class WordTable<W extends string = string> {
  readonly words: readonly W[];
  readonly #bytes: readonly Uint8Array[];
  readonly #longest: number;
  /** By length and first byte: the place of a word, counted from 1; by place: that of the next that begins as it does. */
  readonly #first: Uint8Array;
  readonly #next: Uint8Array;

  constructor(words: Iterable<W>) {
    this.words = [...new Set(words)];
    this.#bytes = this.words.map((word) => Buffer.from(word));
    this.#longest = this.#bytes.reduce((length, bytes) => Math.max(length, bytes.length), 0);
    this.#first = new Uint8Array((this.#longest + 1) << 8);
    this.#next = new Uint8Array(this.words.length + 1);
    if (this.words.length > MAX_WORDS) throw new Error(`a table holds ${MAX_WORDS} words at most`);
    for (const [place, bytes] of this.#bytes.entries()) {
      const beginning = beginningOf(bytes.length, bytes[0]);
      this.#next[place + 1] = this.#first[beginning] ?? 0;
      this.#first[beginning] = place + 1;
    }
  }

  /** The place among the `words` of the one that the bytes are; -1 where they are none of them. */
  find(body: Uint8Array, start: number, end: number): number {
    const length = end - start;
    if (length > this.#longest) return -1;
    let place = this.#first[beginningOf(length, body[start])] ?? 0;
    while (place > 0 && !isAt(body, start, this.#bytes[place - 1])) place = this.#next[place] ?? 0;
    return place - 1;
  }
}

const MAX_WORDS = 255;

function beginningOf(length: number, first = 0): number {
  return length === 0 ? 0 : (length << 8) | first;
}

/** For words, of which the first bytes tell: a native comparison costs more than all of them. */
export function isAt(body: Uint8Array, start: number, bytes: Uint8Array = NONE): boolean {
  for (let at = 0; at < bytes.length; at++) if (body[start + at] !== bytes[at]) return false;
  return true;
}

const NONE = new Uint8Array();
