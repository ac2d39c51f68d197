import type { CompletionEvent } from '../conversation/completion.ts';
import type { Part } from '../conversation/conversation.ts';

/** Writes the events of one part of an answer of one choice. */
export class PartWriter {
  readonly #at: { choice: number; part: number };

  constructor(part: number) {
    this.#at = { choice: 0, part };
  }

  start(value: Part): CompletionEvent {
    return { type: 'part_start', ...this.#at, value };
  }

  /** No event for a piece without text: first deltas are often empty. */
  delta(delta: string): CompletionEvent[] {
    return delta === '' ? [] : [{ type: 'part_delta', ...this.#at, delta }];
  }

  end(fields: Partial<Extract<CompletionEvent, { type: 'part_end' }>> = {}): CompletionEvent {
    return { ...fields, type: 'part_end', ...this.#at };
  }
}
