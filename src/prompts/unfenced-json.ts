/** Models that have no structured output write JSON like that; some name the language, some leave the line out. */
const FENCE = /^```(?:[ \t]*\w*[ \t]*\r?\n\s*(?=\S)|[ \t]*(?:json)?[ \t]*(?=[[{"]))/i;
/** What has not become a fence by then is none. */
const LONGEST_FENCE = 64;

/** JSON text as a model writes it, piece by piece: without the fence around it and blanks at its ends, and nothing else changed. */
export class UnfencedJson {
  /** `begin`: it is not known yet whether there is a fence. */
  #state: 'begin' | 'plain' | 'fenced' = 'begin';
  /** What may belong to a fence or to the blanks at an end. */
  #held = '';

  /** Gives what is known to be JSON text by now. */
  push(piece: string): string {
    this.#held += piece;
    if (this.#state === 'begin') this.#begin();
    return this.#state === 'begin' ? '' : this.#take();
  }

  /** Gives the rest. */
  end(): string {
    const held = this.#held.trim();
    this.#held = '';
    if (this.#state === 'begin') return held;
    return this.#state === 'fenced' && held === '```' ? '' : held;
  }

  #begin(): void {
    const text = this.#held.trimStart();
    if (text.length < 3 && '```'.startsWith(text)) return;
    const fence = FENCE.exec(text);
    if (fence) {
      this.#state = 'fenced';
      this.#held = text.slice(fence[0].length);
    } else if (!text.startsWith('```') || text.length > LONGEST_FENCE) {
      this.#state = 'plain';
      this.#held = text;
    }
  }

  #take(): string {
    const text = this.#held;
    let end = endOfWords(text, text.length);
    if (this.#state === 'fenced') {
      let ticks = 0;
      while (ticks < 3 && text[end - ticks - 1] === '`') ticks++;
      if (ticks > 0) end = endOfWords(text, end - ticks);
    }
    this.#held = text.slice(end);
    return text.slice(0, end);
  }
}

/** Where blanks begin that end at `end`. */
function endOfWords(text: string, end: number): number {
  let at = end;
  while (at > 0 && BLANKS.has(text.charCodeAt(at - 1))) at--;
  return at;
}

/** Source: RFC 8259 2. */
const BLANKS: ReadonlySet<number> = new Set([0x20, 0x09, 0x0a, 0x0d]);

/** The same of a whole text. */
export function unfenceJson(text: string): string {
  const json = new UnfencedJson();
  return json.push(text) + json.end();
}
