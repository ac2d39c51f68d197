/** Models that have no structured output write JSON like that; some name the language, some leave the line out. */
const FENCE = /^```(?:[ \t]*\w*[ \t]*\r?\n\s*(?=\S)|[ \t]*(?:json)?[ \t]*(?=[[{"]))/i;
/** What has not become a fence by then is none. */
const LONGEST_FENCE = 64;

/**
 * JSON text as a model writes it, piece by piece: without the fence around it and blanks at its ends, and nothing else changed. What begins
 * as no JSON does comes at the end, as a whole: until then the model can be asked again.
 */
export class UnfencedJson {
  /** `begin`: it is not known yet whether there is a fence, or JSON. */
  #state: 'begin' | 'json' | 'words' = 'begin';
  #isFenced = false;
  /** What may belong to a fence or to the blanks at an end. */
  #held = '';

  /** Gives what is known to be JSON text by now. */
  push(piece: string): string {
    this.#held += piece;
    if (this.#state === 'begin') this.#begin();
    return this.#state === 'json' ? this.#take() : '';
  }

  /** Gives the rest. */
  end(): string {
    const held = this.#held.trim();
    this.#held = '';
    return this.#isFenced && held.endsWith('```') ? held.slice(0, -3).trimEnd() : held;
  }

  #begin(): void {
    const text = this.#held.trimStart();
    if (text.length < 3 && '```'.startsWith(text)) return;
    const fence = FENCE.exec(text);
    if (!fence && text.startsWith('```') && text.length <= LONGEST_FENCE) return;
    const inner = text.slice(fence?.[0].length ?? 0);
    const isJson = beginsAsJson(inner);
    if (isJson === undefined) return;
    this.#state = isJson ? 'json' : 'words';
    this.#isFenced = fence !== null;
    this.#held = inner;
  }

  #take(): string {
    const text = this.#held;
    let end = endOfWords(text, text.length);
    if (this.#isFenced) {
      let ticks = 0;
      while (ticks < 3 && text[end - ticks - 1] === '`') ticks++;
      if (ticks > 0) end = endOfWords(text, end - ticks);
    }
    this.#held = text.slice(end);
    return text.slice(0, end);
  }
}

const LITERALS: readonly string[] = ['true', 'false', 'null'];

/** `undefined`: what comes next decides. Source: RFC 8259 3. */
function beginsAsJson(text: string): boolean | undefined {
  if (/^[[{"\d-]/.test(text)) return true;
  const literal = LITERALS.find((one) => one.startsWith(text.slice(0, one.length)));
  if (literal === undefined) return false;
  return text.length >= literal.length ? true : undefined;
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
