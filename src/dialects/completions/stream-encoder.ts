import type { CompletionEvent } from '../../conversation/completion.ts';
import type { JsonObject } from '../../conversation/json.ts';
import type { Usage } from '../../conversation/usage.ts';
import { encodeError } from '../chat/errors.ts';
import { encodeUsage } from '../chat/usage.ts';
import type { StreamEncoder, StreamEncoderOptions } from '../dialect.ts';
import { dropPart } from '../dropped-parts.ts';
import { nameFittedFinish } from '../finish-reasons.ts';
import { nameForeignEvent } from '../foreign-answers.ts';
import { isText, textChoice } from './response.ts';

/** Writes the chunks of a text completion: the text as it comes, then why each choice ended. */
export class CompletionsStreamEncoder implements StreamEncoder {
  readonly #includeUsage: boolean;
  #head: JsonObject = {};
  #usage: Usage | undefined;
  /** Parts whose deltas are text of the answer: `choice/part`. */
  readonly #texts = new Set<string>();

  readonly #dropped: string[];

  constructor({ includeUsage, dropped = [] }: StreamEncoderOptions) {
    this.#dropped = dropped;
    this.#includeUsage = includeUsage;
  }

  push(event: CompletionEvent): string {
    nameForeignEvent(this.#dropped, event, undefined);
    switch (event.type) {
      case 'start': {
        const { id, model, created = 0 } = event;
        this.#head = { id, object: 'text_completion', created, model };
        return '';
      }
      case 'part_start':
        if (isText(event.value)) this.#texts.add(partKey(event));
        else dropPart(this.#dropped, event.value);
        return '';
      case 'part_delta':
        if (event.delta === '' || !this.#texts.has(partKey(event))) return '';
        return this.#chunk([textChoice(event.choice, event.delta)]);
      case 'finish':
        nameFittedFinish(this.#dropped, 'chat', event.reason, 'finish_reason');
        return this.#chunk([textChoice(event.choice, '', event.reason)]);
      case 'usage':
        this.#usage = event.usage;
        return '';
      case 'part_end':
      case 'logprobs':
        return '';
      case 'error':
        return frame(encodeError(event.error));
      case 'end':
        return `${this.#usageChunk()}data: [DONE]\n\n`;
      default:
        return event satisfies never;
    }
  }

  #chunk(choices: JsonObject[]): string {
    return frame({ ...this.#head, choices, ...(this.#includeUsage ? { usage: null } : {}) });
  }

  #usageChunk(): string {
    if (!this.#includeUsage || !this.#usage) return '';
    return frame({ ...this.#head, choices: [], usage: encodeUsage(this.#usage) });
  }
}

function partKey({ choice, part }: { choice: number; part: number }): string {
  return `${choice}/${part}`;
}

function frame(value: JsonObject): string {
  return `data: ${JSON.stringify(value)}\n\n`;
}
