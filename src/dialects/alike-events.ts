import { splitEvents } from './event-bytes.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const FIRST_PRINTED = 0x20;

/** So many events in vain, more than others were found alike, and their stream is taken for one whose events are not. */
const MISSES = 16;

/** Finds the beginnings of texts that are values of such fields. Within a text of JSON the quotes around a name have backslashes before them. */
export function textsOf(fields: readonly string[]): RegExp {
  return new RegExp(`"(?:${fields.join('|')})":[ \\t]*"`, 'g');
}

/**
 * Finds events that are like one that was read: but for the texts of some fields they are the same to the byte. What was found about the one
 * holds for them, too, and to compare them takes an eighth of the time of looking for what they might say.
 */
export class AlikeEvents {
  readonly #varying: RegExp;
  /** Of the event, what stands before, between and behind the texts. */
  #parts: readonly Buffer[] = [];
  #credit = MISSES;

  /** `varying`: where the texts begin that may be others (`textsOf`). */
  constructor(varying: RegExp) {
    this.#varying = varying;
  }

  /** How many events there are, where all of them are like the one; else 0. */
  count(events: Buffer): number {
    if (this.#parts.length === 0) return 0;
    let count = 0;
    for (let at = 0; at < events.length; count += 1) {
      at = this.#passOver(events, at);
      if (at === -1) return 0;
    }
    this.#credit += count;
    return count;
  }

  /** Takes the first of these as the one that others are compared with. */
  learn(events: Buffer): void {
    if (this.#credit === 0) return;
    this.#credit -= 1;
    const [event = events] = splitEvents(events);
    const text = event.toString('latin1');
    const parts: Buffer[] = [];
    let from = 0;
    for (const { index, 0: found } of text.matchAll(this.#varying)) {
      const start = index + found.length;
      const end = textEnd(event, start);
      if (end === -1 || index < from) return;
      parts.push(Buffer.from(event.subarray(from, start)));
      from = end;
    }
    parts.push(Buffer.from(event.subarray(from)));
    this.#parts = this.#credit === 0 ? [] : parts;
  }

  /** Behind an event that is like the one and begins there; -1 where it is another. */
  #passOver(events: Buffer, start: number): number {
    const parts = this.#parts;
    let at = start;
    for (let index = 0; index < parts.length; index += 1) {
      const part = parts[index] ?? events;
      const end = at + part.length;
      if (end > events.length || events.compare(part, 0, part.length, at, end) !== 0) return -1;
      at = index === parts.length - 1 ? end : textEnd(events, end);
      if (at === -1) return -1;
    }
    return at;
  }
}

/** The place of the quote that ends the text; -1 where none does, or what can stand in no text comes before. */
function textEnd(bytes: Buffer, start: number): number {
  for (let at = start; at < bytes.length; at += 1) {
    const byte = bytes[at] ?? 0;
    if (byte === QUOTE) return at;
    if (byte === BACKSLASH) at += 1;
    else if (byte < FIRST_PRINTED) return -1;
  }
  return -1;
}
