import { appendAll } from '../../conversation/append-all.ts';
import type { CompletionEvent } from '../../conversation/completion.ts';
import { parseKeepingArguments } from '../../conversation/exact-numbers.ts';
import { GatewayError } from '../../conversation/gateway-error.ts';
import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import type { Usage } from '../../conversation/usage.ts';
import type { StreamDecoder, StreamMessage } from '../dialect.ts';
import { decodeStreamError, errorIn } from './errors.ts';
import { defined, extraOf, messagesIn, numberIn, overlay, readMessage } from './proto.ts';
import { decodeHead, isBlocked, type ResponseHead, seedOf, withoutOutput } from './response-decode.ts';
import { ChoiceDecoder } from './stream-choice.ts';
import { decodeUsage } from './usage.ts';

/** Reads the events of a `streamGenerateContent?alt=sse` answer: each is a whole `GenerateContentResponse`. */
export function streamDecoder(): StreamDecoder {
  return new GeminiStreamDecoder();
}

class GeminiStreamDecoder implements StreamDecoder {
  readonly #choices = new Map<number, ChoiceDecoder>();
  #head: ResponseHead | undefined;
  #seed = '';
  /** Top-level fields that go into the completion's `extra`. */
  #fields: JsonObject = {};
  #usage: Usage | undefined;
  #blocked = false;
  #over = false;

  get isFinished(): boolean {
    for (const choice of this.#choices.values()) if (choice.finished) return true;
    return false;
  }

  push({ data }: StreamMessage): CompletionEvent[] {
    // Google's streams just end; servers of its kin may say so in OpenAI's way.
    if (this.#over || data === '' || data === '[DONE]') return [];
    const value = parseKeepingArguments(data);
    // A list: the stream was not asked for as SSE, or an error was wrapped.
    const messages = Array.isArray(value) ? value : [value];
    return messages.flatMap((message) => this.#read(message));
  }

  /** Finish reasons and metadata are held until here: more of both may follow the chunk that has the first. */
  end(): CompletionEvent[] {
    if (this.#over) return [];
    const choices = [...this.#choices.values()].toSorted((a, b) => a.index - b.index);
    if (this.#blocked && choices.length === 0) {
      return this.#finish([{ type: 'finish', choice: 0, reason: 'content_filter' }]);
    }
    if (choices.length === 0 || choices.some((choice) => !choice.finished)) {
      return this.#fail(
        new GatewayError(
          'upstream_unavailable',
          'The stream of the provider broke off before the answer was complete.',
        ),
      );
    }
    const failure = withoutOutput(
      choices.map((choice) => choice.ended),
      this.#usage,
    );
    return failure ? this.#fail(failure) : this.#finish(choices.flatMap((choice) => choice.finish()));
  }

  #finish(events: CompletionEvent[]): CompletionEvent[] {
    this.#over = true;
    return [...events, defined({ type: 'end' as const, extra: extraOf(this.#fields) })];
  }

  #fail(error: GatewayError): CompletionEvent[] {
    this.#over = true;
    return [{ type: 'error', error }];
  }

  #read(message: JsonValue | undefined): CompletionEvent[] {
    if (this.#over) return [];
    if (!isObject(message)) {
      return this.#fail(
        new GatewayError('upstream_unavailable', 'The provider sent a stream event that is not JSON.'),
      );
    }
    if (errorIn(message)) return this.#fail(decodeStreamError(message));
    const chunk = readMessage(message);
    const head = decodeHead(chunk);
    const events = this.#start(head, chunk);
    for (const [place, candidate] of messagesIn(chunk, 'candidates').entries()) {
      const index = numberIn(candidate, 'index') ?? place;
      appendAll(events, this.#choice(index).push(candidate));
    }
    if (isBlocked(chunk)) this.#blocked = true;
    const { candidates: _, usageMetadata, ...rest } = head.rest;
    this.#fields = overlay(this.#fields, rest);
    return [...events, ...this.#readUsage(usageMetadata)];
  }

  #start(head: ResponseHead, chunk: JsonObject): CompletionEvent[] {
    if (this.#head) return [];
    this.#head = head;
    this.#seed = seedOf(head, chunk);
    const { id, model, created } = head;
    return [defined({ type: 'start' as const, id, model, created })];
  }

  #choice(index: number): ChoiceDecoder {
    const choice = this.#choices.get(index) ?? new ChoiceDecoder(index, this.#seed);
    this.#choices.set(index, choice);
    return choice;
  }

  #readUsage(usageMetadata: JsonValue | undefined): CompletionEvent[] {
    const { usage, rest } = decodeUsage(usageMetadata);
    // Newer totals replace older ones, and so do their details.
    if (Object.keys(rest).length > 0) this.#fields = { ...this.#fields, usageMetadata: rest };
    if (!usage || sameUsage(usage, this.#usage)) return [];
    this.#usage = usage;
    return [{ type: 'usage', usage }];
  }
}

function sameUsage(a: Usage, b: Usage | undefined): boolean {
  return b !== undefined && JSON.stringify(a) === JSON.stringify(b);
}
