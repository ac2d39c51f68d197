import { isObject, tryParseJson } from '../../conversation/json.ts';
import { isJsonPrefix } from './json-prefix.ts';

const CLOSING_BRACE = 0x7d;
const SPACE = 0x20;

/**
 * Adds up the arguments of one function call from its deltas. Some servers send all arguments so far in each delta, or the whole
 * once more at the end. Both are noticed where a piece repeats everything so far and could not possibly go on with it
 * (`{"` and then `{"city`). Where it could (`{"a":` and then `{"a":1}`), it is held back until what follows tells, or the end: there
 * the pieces are taken together where that is an object, and else the last of them where that is one.
 */
export class ArgumentsText {
  /** All that was given. */
  text = '';
  #cumulative = false;
  #held: string[] = [];

  /** Takes a delta and gives what is new in it, as far as that is known. */
  take(piece: string): string {
    if (this.#held.length > 0) return this.#takeHeld(piece);
    if (!piece.startsWith(this.text) || !this.text.startsWith('{')) return this.#give(piece);
    if (!this.#cumulative && isJsonPrefix(this.text + piece)) {
      this.#held.push(piece);
      return '';
    }
    this.#cumulative = true;
    return this.#give(piece.slice(this.text.length));
  }

  /** What is still held back, when nothing follows. */
  end(): string {
    const last = this.#held.at(-1);
    if (last === undefined) return '';
    const joined = this.#held.join('');
    const isRepetition = !isWholeObject(this.text + joined) && isWholeObject(last);
    this.#held = [];
    return this.#give(isRepetition ? last.slice(this.text.length) : joined);
  }

  /** Whether the arguments are whole, so that nothing more can follow. */
  get isWhole(): boolean {
    return isWholeObject(this.text + this.#held.join(''));
  }

  #takeHeld(piece: string): string {
    const joined = this.#held.join('');
    const last = this.#held.at(-1) ?? '';
    if (!piece.startsWith(last)) {
      this.#held = [];
      // Behind what was held, the piece may be the whole once more.
      return this.#give(joined) + this.take(piece);
    }
    if (isJsonPrefix(this.text + joined + piece)) {
      this.#held.push(piece);
      return '';
    }
    this.#held = [];
    this.#cumulative = true;
    return this.#give(piece.slice(this.text.length));
  }

  #give(fresh: string): string {
    this.text += fresh;
    return fresh;
  }
}

function isWholeObject(text: string): boolean {
  let end = text.length - 1;
  while (end >= 0 && text.charCodeAt(end) <= SPACE) end--;
  return text.charCodeAt(end) === CLOSING_BRACE && isObject(tryParseJson(text));
}
