import { appendAll } from '../../conversation/append-all.ts';
import type { CompletionEvent } from '../../conversation/completion.ts';
import { type StopMatch, StopReader, type StopSearch } from '../../conversation/stop-search.ts';
import { finishWithCalls } from '../finish-with-calls.ts';
import { citedWithin, loggedBytes, loggedWithin } from './cut-details.ts';

type ChoiceEvent = Extract<CompletionEvent, { choice: number }>;
type Finish = Extract<CompletionEvent, { type: 'finish' }>;
type Delta = Extract<CompletionEvent, { type: 'part_delta' }>;

/** One choice of a streamed answer that ends where a stop sequence is complete in its text. */
export class CutChoice {
  readonly #index: number;
  readonly #reader: StopReader;
  /** From the first character on that may belong to a sequence, in their order. */
  readonly #held: ChoiceEvent[] = [];
  #heldChars = 0;
  readonly #texts = new Set<number>();
  readonly #openTexts = new Set<number>();
  /** Parts that were begun, and not ended, as far as they are told, and how much of each. */
  readonly #toldChars = new Map<number, number>();
  #toldBytes = 0;
  #loggedBytes = 0;
  #callsTools = false;
  #met: string | undefined;
  #isFinished = false;

  constructor(index: number, search: StopSearch) {
    this.#index = index;
    this.#reader = new StopReader(search);
  }

  get isCut(): boolean {
    return this.#met !== undefined;
  }

  /** Nothing that may come changes what its client gets: but what began before a sequence is let to its end. */
  get isDecided(): boolean {
    if (this.#isFinished) return true;
    return this.#met !== undefined && [...this.#toldChars.keys()].every((part) => this.#texts.has(part));
  }

  /** Ends one that is decided. */
  conclude(): ChoiceEvent[] {
    if (this.#isFinished) return [];
    const choice = this.#index;
    const ends = [...this.#toldChars.keys()].map((part) => ({ type: 'part_end' as const, choice, part }));
    return [...ends, this.#finish({ type: 'finish', choice, reason: 'stop' })];
  }

  /** What can be told by now. */
  push(event: ChoiceEvent): ChoiceEvent[] {
    if (this.#met !== undefined) return this.#tellBehind(event);
    this.#held.push(event);
    const match = this.#read(event);
    return match ? this.#stop(match) : this.#tell(this.#heldChars - this.#reader.open);
  }

  /** `end` of a match: of all that is held. */
  #read(event: ChoiceEvent): StopMatch | undefined {
    switch (event.type) {
      case 'part_start':
        if (event.value.type === 'text') {
          this.#texts.add(event.part);
          this.#openTexts.add(event.part);
        } else if (this.#openTexts.size === 0) {
          this.#reader.reset();
        }
        return undefined;
      case 'part_delta': {
        if (!this.#isText(event)) return undefined;
        const before = this.#heldChars;
        this.#heldChars += event.delta.length;
        const match = this.#reader.read(event.delta);
        return match && { ...match, end: before + match.end };
      }
      case 'part_end':
        this.#openTexts.delete(event.part);
        return undefined;
      case 'finish':
        this.#reader.reset();
        return undefined;
      default:
        return undefined;
    }
  }

  /** Tells so many characters of text, and all else up to the next one. */
  #tell(characters: number): ChoiceEvent[] {
    const told: ChoiceEvent[] = [];
    let left = characters;
    for (;;) {
      const [event] = this.#held;
      if (!event) return told;
      const length = this.#isText(event) ? event.delta.length : 0;
      if (this.#isText(event) && length > left) {
        if (left > 0) {
          this.#held[0] = { ...event, delta: event.delta.slice(left) };
          this.#heldChars -= left;
          told.push(this.#note({ ...event, delta: event.delta.slice(0, left) }));
        }
        return told;
      }
      left -= length;
      this.#heldChars -= length;
      this.#held.shift();
      told.push(this.#note(event));
    }
  }

  #stop({ sequence, end }: StopMatch): ChoiceEvent[] {
    const told = this.#tell(end - sequence.length);
    this.#met = sequence;
    for (const event of this.#held.splice(0)) appendAll(told, this.#tellBehind(event));
    return told;
  }

  /** What began before the sequence goes on to its end, but for its text. */
  #tellBehind(event: ChoiceEvent): ChoiceEvent[] {
    switch (event.type) {
      case 'part_delta':
        return this.#toldChars.has(event.part) && !this.#isText(event) ? [event] : [];
      case 'part_end': {
        const length = this.#toldChars.get(event.part);
        if (length === undefined) return [];
        this.#toldChars.delete(event.part);
        if (!this.#texts.has(event.part)) return [event];
        const { citations, ...rest } = event;
        const cited = citedWithin(citations, length);
        return [cited ? { ...rest, citations: cited } : rest];
      }
      case 'logprobs': {
        const value = loggedWithin(event.value, this.#toldBytes - this.#loggedBytes);
        this.#loggedBytes += loggedBytes(event.value);
        return value ? [{ ...event, value }] : [];
      }
      case 'finish':
        return [this.#finish(event)];
      default:
        return [];
    }
  }

  #finish(event: Finish): Finish {
    this.#isFinished = true;
    const reason = finishWithCalls('stop_sequence', this.#callsTools);
    const met = reason === 'stop_sequence' ? this.#met : undefined;
    return { ...event, reason, ...(met !== undefined && { stopSequence: met }) };
  }

  /** Keeps track of what is told. */
  #note<E extends ChoiceEvent>(event: E): E {
    switch (event.type) {
      case 'part_start':
        this.#toldChars.set(event.part, 0);
        if (event.value.type === 'tool_call') this.#callsTools = true;
        break;
      case 'part_delta':
        this.#toldChars.set(event.part, (this.#toldChars.get(event.part) ?? 0) + event.delta.length);
        if (this.#isText(event)) this.#toldBytes += Buffer.byteLength(event.delta);
        break;
      case 'part_end':
        this.#toldChars.delete(event.part);
        break;
      case 'logprobs':
        this.#loggedBytes += loggedBytes(event.value);
        break;
      case 'finish':
        this.#isFinished = true;
        break;
      default:
    }
    return event;
  }

  #isText(event: ChoiceEvent): event is Delta {
    return event.type === 'part_delta' && this.#texts.has(event.part);
  }
}
