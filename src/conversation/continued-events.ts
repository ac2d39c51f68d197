import type { CompletionEvent } from './completion.ts';
import type { Citation } from './conversation.ts';
import { addUsage, type Usage } from './usage.ts';

export interface ContinuedEventsOptions {
  /** What was said before: the text of one part, which is still open. */
  text: string;
  /** The provider repeats what it was given of it. */
  repeats: boolean;
  /** What the attempts before have used. */
  spent: () => Usage;
}

/** What a provider is given of a text that it is to go on with: white space at the end is refused (Anthropic) or taken off (Mistral). */
export function givenText(text: string): string {
  return text.trimEnd();
}

/**
 * Turns the events of an answer that goes on with a begun one into what is missing of that: no second start, its text in the part that
 * is open, without what was said before. What its model thinks meanwhile is passed over: an answer that has begun cannot show it.
 */
export class ContinuedEvents {
  readonly #given: string;
  readonly #spent: () => Usage;
  /** What is expected to be repeated; `undefined` where nothing is, or not any more. */
  #repeated: string | undefined;
  /** What came of it. */
  #held = '';
  /** White space that the client has behind what was given. */
  #space: string;
  /** White space that the text goes on with. */
  #lead = '';
  /** The number here of the part that goes on with the open one. */
  #part: number | undefined;
  #isOpen = true;
  readonly #passedOver = new Set<number>();
  /** Of other parts, their number in the whole answer. */
  readonly #numbers = new Map<number, number>();
  /** How far a place in this answer's text is from the same in the whole. */
  #shift: number;

  constructor({ text, repeats, spent }: ContinuedEventsOptions) {
    this.#given = givenText(text);
    this.#space = text.slice(this.#given.length);
    this.#repeated = repeats ? this.#given : undefined;
    this.#shift = this.#given.length;
    this.#spent = spent;
  }

  push(event: CompletionEvent): CompletionEvent[] {
    switch (event.type) {
      case 'start':
        return [];
      case 'usage': {
        const { tier } = event.usage;
        const usage = addUsage(this.#spent(), event.usage);
        return [{ type: 'usage', usage: tier === undefined ? usage : { ...usage, tier } }];
      }
      case 'part_start':
        return this.#begin(event);
      case 'part_delta':
        if (event.part === this.#part) return this.#add(event);
        return this.#isShown(event.part) ? [{ ...event, part: this.#numberOf(event.part) }] : [];
      case 'part_end':
        if (event.part === this.#part)
          return this.#close({ ...event, citations: this.#placed(event.citations) });
        return this.#isShown(event.part) ? [{ ...event, part: this.#numberOf(event.part) }] : [];
      case 'finish':
        return [...this.#close({ type: 'part_end', choice: 0, part: 0 }), event];
      default:
        return [event];
    }
  }

  #begin(event: Extract<CompletionEvent, { type: 'part_start' }>): CompletionEvent[] {
    if (event.value.type === 'reasoning') {
      this.#passedOver.add(event.part);
      return [];
    }
    if (event.value.type === 'text' && this.#isOpen && this.#part === undefined) {
      this.#part = event.part;
      return [];
    }
    const closed = this.#close({ type: 'part_end', choice: 0, part: 0 });
    return [...closed, { ...event, part: this.#numberOf(event.part) }];
  }

  #add(event: Extract<CompletionEvent, { type: 'part_delta' }>): CompletionEvent[] {
    const delta = this.#withoutSpace(this.#withoutRepeated(event.delta));
    return delta === '' ? [] : [{ ...event, part: 0, delta }];
  }

  /** Ends the part that was open; one that ends in the middle of what it repeats has nothing new. */
  #close(end: Extract<CompletionEvent, { type: 'part_end' }>): CompletionEvent[] {
    if (!this.#isOpen) return [];
    this.#isOpen = false;
    const delta = this.#missingSpace();
    const last: CompletionEvent[] = delta === '' ? [] : [{ type: 'part_delta', choice: 0, part: 0, delta }];
    const { citations, ...rest } = end;
    return [...last, { ...rest, part: 0, ...(citations && { citations }) }];
  }

  #withoutRepeated(delta: string): string {
    const repeated = this.#repeated;
    if (repeated === undefined) return delta;
    const said = this.#held + delta;
    if (said.length < repeated.length && repeated.startsWith(said)) {
      this.#held = said;
      return '';
    }
    this.#repeated = undefined;
    this.#held = '';
    if (!said.startsWith(repeated)) return said;
    this.#shift = 0;
    return said.slice(repeated.length);
  }

  /** Of the white space that the text goes on with the client may have some already: it is held until it is whole. */
  #withoutSpace(delta: string): string {
    if (this.#space === '') return delta;
    const said = this.#lead + delta;
    const words = said.trimStart();
    this.#lead = said.slice(0, said.length - words.length);
    return words === '' ? '' : this.#missingSpace() + words;
  }

  /** Models that were given none of it begin it anew, or go on behind some of it. */
  #missingSpace(): string {
    const [has, comes] = [this.#space, this.#lead];
    let common = Math.min(has.length, comes.length);
    const isCommon = (length: number) =>
      has.startsWith(comes.slice(0, length)) || has.endsWith(comes.slice(0, length));
    while (!isCommon(common)) common -= 1;
    this.#shift += has.length - common;
    this.#space = '';
    this.#lead = '';
    return comes.slice(common);
  }

  #placed(citations: Citation[] | undefined): Citation[] | undefined {
    return citations?.map((citation) => ({
      ...citation,
      ...(citation.start !== undefined && { start: citation.start + this.#shift }),
      ...(citation.end !== undefined && { end: citation.end + this.#shift }),
    }));
  }

  #isShown(part: number): boolean {
    return !this.#passedOver.has(part);
  }

  #numberOf(part: number): number {
    let number = this.#numbers.get(part);
    if (number === undefined) {
      // The first is the open one.
      number = this.#numbers.size + 1;
      this.#numbers.set(part, number);
    }
    return number;
  }
}
