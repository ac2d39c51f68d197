import { GatewayError } from '../../conversation/gateway-error.ts';
import { isObject, type JsonObject, type JsonValue, tryParseJson } from '../../conversation/json.ts';
import type { Usage } from '../../conversation/usage.ts';
import { type AnswerScan, findModel, findUsage } from '../answer-scan.ts';
import { eventField, splitEvents } from '../event-bytes.ts';
import { beginsDigit, beginsList, beginsWith, hasValue } from '../json-bytes.ts';
import { modelFieldNames } from '../named-models.ts';
import { outputFieldNames } from '../output-bound.ts';
import {
  type MadeIds,
  noAnswer,
  type PassThrough,
  type PrepareOptions,
  type ScanOptions,
  type StreamScanner,
} from '../pass-through.ts';
import { type FieldSpans, spliceBody } from '../request-fields.ts';
import { tierFieldNames } from '../tiers.ts';
import { WordTable } from '../word-table.ts';
import { bridge } from './bridge.ts';
import { decodeErrorEvent } from './errors.ts';
import { madeContainer, madeIds, readMadeIds } from './made-ids.ts';
import { decodeUsage, StreamUsage } from './usage.ts';

/** The Messages API between two sides that both speak it. */
export const passThrough: PassThrough = {
  fields: new WordTable([
    'model',
    'stream',
    'container',
    'thread',
    'diagnostics',
    ...outputFieldNames('messages'),
    ...tierFieldNames('messages'),
    ...modelFieldNames('messages'),
    ...bridge.fields,
    ...(bridge.beside ?? []),
  ]),
  bridge,
  prepareRequest,
  scansAnswers: true,
  readUsage,
  readModel: findModel,
  readFailure,
  readMadeIds,
  streamScanner: (options) => new MessagesStreamScanner(options),
};

/** The same for `count_tokens`, whose answers are no usage. */
export const countPassThrough: PassThrough = {
  ...passThrough,
  readUsage: () => undefined,
  readFailure: readCountFailure,
};

function prepareRequest(body: Buffer, { model }: FieldSpans, options: PrepareOptions): Buffer {
  return model ? spliceBody(body, [{ span: model, text: JSON.stringify(options.model) }]) : body;
}

const CONTENT_KEY = Buffer.from('"content"');
const COUNT_KEY = Buffer.from('"input_tokens"');

function readUsage(body: Buffer, scan?: AnswerScan): Usage | undefined {
  const usage = findUsage(body, scan, (value) => 'output_tokens' in value && 'input_tokens' in value);
  return usage && decodeUsage(usage);
}

/** How much of an answer is looked at before it is parsed for an error. */
const LOOK_BYTES = 4096;

function readFailure(body: Buffer, scan?: AnswerScan): GatewayError | undefined {
  const content = scan?.starts.content;
  if (content !== undefined && beginsList(body, content)) return undefined;
  if (hasValue(body.subarray(0, LOOK_BYTES), CONTENT_KEY, beginsList)) return undefined;
  const answer = tryParseJson(body.toString('utf8'));
  if (isObject(answer) && Array.isArray(answer['content'])) return undefined;
  return failureOf(answer, 'message');
}

function readCountFailure(body: Buffer): GatewayError | undefined {
  if (hasValue(body, COUNT_KEY, beginsDigit)) return undefined;
  return failureOf(tryParseJson(body.toString('utf8')), 'count of tokens');
}

/** Of what is not what was asked for: the error that it holds, in whatever form. */
function failureOf(answer: JsonValue | undefined, asked: string): GatewayError {
  const says = isObject(answer) && (answer['error'] || typeof answer['message'] === 'string');
  return says ? decodeErrorEvent(answer) : noAnswer(asked);
}

function saysError(value: JsonObject): boolean {
  return value['type'] === 'error' || (value['type'] === undefined && isObject(value['error']));
}

/** Events about which, once there was output, nothing need be noted. */
const PASSED_OVER = ['event: content_block_', 'event: ping'].map((line) => Buffer.from(line));
const DELTA = Buffer.from('event: content_block_delta');
const LAST_EVENT = 'event: message_stop\ndata: {"type":"message_stop"}\n\n';

class MessagesStreamScanner implements StreamScanner {
  hasOutput = false;
  finished = false;
  terminated = false;
  failure: GatewayError | undefined;
  failureIsTold = false;
  outputEvents = 0;
  madeIds: MadeIds | undefined;
  model: string | undefined;
  readonly #usage = new StreamUsage();
  readonly #spans: FieldSpans;

  constructor({ spans = {} }: ScanOptions) {
    this.#spans = spans;
  }

  get usage(): Usage | undefined {
    const { wire } = this.#usage;
    return wire && decodeUsage(wire);
  }

  get usageIsAnnounced(): boolean {
    return this.#usage.isAnnounced;
  }

  scan(events: Buffer): Buffer {
    for (const event of splitEvents(events)) {
      // Behind the last event there may be another message, which nobody asked for and a client does not read.
      if (this.terminated) break;
      if (!this.hasOutput || !PASSED_OVER.some((start) => beginsWith(event, start))) this.#read(event);
      else if (beginsWith(event, DELTA)) this.outputEvents++;
    }
    return events;
  }

  isWholeEvent(rest: Buffer): boolean {
    const data = eventField(rest.toString('utf8'), 'data');
    return data !== undefined && tryParseJson(data) !== undefined;
  }

  closing(): string {
    return this.terminated ? '' : LAST_EVENT;
  }

  #read(event: Buffer): void {
    const text = event.toString('utf8');
    const data = eventField(text, 'data');
    // Compatible servers end their streams as OpenAI does.
    if (data === undefined || data === '' || data === '[DONE]') return;
    const value = tryParseJson(data);
    if (!isObject(value)) {
      this.#fail('The provider sent a stream event that is not a JSON object.');
      return;
    }
    const type = typeof value['type'] === 'string' ? value['type'] : eventField(text, 'event');
    this.#note(type, value);
  }

  /** Source: docs "Streaming messages". Events of other types are passed on unread. */
  #note(type: string | undefined, event: JsonObject): void {
    switch (type) {
      case 'message_start':
        this.#start(isObject(event['message']) ? event['message'] : {});
        break;
      case 'content_block_start':
        if (saysSomething(event['content_block'])) this.hasOutput = true;
        break;
      case 'content_block_delta':
        this.outputEvents++;
        if (saysSomething(event['delta'])) this.hasOutput = true;
        break;
      case 'message_delta':
        this.#usage.add(event['usage']);
        this.#end(isObject(event['delta']) ? event['delta'] : {});
        break;
      case 'message_stop':
        this.terminated = true;
        if (!this.finished) this.#fail('The provider ended its stream without saying why the answer ended.');
        break;
      case 'error':
        this.#takeError(event);
        break;
      default:
        if (saysError(event)) this.#takeError(event);
    }
  }

  /** A short answer may stand in it as a whole, its content and why it ended. */
  #start(message: JsonObject): void {
    const { usage, stop_reason: reason, content } = message;
    this.#usage.announce(usage);
    if (typeof message['model'] === 'string') this.model = message['model'];
    this.madeIds = madeIds(message, this.#spans);
    if (Array.isArray(content) && content.some(saysSomething)) this.hasOutput = true;
    if (typeof reason === 'string') this.finished = true;
  }

  #end({ stop_reason: reason, container }: JsonObject): void {
    const made = madeContainer(container);
    if (made) this.madeIds = { ...this.madeIds, ...made };
    if (typeof reason !== 'string') return;
    this.finished = true;
    this.hasOutput = true;
  }

  #takeError(event: JsonObject): void {
    if (this.failure) return;
    this.failure = decodeErrorEvent(event);
    this.failureIsTold = true;
  }

  #fail(message: string): void {
    this.failure ??= new GatewayError('upstream_unavailable', message);
  }
}

/** Texts and thoughts begin as empty blocks; a block of any other kind, and a delta that is not empty, is output. */
function saysSomething(value: JsonValue | undefined): boolean {
  if (!isObject(value)) return false;
  const { type, ...fields } = value;
  if (type !== 'text' && type !== 'thinking' && !String(type).endsWith('_delta')) return true;
  return Object.values(fields).some(
    (field) => field !== '' && field !== null && !(Array.isArray(field) && field.length === 0),
  );
}
