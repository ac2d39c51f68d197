import type { Choice, Completion, CompletionEvent } from './completion.ts';
import type { Part } from './conversation.ts';
import type { GatewayError } from './gateway-error.ts';

/** Adds the events of a stream up to the completion that the non-streaming form of the same answer would be. */
export class CompletionCollector {
  readonly completion: Completion = { id: '', model: '', choices: [] };
  /** What ended the stream instead of `end`. */
  error: GatewayError | undefined;
  ended = false;

  push(event: CompletionEvent): void {
    const { completion } = this;
    switch (event.type) {
      case 'start':
        completion.id = event.id;
        completion.model = event.model;
        if (event.created !== undefined) completion.created = event.created;
        if (event.extra) completion.extra = event.extra;
        break;
      case 'part_start':
        this.#choice(event.choice).parts[event.part] = { ...event.value };
        break;
      case 'part_delta':
        appendDelta(this.#part(event.choice, event.part), event.delta);
        break;
      case 'part_end': {
        const part = this.#part(event.choice, event.part);
        const { signature, encrypted, citations, extra } = event;
        if (signature) Object.assign(part, { signature });
        if (encrypted) Object.assign(part, { encrypted });
        if (citations) Object.assign(part, { citations });
        if (extra) Object.assign(part, { extra });
        break;
      }
      case 'logprobs':
        this.#addLogprobs(event.choice, event.value);
        break;
      case 'finish': {
        const choice = this.#choice(event.choice);
        choice.finish = event.reason;
        if (event.stopSequence !== undefined) choice.stopSequence = event.stopSequence;
        if (event.extra) choice.extra = event.extra;
        break;
      }
      case 'usage':
        completion.usage = event.usage;
        break;
      case 'error':
        this.error = event.error;
        break;
      case 'end':
        this.ended = true;
        if (event.extra) {
          completion.extra = {
            dialect: event.extra.dialect,
            fields: { ...completion.extra?.fields, ...event.extra.fields },
          };
        }
        break;
      default:
        event satisfies never;
    }
  }

  #choice(index: number): Choice {
    const { choices } = this.completion;
    let choice = choices.find((candidate) => candidate.index === index);
    if (!choice) {
      choice = { index, parts: [], finish: 'other' };
      choices.push(choice);
      choices.sort((a, b) => a.index - b.index);
    }
    return choice;
  }

  #part(choice: number, index: number): Part {
    const part = this.#choice(choice).parts[index];
    if (!part) throw new Error(`event for part ${index} of choice ${choice}, which has not started`);
    return part;
  }

  #addLogprobs(index: number, value: Record<string, unknown>): void {
    const choice = this.#choice(index);
    const sum: Record<string, unknown> = { ...choice.logprobs };
    for (const [key, list] of Object.entries(value)) {
      const before = sum[key];
      sum[key] =
        Array.isArray(before) && Array.isArray(list) ? [...before, ...list] : (list ?? before ?? null);
    }
    choice.logprobs = sum as Choice['logprobs'] & object;
  }
}

function appendDelta(part: Part, delta: string): void {
  if (part.type === 'tool_call') part.arguments += delta;
  else if ('text' in part) part.text += delta;
  else throw new Error(`a ${part.type} part takes no deltas`);
}

export function collectEvents(events: Iterable<CompletionEvent>): CompletionCollector {
  const collector = new CompletionCollector();
  for (const event of events) collector.push(event);
  return collector;
}

/** The inverse: a whole completion as the events of its stream, one delta a part. */
export function* completionEvents(completion: Completion): Generator<CompletionEvent> {
  const { id, model, created, extra } = completion;
  yield { type: 'start', id, model, created, extra };
  for (const choice of completion.choices) {
    const { index: number, logprobs } = choice;
    // They come with the text that they are of, as they do in a stream.
    const first = choice.parts.findIndex((part) => part.type === 'text');
    for (const [index, value] of choice.parts.entries()) {
      const at = { choice: choice.index, part: index };
      if (value.type === 'tool_call') {
        yield { type: 'part_start', ...at, value: { ...value, arguments: '' } };
        yield { type: 'part_delta', ...at, delta: value.arguments };
      } else if (value.type === 'text' || value.type === 'reasoning' || value.type === 'refusal') {
        yield { type: 'part_start', ...at, value: { ...value, text: '' } };
        yield { type: 'part_delta', ...at, delta: value.text };
      } else {
        yield { type: 'part_start', ...at, value };
      }
      if (logprobs && index === first) yield { type: 'logprobs', choice: number, value: logprobs };
      yield { type: 'part_end', ...at };
    }
    if (logprobs && first === -1) yield { type: 'logprobs', choice: number, value: logprobs };
    const { index, finish: reason, stopSequence } = choice;
    yield { type: 'finish', choice: index, reason, stopSequence, extra: choice.extra };
  }
  if (completion.usage) yield { type: 'usage', usage: completion.usage };
  yield { type: 'end' };
}
