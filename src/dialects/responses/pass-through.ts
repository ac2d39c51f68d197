import type { GatewayError } from '../../conversation/gateway-error.ts';
import { isObject, type JsonObject, tryParseJson } from '../../conversation/json.ts';
import type { Usage } from '../../conversation/usage.ts';
import { type AnswerScan, findLastObject, findServiceTier, findUsage } from '../answer-scan.ts';
import { backgroundFieldNames } from '../background.ts';
import { embeddedError, eventFailure, saysError } from '../chat/errors.ts';
import { eventField, splitEvents } from '../event-bytes.ts';
import { beginsList, beginsWith, countOccurrences, hasValue, isNotNull } from '../json-bytes.ts';
import { modelFieldNames } from '../named-models.ts';
import { outputFieldNames } from '../output-bound.ts';
import {
  type MadeIds,
  noAnswer,
  type PassThrough,
  type PrepareOptions,
  type StreamScanner,
} from '../pass-through.ts';
import { type FieldSpans, spliceBody } from '../request-fields.ts';
import { type ServedTier, servedTier, tierFieldNames } from '../tiers.ts';
import { WordTable } from '../word-table.ts';
import { bridge } from './bridge.ts';
import { eventError, failureOf } from './errors.ts';
import { failedResponseEvent, failureEvents } from './failure-events.ts';
import { madeIds, readMadeIds } from './made-ids.ts';
import { decodeUsage, type UsageContext } from './usage.ts';

/** The Responses API between two sides that both speak it. */
export const passThrough: PassThrough = {
  fields: new WordTable([
    'model',
    'stream',
    'store',
    'previous_response_id',
    'input',
    'conversation',
    'prompt',
    ...outputFieldNames('responses'),
    ...tierFieldNames('responses'),
    ...backgroundFieldNames('responses'),
    ...modelFieldNames('responses'),
    ...bridge.fields,
  ]),
  bridge,
  prepareRequest,
  scansAnswers: true,
  readUsage,
  readFailure,
  readAnswerId,
  readMadeIds,
  madeIds: ({ output }) => madeIds(output),
  streamScanner: () => new ResponsesStreamScanner(),
};

/** Streams of this API always say their usage: only the model is replaced. */
function prepareRequest(body: Buffer, { model }: FieldSpans, options: PrepareOptions): Buffer {
  return model ? spliceBody(body, [{ span: model, text: JSON.stringify(options.model) }]) : body;
}

const ERROR_KEY = Buffer.from('"error"');
const OUTPUT_KEY = Buffer.from('"output"');
const FAILED = Buffer.from('"failed"');

function readUsage(body: Buffer, scan?: AnswerScan): Usage | undefined {
  const usage = findUsage(body, scan, isUsage);
  if (!usage) return undefined;
  const context: UsageContext = { service_tier: findServiceTier(body, scan) };
  const toolUsage = findToolUsage(body, scan);
  if (toolUsage) {
    context.tool_usage = toolUsage;
    // Of an answer that was forwarded already only the end is left.
    const answer = tryParseJson(body.toString('utf8'));
    context.tools = isObject(answer) ? answer['tools'] : undefined;
  }
  return decodeUsage(usage, context);
}

const TOOL_USAGE_KEY = Buffer.from('"tool_usage"');
const DRAWN = Buffer.from('"image_gen"');
/** As it stands where nothing was drawn, which is nearly always. */
const NOTHING_DRAWN = Buffer.from(
  '"image_gen":{"input_tokens":0,"input_tokens_details":{"image_tokens":0,"text_tokens":0},"output_tokens":0,',
);

/** What tools used, where models did. */
function findToolUsage(body: Buffer, scan: AnswerScan | undefined): JsonObject | undefined {
  const start = scan?.starts.tool_usage;
  if (scan && start === undefined) return undefined;
  const rest = start === undefined ? body : body.subarray(start);
  const at = rest.lastIndexOf(DRAWN);
  if (at === -1 || rest.subarray(at, at + NOTHING_DRAWN.length).equals(NOTHING_DRAWN)) return undefined;
  return findLastObject(body, TOOL_USAGE_KEY, (value) => isObject(value['image_gen']));
}

function isUsage(value: JsonObject): boolean {
  return 'input_tokens' in value || 'total_tokens' in value;
}

/** Good responses have `error: null`; only those of which something else may be said are parsed. */
function readFailure(body: Buffer): GatewayError | undefined {
  const mayFail = hasValue(body, ERROR_KEY, isNotNull) || body.includes(FAILED);
  if (!mayFail && hasValue(body, OUTPUT_KEY, beginsList)) return undefined;
  const answer = tryParseJson(body.toString('utf8'));
  const failure = failureOf(answer);
  if (failure) return failure;
  if (isObject(answer) && Array.isArray(answer['output'])) return undefined;
  return answer !== undefined && saysError(answer) ? embeddedError(answer) : noAnswer('response object');
}

/** Responses begin with their ids; where one does not, it is looked for among the other fields. */
const FIRST_ID = /^\s*\{\s*"id"\s*:\s*"([\w-]+)"/;
const HEAD_BYTES = 512;

function readAnswerId(head: Buffer): string | undefined {
  const first = FIRST_ID.exec(head.toString('latin1', 0, HEAD_BYTES))?.[1];
  if (first !== undefined) return first;
  const response = tryParseJson(head.toString('utf8'));
  return isObject(response) && typeof response['id'] === 'string' ? response['id'] : undefined;
}

/** Events that begin something; what they begin can still be taken back. */
const BEGINNINGS: ReadonlySet<string> = new Set([
  'response.created',
  'response.queued',
  'response.in_progress',
  'response.output_item.added',
  'response.content_part.added',
  'response.reasoning_summary_part.added',
  'keepalive',
]);

/** Types of events that say how the stream ended; with their quotes they stand in no text. */
const ENDINGS = [
  'response.completed',
  'response.incomplete',
  'response.failed',
  'response.cancelled',
  'error',
].map((type) => Buffer.from(`"${type}"`));
const DELTA = Buffer.from('.delta"');
const DATA_LINE = Buffer.from('data:');
const NEXT_DATA_LINE = Buffer.from('\ndata:');

class ResponsesStreamScanner implements StreamScanner {
  usage: Usage | undefined;
  hasOutput = false;
  finished = false;
  terminated = false;
  failure: GatewayError | undefined;
  failureIsTold = false;
  outputEvents = 0;
  /** The response as it was when it began, and the number of the next event, for a stream that breaks off. */
  #response: JsonObject | undefined;
  #sequence = 0;

  get answerId(): string | undefined {
    const id = this.#response?.['id'];
    return typeof id === 'string' ? id : undefined;
  }

  get servedTier(): ServedTier {
    return servedTier(this.#response);
  }

  get madeIds(): MadeIds | undefined {
    return this.finished ? madeIds(this.#response?.['output']) : undefined;
  }

  scan(events: Buffer): Buffer {
    if (this.hasOutput && !ENDINGS.some((word) => events.includes(word))) {
      this.outputEvents += countOccurrences(events, DELTA);
      this.#sequence += countOccurrences(events, NEXT_DATA_LINE) + (beginsWith(events, DATA_LINE) ? 1 : 0);
      return events;
    }
    for (const event of splitEvents(events)) this.#read(event.toString('utf8'));
    return events;
  }

  isWholeEvent(rest: Buffer): boolean {
    const data = eventField(rest.toString('utf8'), 'data');
    return data !== undefined && tryParseJson(data) !== undefined;
  }

  /** The response's last event is all the end that there is. */
  closing(): string {
    return '';
  }

  breakOff(error: GatewayError): string | undefined {
    // One that the provider never began is written as a whole.
    return this.#response ? failureEvents(error, this.#sequence, this.#response) : undefined;
  }

  /** Providers may end with the error alone, and a failed response behind it comes too late to be relayed. */
  closeFailure(error: GatewayError): string {
    if (this.terminated || !this.#response) return '';
    return failedResponseEvent(error, this.#sequence + 1, this.#response);
  }

  #read(text: string): void {
    const data = eventField(text, 'data');
    if (data === undefined || data === '' || data === '[DONE]') return;
    const event = tryParseJson(data);
    if (!isObject(event)) {
      this.failure ??= eventFailure(event, data, eventField(text, 'event'));
      return;
    }
    const type = typeof event['type'] === 'string' ? event['type'] : (eventField(text, 'event') ?? '');
    const failed = this.failure !== undefined;
    this.#note(type, event);
    // Whatever is no event at all tells nobody anything, and an error without a response only half of it.
    if (!failed && this.failure) this.failureIsTold = this.terminated || this.#response !== undefined;
    // Where one that tells of a failure is replaced, its number is free.
    if (!this.failure) this.#sequence++;
  }

  #note(type: string, event: JsonObject): void {
    const response = isObject(event['response']) ? event['response'] : undefined;
    if (response) {
      this.#response = response;
      this.usage = decodeUsage(response['usage'], response) ?? this.usage;
    }
    switch (type) {
      case 'response.completed':
      case 'response.incomplete':
        this.hasOutput = true;
        this.finished = true;
        this.terminated = true;
        break;
      case 'response.failed':
      case 'response.cancelled':
        this.terminated = true;
        this.failure ??= failureOf({ status: 'failed', ...response });
        break;
      case 'error':
        this.failure ??= eventError(event);
        break;
      default:
        this.failure ??= type === '' ? failureOf(event) : undefined;
        if (type !== '' && !BEGINNINGS.has(type)) this.hasOutput = true;
        if (type.endsWith('.delta')) this.outputEvents++;
    }
  }
}
