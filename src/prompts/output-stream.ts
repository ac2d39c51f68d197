import type { CompletionEvent } from '../conversation/completion.ts';
import type { Part } from '../conversation/conversation.ts';
import type { JsonObject } from '../conversation/json.ts';
import type { Usage } from '../conversation/usage.ts';
import { encodeUsage } from '../dialects/chat/usage.ts';
import type { StreamEncoder } from '../dialects/dialect.ts';
import { type Answer, encodeError, type Output, readOutput } from './answer.ts';
import { UnfencedJson } from './unfenced-json.ts';

/** The output of a prompt, event by event. */
export class OutputStream implements StreamEncoder {
  readonly #output: Output;
  readonly #json = new UnfencedJson();
  /** What their parts are, by their numbers; others are none of the output. */
  readonly #kinds = new Map<number, 'text' | 'refusal'>();
  readonly #answer: Answer = { text: '', finish: 'other' };
  #usage: Usage | undefined;

  constructor(output: Output) {
    this.#output = output;
  }

  /** @throws InvalidOutput at the end of an answer that is no output */
  push(event: CompletionEvent): string {
    // Prompts ask for one choice.
    if ('choice' in event && event.choice !== 0) return '';
    switch (event.type) {
      case 'part_start':
        return this.#begin(event.part, event.value);
      case 'part_delta':
        return this.#add(event.part, event.delta);
      case 'finish':
        this.#answer.finish = event.reason;
        return '';
      case 'usage':
        this.#usage = event.usage;
        return '';
      case 'error':
        return frame('error', JSON.stringify(encodeError(event.error)));
      case 'end':
        return this.#end();
      default:
        return '';
    }
  }

  #begin(part: number, value: Part): string {
    if (value.type !== 'text' && value.type !== 'refusal') return '';
    this.#kinds.set(part, value.type);
    return this.#add(part, value.text);
  }

  #add(part: number, delta: string): string {
    const kind = this.#kinds.get(part);
    if (kind === 'refusal') this.#answer.refusal = (this.#answer.refusal ?? '') + delta;
    if (kind !== 'text') return '';
    this.#answer.text += delta;
    return this.#delta(this.#output.format === 'json' ? this.#json.push(delta) : delta);
  }

  #delta(delta: string): string {
    if (delta === '') return '';
    const data: JsonObject = this.#output.format === 'json' ? { partial_json: delta } : { text: delta };
    return frame('delta', JSON.stringify(data));
  }

  #end(): string {
    const rest = this.#output.format === 'json' ? this.#delta(this.#json.end()) : '';
    const output = readOutput(this.#output, this.#answer, this.#usage);
    // Its digits are the model's. Line breaks stand between its values alone, and would end the event.
    const written = this.#output.format === 'json' ? output.replace(/[\r\n]+/g, ' ') : JSON.stringify(output);
    const usage = JSON.stringify(this.#usage ? encodeUsage(this.#usage) : null);
    const { finish } = this.#answer;
    return `${rest}${frame('output', `{"output":${written},"finish":${JSON.stringify(finish)},"usage":${usage}}`)}`;
  }
}

function frame(event: string, data: string): string {
  return `event: ${event}\ndata: ${data}\n\n`;
}
