import { GatewayError } from '../../conversation/gateway-error.ts';
import { isObject, type JsonObject, type JsonValue, tryParseJson } from '../../conversation/json.ts';
import type { Usage } from '../../conversation/usage.ts';
import { judgeChunk } from '../chat/embedded-failures.ts';
import { decodeUsage } from '../chat/usage.ts';
import { eventField, splitEvents, withData } from '../event-bytes.ts';
import { setField } from '../json-places.ts';
import type { ScanOptions, StreamScanner } from '../pass-through.ts';
import { spliceBody } from '../request-fields.ts';

const DONE_EVENT = 'data: [DONE]\n\n';
const NOTHING = Buffer.alloc(0);

/** Watches a stream of text completions go by. */
export class CompletionsStreamScanner implements StreamScanner {
  usage: Usage | undefined;
  hasOutput = false;
  terminated = false;
  failure: GatewayError | undefined;
  failureIsTold = false;
  outputEvents = 0;
  model: string | undefined;
  readonly #hideUsage: boolean;
  readonly #asked: number;
  /** The choices that were seen, each with whether it ended: one may end before the next begins. */
  readonly #choices = new Map<number, boolean>();

  constructor({ hideUsage, asked = 1 }: ScanOptions) {
    this.#hideUsage = hideUsage;
    this.#asked = asked;
  }

  get finished(): boolean {
    if (this.#choices.size === 0) return false;
    return this.terminated || [...this.#choices.values()].filter(Boolean).length >= this.#asked;
  }

  scan(events: Buffer): Buffer {
    const relayed: Buffer[] = [];
    let isChanged = false;
    for (const event of splitEvents(events)) {
      const own = this.#relay(event);
      if (own !== event) isChanged = true;
      relayed.push(own);
    }
    return isChanged ? Buffer.concat(relayed) : events;
  }

  isWholeEvent(rest: Buffer): boolean {
    const data = eventField(rest.toString('utf8'), 'data');
    return data === '[DONE]' || (data !== undefined && tryParseJson(data) !== undefined);
  }

  closing(): string {
    return this.terminated ? '' : DONE_EVENT;
  }

  #relay(event: Buffer): Buffer {
    const text = event.toString('utf8');
    const data = eventField(text, 'data');
    if (data === undefined || data === '') return event;
    if (data === '[DONE]') {
      this.#terminate();
      return event;
    }
    const value = tryParseJson(data);
    const usage = isObject(value) ? decodeUsage(value['usage']) : undefined;
    if (usage) this.usage = usage;
    const judged = judgeChunk(value, data, eventField(text, 'event'));
    if (judged.failure) {
      this.#fail(judged.failure, judged.isTold);
      return event;
    }
    const { chunk, choices } = judged;
    if (typeof chunk['model'] === 'string') this.model = chunk['model'];
    this.#note(choices);
    if (!this.#hideUsage || !isObject(chunk['usage'])) return event;
    return choices.length === 0 ? NOTHING : withoutUsage(text, data, chunk);
  }

  #note(choices: readonly JsonValue[]): void {
    if (choices.length > 0) this.outputEvents += 1;
    for (const [place, choice] of choices.entries()) {
      if (!isObject(choice)) continue;
      const { index = place, text, finish_reason: reason } = choice;
      const isFinished = typeof reason === 'string' && reason !== '';
      const key = typeof index === 'number' ? index : place;
      this.#choices.set(key, isFinished || this.#choices.get(key) === true);
      if (isFinished || (typeof text === 'string' && text !== '')) this.hasOutput = true;
    }
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
}

/** Some servers say it beside what was said. */
function withoutUsage(event: string, data: string, chunk: JsonObject): Buffer {
  const json = Buffer.from(data);
  const edit = setField(json, [], chunk, 'usage', 'null');
  return Buffer.from(withData(event, spliceBody(json, [edit]).toString('utf8')));
}
