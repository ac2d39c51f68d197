import { GatewayError } from '../../conversation/gateway-error.ts';
import { isObject, type JsonObject, type JsonValue, tryParseJson } from '../../conversation/json.ts';
import type { Usage } from '../../conversation/usage.ts';
import { eventField, splitEvents } from '../event-bytes.ts';
import {
  beginsList,
  beginsObject,
  findLastObject,
  hasValue,
  isNotNull,
  type ValueTest,
  valueStart,
} from '../json-bytes.ts';
import { outputFieldNames } from '../output-bound.ts';
import type { PassThrough, PrepareOptions, ScanOptions, StreamScanner } from '../pass-through.ts';
import { type FieldSpans, parseField, spliceBody } from '../request-fields.ts';
import { embeddedError, saysError } from './errors.ts';
import { decodeUsage, streamUsage } from './usage.ts';

/** Chat Completions between two sides that both speak it. */
export const passThrough: PassThrough = {
  fields: new Set(['model', 'stream', 'stream_options', ...outputFieldNames('chat')]),
  prepareRequest,
  readUsage,
  readFailure,
  streamScanner: (options) => new ChatStreamScanner(options),
};

function prepareRequest(body: Buffer, spans: FieldSpans, options: PrepareOptions): Buffer {
  const { model, stream_options: streamOptions } = spans;
  const edits: { span: { start: number; end: number }; text: string }[] = [];
  if (model) edits.push({ span: model, text: JSON.stringify(options.model) });
  if (options.stream && !options.asksNoUsage) {
    const asked = streamOptions ? parseField(body, streamOptions, 'stream_options') : undefined;
    const text = JSON.stringify({ ...(isObject(asked) ? asked : {}), include_usage: true });
    if (streamOptions) {
      edits.push({ span: streamOptions, text });
    } else {
      const first = body.indexOf('{') + 1;
      edits.push({ span: { start: first, end: first }, text: `"stream_options":${text},` });
    }
  }
  edits.sort((a, b) => a.span.start - b.span.start);
  return spliceBody(body, edits);
}

const USAGE_KEY = Buffer.from('"usage"');
const FINISH_KEY = Buffer.from('"finish_reason"');
const ERROR_KEY = Buffer.from('"error"');
const INDEX_KEY = Buffer.from('"index"');
const CHOICES_KEY = Buffer.from('"choices"');
const DATA_KEY = Buffer.from('"data"');
const DATA_FIELD = Buffer.from('data:');
const DONE_EVENT = 'data: [DONE]\n\n';

function readUsage(body: Buffer): Usage | undefined {
  const usage = findLastObject(body, USAGE_KEY, isUsage);
  return usage && decodeUsage(usage);
}

function isUsage(value: JsonObject): boolean {
  return 'prompt_tokens' in value || 'total_tokens' in value;
}

/** How much of both ends of an answer is looked at before it is parsed for an error. */
const LOOK_BYTES = 4096;

/** Servers put a list of choices (or of embeddings) near the beginning, and errors at either end. */
function readFailure(body: Buffer): GatewayError | undefined {
  const isSmall = body.length <= LOOK_BYTES;
  const head = isSmall ? body : body.subarray(0, LOOK_BYTES);
  const isAnswer = hasValue(head, CHOICES_KEY, beginsList) || hasValue(head, DATA_KEY, beginsList);
  if (isAnswer && !hasValue(head, ERROR_KEY, isNotNull)) {
    const tail = isSmall ? undefined : body.subarray(Math.max(head.length, body.length - LOOK_BYTES));
    if (!tail || !hasValue(tail, ERROR_KEY, isNotNull)) return undefined;
  }
  const answer = tryParseJson(body.toString('utf8'));
  if (answer === undefined) return undefined;
  return saysError(answer) ? embeddedError(answer) : choiceFailure(choicesOf(answer));
}

/** OpenRouter reports what failed while it was generated within the choice. */
function choiceFailure(choices: readonly JsonObject[]): GatewayError | undefined {
  const failed = choices.find((choice) => isObject(choice['error']));
  return failed && embeddedError(failed);
}

function choicesOf(value: JsonValue): JsonObject[] {
  const choices = isObject(value) ? value['choices'] : undefined;
  return Array.isArray(choices) ? choices.filter(isObject) : [];
}

class ChatStreamScanner implements StreamScanner {
  usage: Usage | undefined;
  hasOutput = false;
  terminated = false;
  failure: GatewayError | undefined;
  failureIsTold = false;
  outputEvents = 0;
  readonly #hideUsage: boolean;
  /** The choices seen, by index, and whether a server said why they ended. */
  readonly #choices = new Map<number, boolean>();

  constructor(options: ScanOptions) {
    this.#hideUsage = options.hideUsage;
  }

  /** Some servers never say a finish reason and end with [DONE] alone. */
  get finished(): boolean {
    if (this.#choices.size === 0) return false;
    return this.terminated || [...this.#choices.values()].every((isFinished) => isFinished);
  }

  scan(events: Buffer): Buffer {
    const chunks = countValues(events, CHOICES_KEY);
    this.outputEvents += chunks;
    return this.hasOutput && this.#isMoreOfTheSame(events, chunks) ? events : this.#scanEvents(events);
  }

  isWholeEvent(rest: Buffer): boolean {
    const data = eventField(rest.toString('utf8'), 'data');
    return data === '[DONE]' || (data !== undefined && tryParseJson(data) !== undefined);
  }

  closing(): string {
    return this.terminated ? '' : DONE_EVENT;
  }

  /**
   * Whether these are only further deltas of the one choice, about which nothing need be noted. A cheap look: where it
   * takes text for more than that, the events are merely read the thorough way.
   */
  #isMoreOfTheSame(events: Buffer, chunks: number): boolean {
    // An event without choices is something else: [DONE], an error in any of its forms, usage.
    return (
      this.#choices.size === 1 &&
      this.#choices.has(0) &&
      countOccurrences(events, DATA_FIELD) === chunks &&
      !hasValue(events, INDEX_KEY, isOtherThanZero) &&
      !hasValue(events, FINISH_KEY, beginsText) &&
      !hasValue(events, USAGE_KEY, beginsObject) &&
      !hasValue(events, ERROR_KEY, isNotNull)
    );
  }

  /** The thorough way, event by event: while it is not known yet what the stream is, and where something was found. */
  #scanEvents(events: Buffer): Buffer {
    const kept: Buffer[] = [];
    let hidden = false;
    for (const event of splitEvents(events)) {
      if (this.#isHidden(event)) hidden = true;
      else kept.push(event);
    }
    return hidden ? Buffer.concat(kept) : events;
  }

  #isHidden(event: Buffer): boolean {
    const text = event.toString('utf8');
    const data = eventField(text, 'data');
    if (data === undefined || data === '') return false;
    if (data === '[DONE]') {
      this.#terminate();
      return false;
    }
    const chunk = tryParseJson(data);
    const usage = isObject(chunk) ? decodeUsage(streamUsage(chunk)) : undefined;
    if (usage) this.usage = usage;
    if (!isObject(chunk) || saysError(chunk) || eventField(text, 'event') === 'error') {
      // Clients look into the data, not at the event's name.
      this.#fail(embeddedError(chunk ?? data), isObject(chunk) && Boolean(chunk['error']));
      return false;
    }
    const choices = choicesOf(chunk);
    const failed = choiceFailure(choices);
    if (failed) this.#fail(failed, true);
    for (const [position, choice] of choices.entries()) this.#noteChoice(choice, position);
    return this.#hideUsage && usage !== undefined && choices.length === 0;
  }

  #terminate(): void {
    this.terminated = true;
    if (this.#choices.size > 0) return;
    this.#fail(
      new GatewayError('upstream_unavailable', 'The provider ended its stream without an answer.'),
      false,
    );
  }

  #fail(error: GatewayError, isTold: boolean): void {
    if (this.failure) return;
    this.failure = error;
    this.failureIsTold = isTold;
  }

  #noteChoice(choice: JsonObject, position: number): void {
    const { index: said, finish_reason: reason, delta } = choice;
    const index = typeof said === 'number' ? said : position;
    const isFinished = typeof reason === 'string' && reason !== '';
    // Some servers clear the reason again.
    this.#choices.set(index, isFinished || this.#choices.get(index) === true);
    if (isFinished || saysSomething(delta)) this.hasOutput = true;
  }
}

/** A delta that holds more than the role: text, reasoning, a tool call, audio, whatever a server may invent. */
function saysSomething(delta: JsonValue | undefined): boolean {
  if (!isObject(delta)) return false;
  return Object.entries(delta).some(
    ([key, value]) =>
      key !== 'role' && value !== null && value !== '' && !(Array.isArray(value) && value.length === 0),
  );
}

const isOtherThanZero: ValueTest = (body, at) => body[at] !== 0x30;
/** Some servers say an empty text where others say null. */
const beginsText: ValueTest = (body, at) => body[at] === 0x22 && body[at + 1] !== 0x22;

/** How often the key stands there with a value; a burst brings several events at once. */
function countValues(body: Buffer, key: Buffer): number {
  let count = 0;
  for (let at = body.indexOf(key); at !== -1; at = body.indexOf(key, at + key.length)) {
    if (valueStart(body, at + key.length) !== -1) count++;
  }
  return count;
}

function countOccurrences(body: Buffer, word: Buffer): number {
  let count = 0;
  for (let at = body.indexOf(word); at !== -1; at = body.indexOf(word, at + word.length)) count++;
  return count;
}
