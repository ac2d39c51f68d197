import { GatewayError, invalidRequest } from '../../conversation/gateway-error.ts';
import { isObject, type JsonObject, type JsonValue, tryParseJson } from '../../conversation/json.ts';
import type { Usage } from '../../conversation/usage.ts';
import { findLastObject, findModel } from '../answer-scan.ts';
import { embeddedError, saysError } from '../chat/errors.ts';
import { isCount } from '../counts.ts';
import { eventField, splitEvents } from '../event-bytes.ts';
import { GOOGLE_HOLDERS } from '../held-fields.ts';
import { beginsDigit, beginsFilledList, beginsList, beginsObject, hasValue } from '../json-bytes.ts';
import { itemPlaces } from '../json-places.ts';
import { outputFieldNames } from '../output-bound.ts';
import {
  type MadeIds,
  noAnswer,
  type PassThrough,
  type PrepareOptions,
  type StreamScanner,
} from '../pass-through.ts';
import { type FieldSpan, type FieldSpans, findTopLevelFields, spliceBody } from '../request-fields.ts';
import { tierFieldNames } from '../tiers.ts';
import { WordTable } from '../word-table.ts';
import { bridge } from './bridge.ts';
import { CARRIED_PREFIX } from './carried-signatures.ts';
import { continuationIn, madeContinuations, madeIds, readMadeIds } from './continuations.ts';
import { decodeStreamError, errorIn } from './errors.ts';
import { messageIn, messagesIn, numberIn, readMessage, textIn } from './proto.ts';
import { isBlocked } from './response-decode.ts';
import { decodeUsage } from './usage.ts';

/** `generateContent` and its stream between two sides that both speak it. The model stands in the URL. */
export const passThrough: PassThrough = {
  fields: new WordTable([
    'model',
    'tools',
    ...GOOGLE_HOLDERS,
    ...outputFieldNames('gemini'),
    ...tierFieldNames('gemini'),
    ...bridge.fields,
  ]),
  bridge,
  carriedMarker: Buffer.from(CARRIED_PREFIX),
  prepareRequest,
  readUsage,
  readModel: (body) => findModel(body, undefined, 'modelVersion'),
  readFailure,
  readMadeIds,
  madeIds,
  streamScanner: () => new GeminiStreamScanner(),
};

/** What holds requests within a request. */
const REQUESTS = ['requests', 'generateContentRequest', 'generate_content_request'] as const;

/** `embedContent` and `batchEmbedContents`: what they embed names the model once more. */
export const embedPassThrough: PassThrough = {
  ...passThrough,
  fields: new WordTable([...passThrough.fields.words, ...REQUESTS]),
  prepareRequest: renameModels,
  readFailure: readEmbeddingFailure,
};

/** `countTokens`, whose answers are no usage. */
export const countPassThrough: PassThrough = {
  ...embedPassThrough,
  readUsage: () => undefined,
  readFailure: readCountFailure,
};

/** A body may repeat the model, and must then agree with the URL. */
function prepareRequest(body: Buffer, { model }: FieldSpans, options: PrepareOptions): Buffer {
  return model
    ? spliceBody(body, [{ span: model, text: JSON.stringify(resourceName(options.model)) }])
    : body;
}

/** For requests within a request, whose places no scan of the top level tells. */
function renameModels(body: Buffer, spans: FieldSpans, options: PrepareOptions): Buffer {
  // The provider could read another model in what is no JSON to us.
  if (tryParseJson(body.toString('utf8')) === undefined) {
    throw invalidRequest('The request body is not valid JSON.');
  }
  const text = JSON.stringify(resourceName(options.model));
  const places = REQUESTS.flatMap((key) => modelsWithin(body, spans[key]));
  if (spans['model']) places.push(spans['model']);
  places.sort((a, b) => a.start - b.start);
  return places.length === 0
    ? body
    : spliceBody(
        body,
        places.map((span) => ({ span, text })),
      );
}

const MODEL = new WordTable(['model']);

/** Where the requests of a list, or the one that stands there by itself, name their models. */
function modelsWithin(body: Buffer, place: FieldSpan | undefined): FieldSpan[] {
  if (!place) return [];
  const requests = beginsList(body, place.start) ? itemPlaces(body, place) : [place];
  return requests.flatMap(({ start, end }) => {
    if (!beginsObject(body, start)) return [];
    const { model } = findTopLevelFields(body.subarray(start, end), MODEL);
    return model ? [{ start: start + model.start, end: start + model.end }] : [];
  });
}

function resourceName(model: string): string {
  return model.includes('/') ? model : `models/${model}`;
}

const USAGE_KEY = Buffer.from('"usageMetadata"');

function readUsage(body: Buffer): Usage | undefined {
  const usage = findLastObject(body, USAGE_KEY, (value) => decodeUsage(value).usage !== undefined);
  return usage && decodeUsage(usage).usage;
}

/** How much of an answer is looked at before it is parsed for an error. */
const LOOK_BYTES = 4096;
const CANDIDATES_KEY = Buffer.from('"candidates"');
const EMBEDDING_KEY = Buffer.from('"embedding"');
const EMBEDDINGS_KEY = Buffer.from('"embeddings"');
const TOTAL_KEY = Buffer.from('"totalTokens"');

function readFailure(body: Buffer): GatewayError | undefined {
  if (hasValue(body.subarray(0, LOOK_BYTES), CANDIDATES_KEY, beginsFilledList)) return undefined;
  const isAnswer = (answer: JsonObject) =>
    isFilledList(answer['candidates']) || messageIn(answer, 'promptFeedback') !== undefined;
  return failureOf(body, isAnswer, 'response with candidates');
}

function readEmbeddingFailure(body: Buffer): GatewayError | undefined {
  const head = body.subarray(0, LOOK_BYTES);
  if (hasValue(head, EMBEDDINGS_KEY, beginsFilledList)) return undefined;
  if (hasValue(head, EMBEDDING_KEY, beginsObject)) return undefined;
  const isAnswer = (answer: JsonObject) =>
    isFilledList(answer['embeddings']) || messageIn(answer, 'embedding') !== undefined;
  return failureOf(body, isAnswer, 'embedding');
}

/** A count of nothing is left out, as proto3 has it, and what is left may be nothing. */
function readCountFailure(body: Buffer): GatewayError | undefined {
  if (hasValue(body, TOTAL_KEY, beginsDigit)) return undefined;
  const isAnswer = (answer: JsonObject) =>
    Object.keys(answer).length === 0 || isCount(answer['totalTokens']) || 'promptTokensDetails' in answer;
  return failureOf(body, isAnswer, 'count of tokens');
}

function isFilledList(value: JsonValue | undefined): boolean {
  return Array.isArray(value) && isObject(value[0]);
}

function failureOf(
  body: Buffer,
  isAnswer: (answer: JsonObject) => boolean,
  asked: string,
): GatewayError | undefined {
  const answer = tryParseJson(body.toString('utf8'));
  if (!isObject(answer)) return noAnswer(asked);
  if (errorIn(answer)) return decodeStreamError(answer);
  if (isAnswer(readMessage(answer))) return undefined;
  // Servers before it have forms of their own.
  return saysError(answer) ? embeddedError(answer) : noAnswer(asked);
}

/** Every event is a whole `GenerateContentResponse`; nothing but a finish reason tells that one is the last. */
class GeminiStreamScanner implements StreamScanner {
  usage: Usage | undefined;
  model: string | undefined;
  hasOutput = false;
  readonly terminated = false;
  failure: GatewayError | undefined;
  failureIsTold = false;
  outputEvents = 0;
  madeIds: MadeIds | undefined;
  /** The candidates seen, by index, and whether they have ended. */
  readonly #candidates = new Map<number, boolean>();
  #blocked = false;

  get finished(): boolean {
    if (this.#candidates.size === 0) return this.#blocked;
    return [...this.#candidates.values()].every((isFinished) => isFinished);
  }

  scan(events: Buffer): Buffer {
    for (const event of splitEvents(events)) this.#read(eventField(event.toString('utf8'), 'data'));
    return events;
  }

  isWholeEvent(rest: Buffer): boolean {
    const data = eventField(rest.toString('utf8'), 'data');
    return data !== undefined && tryParseJson(data) !== undefined;
  }

  closing(): string {
    return '';
  }

  #read(data: string | undefined): void {
    if (data === undefined || data === '') return;
    const value = tryParseJson(data);
    if (value === undefined || !isObject(Array.isArray(value) ? value[0] : value)) {
      this.failure ??= new GatewayError(
        'upstream_unavailable',
        'The provider sent a stream event that is not a JSON object.',
      );
      return;
    }
    for (const chunk of Array.isArray(value) ? value : [value]) if (isObject(chunk)) this.#note(chunk);
  }

  #note(wire: JsonObject): void {
    if (errorIn(wire)) {
      if (!this.failure) this.failureIsTold = true;
      this.failure ??= decodeStreamError(wire);
      return;
    }
    const chunk = readMessage(wire);
    // Cumulative: the newest counts.
    this.usage = decodeUsage(chunk['usageMetadata']).usage ?? this.usage;
    this.model ??= textIn(chunk, 'modelVersion');
    if (isBlocked(chunk)) {
      this.#blocked = true;
      this.hasOutput = true;
    }
    for (const [place, candidate] of messagesIn(chunk, 'candidates').entries()) {
      this.#noteCandidate(candidate, numberIn(candidate, 'index') ?? place);
    }
  }

  #noteCandidate(candidate: JsonObject, index: number): void {
    const isFinished = textIn(candidate, 'finishReason') !== undefined;
    this.#candidates.set(index, isFinished || this.#candidates.get(index) === true);
    const token = isFinished ? continuationIn(candidate) : undefined;
    if (token !== undefined)
      this.madeIds = madeContinuations([...(this.madeIds?.continuations ?? []), token]);
    const parts = messagesIn(messageIn(candidate, 'content') ?? {}, 'parts');
    if (!isFinished && parts.every(isEmptyText)) return;
    this.hasOutput = true;
    this.outputEvents++;
  }
}

function isEmptyText(part: JsonObject): boolean {
  const { thought: _, ...fields } = part;
  return fields['text'] === '' && Object.keys(fields).length === 1;
}
