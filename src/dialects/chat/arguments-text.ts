import { isObject, tryParseJson } from '../../conversation/json.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SPACE = 0x20;

/** After which characters of JSON, outside strings, an object may begin: `:`, `[` and `,`. */
const BEFORE_OBJECT = new Set([0x3a, 0x5b, 0x2c]);

/**
 * Adds up the arguments of one function call from its deltas. Some servers send all arguments so far in each delta,
 * or the whole once more at the end; both are noticed where the pieces could not possibly follow each other: a
 * piece that repeats everything so far, opening brace first, at a place where JSON cannot have an object. Where it
 * could (`{"a":` followed by `{"a":1}`) the piece is taken at its word.
 */
export class ArgumentsText {
  text = '';
  #cumulative = false;
  #inString = false;
  #escaped = false;
  /** The last character outside strings that is no space. */
  #last = 0;

  /** Takes a delta and gives what is new in it. */
  take(piece: string): string {
    if (this.#repeats(piece)) this.#cumulative = true;
    const repeated = this.#cumulative && piece.startsWith(this.text);
    const fresh = repeated ? piece.slice(this.text.length) : piece;
    this.#scan(fresh);
    this.text += fresh;
    return fresh;
  }

  /** Whether the arguments are whole, so that nothing more can follow. */
  get isWhole(): boolean {
    return !this.#inString && this.#last === 0x7d && isObject(tryParseJson(this.text));
  }

  #repeats(piece: string): boolean {
    if (this.#inString || BEFORE_OBJECT.has(this.#last)) return false;
    return this.text.startsWith('{') && piece.startsWith(this.text);
  }

  #scan(piece: string): void {
    for (let at = 0; at < piece.length; at++) {
      const char = piece.charCodeAt(at);
      if (this.#escaped) this.#escaped = false;
      else if (this.#inString && char === BACKSLASH) this.#escaped = true;
      else if (char === QUOTE) this.#inString = !this.#inString;
      if (!this.#inString && char > SPACE) this.#last = char;
    }
  }
}
