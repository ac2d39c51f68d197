import { appendAll } from '../../conversation/append-all.ts';
import type { CompletionEvent } from '../../conversation/completion.ts';
import { GatewayError } from '../../conversation/gateway-error.ts';
import { isObject, type JsonObject, type JsonValue, tryParseJson } from '../../conversation/json.ts';
import type { StreamDecoder, StreamMessage } from '../dialect.ts';
import { decodeSearchResults } from './citations.ts';
import { choiceFailure } from './embedded-failures.ts';
import { eventFailure, saysError } from './errors.ts';
import { chatExtra } from './extra.ts';
import { type AnswerOptions, COMPLETION_FIELDS } from './response.ts';
import { StreamChoice } from './stream-choice.ts';
import { decodeUsage, streamUsage, usageRest } from './usage.ts';

/**
 * Reads the stream of a chat upstream. Everything but the choices is optional, because servers of OpenAI's kin
 * leave out or add what they like; what is needed is that something says the answer is complete: a finish reason
 * of every choice, or `[DONE]`.
 *
 * Source: OpenAI API reference (chat completion chunk object).
 */
export class ChatStreamDecoder implements StreamDecoder {
  #id = '';
  #model = '';
  #created: number | undefined;
  #started = false;
  /** Usage that was said before the first choice, when no event could tell it yet. */
  #early: CompletionEvent[] = [];
  #over = false;
  readonly #choices = new Map<number, StreamChoice>();
  /** The newest values of top-level fields that the neutral model has no word for. */
  readonly #fields = new Map<string, JsonValue>();
  #announced = new Map<string, JsonValue>();
  readonly #options: AnswerOptions;

  constructor(options: AnswerOptions = {}) {
    this.#options = options;
  }

  get isFinished(): boolean {
    for (const choice of this.#choices.values()) if (choice.isFinished) return true;
    return false;
  }

  push({ event, data }: StreamMessage): CompletionEvent[] {
    const text = data.trim();
    if (this.#over || text === '') return [];
    if (text === '[DONE]') return this.#finish();
    const chunk = tryParseJson(text);
    if (event === 'error' || saysError(chunk) || !isObject(chunk)) {
      const usage = this.#started ? this.#usageOf(chunk) : [];
      return [...usage, ...this.#fail(eventFailure(chunk, text, event))];
    }
    return this.#pushChunk(chunk);
  }

  end(): CompletionEvent[] {
    if (this.#over) return [];
    const choices = [...this.#choices.values()];
    if (choices.length > 0 && choices.every((choice) => choice.isFinished)) return this.#finish();
    return this.#breakOff('The provider ended its stream early, before the answer was complete.');
  }

  #pushChunk(chunk: JsonObject): CompletionEvent[] {
    this.#readHead(chunk);
    const choices = Array.isArray(chunk['choices']) ? chunk['choices'].filter(isObject) : [];
    // Azure begins with a chunk that has neither choices nor an id.
    if (!this.#started && choices.length === 0) {
      const usage = this.#usageOf(chunk);
      if (usage.length > 0) this.#early = usage;
      return [];
    }
    const events: CompletionEvent[] = this.#started ? [] : [this.#start(), ...this.#early];
    const failure = choiceFailure(choices);
    if (failure) return [...events, ...this.#usageOf(chunk), ...this.#fail(failure)];
    for (const [position, value] of choices.entries()) {
      appendAll(events, this.#choice(value, position).push(value));
    }
    return [...events, ...this.#usageOf(chunk)];
  }

  #readHead(chunk: JsonObject): void {
    const { id, model, created } = chunk;
    if (this.#id === '' && typeof id === 'string') this.#id = id;
    if (this.#model === '' && typeof model === 'string') this.#model = model;
    if (!this.#created && typeof created === 'number') this.#created = created;
    for (const [key, value] of Object.entries(chunk)) {
      // `obfuscation` only pads the events to a length.
      if (COMPLETION_FIELDS.has(key) || key === 'obfuscation' || value === undefined) continue;
      if (value !== null || !this.#fields.has(key)) this.#fields.set(key, value);
    }
  }

  #start(): CompletionEvent {
    this.#started = true;
    this.#announced = new Map(this.#fields);
    const extra = chatExtra(Object.fromEntries(this.#announced));
    return {
      type: 'start',
      id: this.#id,
      model: this.#model,
      ...(this.#created === undefined ? {} : { created: this.#created }),
      ...(extra ? { extra } : {}),
    };
  }

  #choice(value: JsonObject, position: number): StreamChoice {
    const index = typeof value['index'] === 'number' ? value['index'] : position;
    let choice = this.#choices.get(index);
    if (!choice) {
      choice = new StreamChoice(index, this.#id, this.#options);
      this.#choices.set(index, choice);
    }
    return choice;
  }

  #usageOf(chunk: JsonValue | undefined): CompletionEvent[] {
    if (!isObject(chunk)) return [];
    const said = streamUsage(chunk);
    const usage = decodeUsage(said, chunk['service_tier'] ?? this.#fields.get('service_tier'));
    if (!usage) return [];
    const rest = usageRest(said);
    if (Object.keys(rest).length > 0) this.#fields.set('usage', rest);
    return [{ type: 'usage', usage }];
  }

  #finish(): CompletionEvent[] {
    if (this.#choices.size === 0) return this.#breakOff('The provider ended its stream without an answer.');
    this.#choices.get(0)?.cite(decodeSearchResults(Object.fromEntries(this.#fields)));
    this.#over = true;
    const later = [...this.#fields].filter(([key, value]) => this.#announced.get(key) !== value);
    const extra = chatExtra(Object.fromEntries(later));
    const finished = [...this.#choices.values()].flatMap((choice) => choice.finish());
    return [...finished, { type: 'end', ...(extra ? { extra } : {}) }];
  }

  #fail(error: GatewayError): CompletionEvent[] {
    this.#over = true;
    return [{ type: 'error', error }];
  }

  #breakOff(message: string): CompletionEvent[] {
    return this.#fail(new GatewayError('upstream_unavailable', message));
  }
}
