import { appendAll } from '../../conversation/append-all.ts';
import { GatewayError } from '../../conversation/gateway-error.ts';
import { isObject, type JsonObject, type JsonValue, tryParseJson } from '../../conversation/json.ts';
import type { Usage } from '../../conversation/usage.ts';
import { AlikeEvents, textsOf } from '../alike-events.ts';
import { eventField, splitEvents, withData } from '../event-bytes.ts';
import { type Edit, setField } from '../json-places.ts';
import {
  beginsFilledList,
  beginsFilledText,
  beginsList,
  beginsObject,
  countOccurrences,
  countTextValues,
  hasTextValue,
  isNotNull,
  isOtherThanZero,
} from '../json-text.ts';
import type { MadeIds, ScanOptions, StreamScanner } from '../pass-through.ts';
import { spliceBody } from '../request-fields.ts';
import { type ServedTier, servedTier } from '../tiers.ts';
import { spokenId } from './audio-output.ts';
import { CallNumbers } from './call-numbers.ts';
import { judgeChunk } from './embedded-failures.ts';
import { mendChoice, mendChoices, type SeenChoice } from './mend-answer.ts';
import { decodeUsage, streamUsage } from './usage.ts';

const DONE_EVENT = 'data: [DONE]\n\n';
const NOTHING = Buffer.alloc(0);

/** What every chunk of one answer says alike. */
const HEAD_FIELDS = ['id', 'object', 'created', 'model'];

/** What a delta says, and what OpenAI fills its chunks up with so that nobody learns of their lengths. None of it is to be noted. */
const SAID = textsOf(['content', 'reasoning_content', 'reasoning', 'refusal', 'arguments', 'obfuscation']);

/** Watches a chat stream go by, and mends what its clients would stumble over. */
export class ChatStreamScanner implements StreamScanner {
  usage: Usage | undefined;
  hasOutput = false;
  terminated = false;
  failure: GatewayError | undefined;
  failureIsTold = false;
  outputEvents = 0;
  readonly #hideUsage: boolean;
  /** What the server says of its usage elsewhere than where clients look for it. */
  #strayUsage: JsonValue | undefined;
  readonly #choices = new Map<number, SeenChoice>();
  #head: JsonObject = {};
  #serviceTier: JsonValue | undefined;
  /** The server leaves out what clients need, or says what is to be noted: all of its events are read. */
  #isIrregular: boolean;
  /** Like one that was more of the same. */
  readonly #alike = new AlikeEvents(SAID);
  readonly #findsIds: boolean;
  readonly #said = new Set<string>();

  constructor(options: ScanOptions) {
    this.#hideUsage = options.hideUsage;
    this.#findsIds = options.findsIds === true;
    this.#isIrregular = this.#findsIds;
  }

  /** Some servers never say a finish reason and end with [DONE] alone. */
  get finished(): boolean {
    if (this.#choices.size === 0) return false;
    return this.terminated || [...this.#choices.values()].every(({ isFinished }) => isFinished);
  }

  get model(): string | undefined {
    const model = this.#head['model'];
    return typeof model === 'string' ? model : undefined;
  }

  get servedTier(): ServedTier {
    return servedTier({ service_tier: this.#serviceTier ?? null });
  }

  get madeIds(): MadeIds | undefined {
    return this.#said.size === 0 ? undefined : { items: [], containers: [], audio: [...this.#said] };
  }

  scan(events: Buffer): Buffer {
    const alike = this.#isPlain ? this.#alike.count(events) : 0;
    if (alike > 0) {
      this.outputEvents += alike;
      return events;
    }
    const text = events.toString('latin1');
    const chunks = countTextValues(text, '"choices"', beginsList);
    this.outputEvents += chunks;
    if (!this.hasOutput || !this.#isMoreOfTheSame(text, chunks)) return this.#scanEvents(events);
    this.#alike.learn(events);
    return events;
  }

  isWholeEvent(rest: Buffer): boolean {
    const data = eventField(rest.toString('utf8'), 'data');
    return data === '[DONE]' || (data !== undefined && tryParseJson(data) !== undefined);
  }

  closing(): string {
    return this.terminated ? '' : this.#usageEvent() + DONE_EVENT;
  }

  /** One choice, whose deltas need no mending and leave nothing behind. */
  get #isPlain(): boolean {
    return this.#choices.size === 1 && !this.#isIrregular;
  }

  /**
   * Whether these are only further deltas of the one choice, about which nothing need be noted. A cheap look: where it
   * takes text for more than that, the events are merely read the thorough way.
   */
  #isMoreOfTheSame(text: string, chunks: number): boolean {
    // An event without choices is something else: [DONE], an error in any of its forms, usage.
    return (
      this.#isPlain &&
      countOccurrences(text, 'data:') === chunks &&
      countTextValues(text, '"delta"', beginsObject) === chunks &&
      !hasTextValue(text, '"index"', isOtherThanZero) &&
      !hasTextValue(text, '"finish_reason"', beginsFilledText) &&
      !hasTextValue(text, '"usage"', beginsObject) &&
      !hasTextValue(text, '"error"', isNotNull) &&
      this.#hasNoNewCalls(text)
    );
  }

  /** Of calls it need only be known that there are some, and that the server numbers them and writes their arguments as texts. */
  #hasNoNewCalls(text: string): boolean {
    const choice = this.#choices.get(0);
    if (!choice) return false;
    if (!choice.callsTools) return !hasTextValue(text, '"tool_calls"', beginsFilledList);
    return (
      !hasTextValue(text, '"name"', beginsFilledText) && !hasTextValue(text, '"arguments"', beginsObject)
    );
  }

  /** The thorough way, event by event: while it is not known yet what the stream is, and where something was found. */
  #scanEvents(events: Buffer): Buffer {
    const relayed: Buffer[] = [];
    let isChanged = false;
    for (const event of splitEvents(events)) {
      const own = this.#relay(event);
      if (own !== event) isChanged = true;
      relayed.push(own);
    }
    return isChanged ? Buffer.concat(relayed) : events;
  }

  /** What is to be relayed of an event: nearly always the event itself. */
  #relay(event: Buffer): Buffer {
    const text = event.toString('utf8');
    const data = eventField(text, 'data');
    if (data === undefined || data === '') return event;
    if (data === '[DONE]') return this.#terminate(event);
    const value = tryParseJson(data);
    const usage = isObject(value) ? this.#readUsage(value) : undefined;
    if (usage) this.usage = usage;
    const judged = judgeChunk(value, data, eventField(text, 'event'));
    if (judged.failure) {
      this.#fail(judged.failure, judged.isTold);
      return event;
    }
    const { chunk, choices } = judged;
    this.#noteHead(chunk);
    const edits = this.#noteChunk(chunk, choices, data);
    if (this.#hideUsage && usage !== undefined && choices.length === 0) return NOTHING;
    // Some servers say it beside what was said. A bare `null` goes by: to take it out would cost every chunk of every stream.
    if (this.#hideUsage && isObject(chunk['usage']))
      edits.push(setField(Buffer.from(data), [], chunk, 'usage', 'null'));
    if (edits.length === 0) return event;
    edits.sort((a, b) => a.span.start - b.span.start);
    const mended = spliceBody(Buffer.from(data), edits).toString('utf8');
    return Buffer.from(withData(text, mended));
  }

  /** OpenAI says the tier in every chunk. */
  #readUsage(chunk: JsonObject): Usage | undefined {
    this.#serviceTier = chunk['service_tier'] ?? this.#serviceTier;
    const said = streamUsage(chunk);
    if (said !== undefined) this.#strayUsage = said === chunk['usage'] ? undefined : said;
    return decodeUsage(said, this.#serviceTier);
  }

  #noteHead(chunk: JsonObject): void {
    for (const field of HEAD_FIELDS) this.#head[field] ||= chunk[field];
  }

  #noteChunk(chunk: JsonObject, choices: readonly JsonValue[], data: string): Edit[] {
    const json = Buffer.from(data);
    const edits = mendChoices(json, chunk);
    for (const [place, choice] of choices.entries()) {
      if (!isObject(choice)) continue;
      const index = typeof choice['index'] === 'number' ? choice['index'] : place;
      const seen = this.#seen(index);
      const mends = mendChoice(json, choice, place, index, seen);
      // A reason is said once; what else is missing will be missing again.
      if (typeof choice['index'] !== 'number' || seen.calls.differ) this.#isIrregular = true;
      appendAll(edits, mends);
      this.#noteOutput(choice, seen);
      const said = this.#findsIds ? spokenId(choice['delta']) : undefined;
      if (said !== undefined) this.#said.add(said);
    }
    return edits;
  }

  #seen(index: number): SeenChoice {
    let seen = this.#choices.get(index);
    if (!seen) {
      seen = { isFinished: false, callsTools: false, calls: new CallNumbers() };
      this.#choices.set(index, seen);
    }
    return seen;
  }

  #noteOutput({ finish_reason: reason, delta }: JsonObject, seen: SeenChoice): void {
    const isFinished = typeof reason === 'string' && reason !== '';
    // Some servers clear the reason again.
    if (isFinished) seen.isFinished = true;
    if (isFinished || saysSomething(delta)) this.hasOutput = true;
  }

  #terminate(done: Buffer): Buffer {
    this.terminated = true;
    if (this.#choices.size === 0) {
      this.#fail(
        new GatewayError('upstream_unavailable', 'The provider ended its stream without an answer.'),
        false,
      );
      return done;
    }
    const unfinished = [...this.#choices].filter(([, { isFinished }]) => !isFinished);
    // Clients take an answer without a reason for one that broke off; the server's last word is that it is whole.
    const finish = unfinished.length === 0 || this.failure ? '' : this.#finishEvent(unfinished);
    const last = finish + this.#usageEvent();
    return last === '' ? done : Buffer.concat([Buffer.from(last), done]);
  }

  #finishEvent(unfinished: readonly [number, SeenChoice][]): string {
    const choices = unfinished.map(([index, { callsTools }]) => ({
      index,
      delta: {},
      finish_reason: callsTools ? 'tool_calls' : 'stop',
    }));
    return `data: ${JSON.stringify({ ...this.#head, choices })}\n\n`;
  }

  /** Clients that asked for the usage look for it in a chunk of its own at the end. */
  #usageEvent(): string {
    if (this.#hideUsage || this.#strayUsage === undefined) return '';
    return `data: ${JSON.stringify({ ...this.#head, choices: [], usage: this.#strayUsage })}\n\n`;
  }

  #fail(error: GatewayError, isTold: boolean): void {
    if (this.failure) return;
    this.failure = error;
    this.failureIsTold = isTold;
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
