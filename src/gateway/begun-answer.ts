import type { CompletionEvent } from '../conversation/completion.ts';
import { ContinuedEvents, givenText } from '../conversation/continued-events.ts';
import type { JsonObject } from '../conversation/json.ts';
import type { Usage } from '../conversation/usage.ts';
import type { StreamEncoder } from '../dialects/dialect.ts';

/**
 * A streamed answer as its client has it, so that another attempt can go on with it where it breaks off: as long as it is nothing but
 * text that has not ended. It writes what its encoder does, whichever attempt says it.
 */
export class BegunAnswer implements StreamEncoder {
  readonly #encoder: StreamEncoder;
  readonly #spent: () => Usage;
  #text = '';
  #state: 'nothing' | 'text' | 'other' = 'nothing';
  /** What the attempt says that goes on with it. */
  #continued: ContinuedEvents | undefined;

  /** `spent`: what the attempts before the one that goes on have used. */
  constructor(encoder: StreamEncoder, spent: () => Usage) {
    this.#encoder = encoder;
    this.#spent = spent;
  }

  get answer(): JsonObject | undefined {
    return this.#encoder.answer;
  }

  /** What a provider is given to go on with; `undefined` where none can. */
  get given(): string | undefined {
    const given = this.#state === 'text' ? givenText(this.#text) : '';
    return given === '' ? undefined : given;
  }

  /** Another attempt goes on: the next events are its. `repeats`: its provider repeats what it is given. */
  goOn(repeats: boolean): void {
    this.#continued = new ContinuedEvents({ text: this.#text, repeats, spent: this.#spent });
  }

  push(event: CompletionEvent): string {
    if (!this.#continued) return this.#write(event);
    let text = '';
    for (const missing of this.#continued.push(event)) text += this.#write(missing);
    return text;
  }

  #write(event: CompletionEvent): string {
    this.#note(event);
    return this.#encoder.push(event);
  }

  #note(event: CompletionEvent): void {
    switch (event.type) {
      case 'part_start': {
        const isFirst = this.#state === 'nothing' && event.choice === 0 && event.part === 0;
        this.#state = isFirst && event.value.type === 'text' ? 'text' : 'other';
        return;
      }
      case 'part_delta':
        if (event.choice === 0 && event.part === 0) this.#text += event.delta;
        return;
      case 'part_end':
      case 'finish':
        this.#state = 'other';
        return;
      default:
    }
  }
}
