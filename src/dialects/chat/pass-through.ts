import type { GatewayError } from '../../conversation/gateway-error.ts';
import { isObject, type JsonObject, tryParseJson } from '../../conversation/json.ts';
import type { Usage } from '../../conversation/usage.ts';
import { type AnswerScan, findModel, findServiceTier, findUsage } from '../answer-scan.ts';
import { backgroundFieldNames } from '../background.ts';
import {
  beginsFilledList,
  beginsList,
  beginsObject,
  hasValue,
  isNotNull,
  type ValueTest,
} from '../json-bytes.ts';
import { modelFieldNames } from '../named-models.ts';
import { outputFieldNames } from '../output-bound.ts';
import { noAnswer, type PassThrough, type PrepareOptions } from '../pass-through.ts';
import { type FieldSpans, parseField, spliceBody } from '../request-fields.ts';
import { tierFieldNames } from '../tiers.ts';
import { WordTable } from '../word-table.ts';
import { madeIds, readFirstIds, readMadeIds } from './audio-output.ts';
import { bridge } from './bridge.ts';
import { choiceFailure, choicesOf } from './embedded-failures.ts';
import { embeddedError, saysError } from './errors.ts';
import { mendArguments, mendFinish, toolCallsOf } from './mend-answer.ts';
import { ChatStreamScanner } from './stream-scanner.ts';
import { decodeUsage } from './usage.ts';

/** Chat Completions between two sides that both speak it. */
export const passThrough: PassThrough = {
  fields: new WordTable([
    'model',
    'stream',
    'stream_options',
    'audio',
    'modalities',
    'data_sources',
    'kv_transfer_params',
    'stop',
    ...outputFieldNames('chat'),
    ...tierFieldNames('chat'),
    ...backgroundFieldNames('chat'),
    ...modelFieldNames('chat'),
    ...bridge.fields,
  ]),
  bridge,
  prepareRequest,
  scansAnswers: true,
  readUsage,
  readModel: findModel,
  readFailure: (body, scan) => (scan && isGood(body, scan) ? undefined : readFailure(body, CHOICES_KEY)),
  mendAnswer,
  // What speaks is asked to.
  leavesIds: ({ audio, modalities }) => audio !== undefined || modalities !== undefined,
  readMadeIds,
  readFirstIds,
  madeIds,
  streamScanner: (options) => new ChatStreamScanner(options),
};

/** Embeddings, whose answers hold no choices. */
export const embeddingsPassThrough: PassThrough = {
  ...passThrough,
  scansAnswers: undefined,
  // They are of no tier, and large.
  readUsage: (body) => readUsageAt(body, undefined),
  readFailure: readEmbeddingsFailure,
  mendAnswer: (body) => body,
  leavesIds: () => false,
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
  if (edits.length > 1) edits.sort((a, b) => a.span.start - b.span.start);
  return spliceBody(body, edits);
}

const FINISH_KEY = Buffer.from('"finish_reason"');
const ERROR_KEY = Buffer.from('"error"');
const CHOICES_KEY = Buffer.from('"choices"');
const DATA_KEY = Buffer.from('"data"');
const ARGUMENTS_KEY = Buffer.from('"arguments"');
const TOOL_CALLS_KEY = Buffer.from('"tool_calls"');

function readUsage(body: Buffer, scan?: AnswerScan): Usage | undefined {
  return readUsageAt(body, scan, findServiceTier(body, scan));
}

function readUsageAt(body: Buffer, scan: AnswerScan | undefined, serviceTier?: string): Usage | undefined {
  const usage = findUsage(body, scan, isUsage);
  return usage && decodeUsage(usage, serviceTier);
}

function isUsage(value: JsonObject): boolean {
  return 'prompt_tokens' in value || 'total_tokens' in value;
}

/** Has choices, and says nowhere that anything failed. */
function isGood(body: Buffer, { starts: { choices, error }, words }: AnswerScan): boolean {
  const mayFail = error !== undefined || words.has('error');
  return !mayFail && choices !== undefined && beginsFilledList(body, choices);
}

/** How much of an answer is looked at for its list, and of both ends of one that is full of numbers for an error. */
const LOOK_BYTES = 4096;

/**
 * Servers put a list of choices (or of embeddings) near the beginning, and errors at either end. The reason why a choice ended may
 * stand anywhere between what was said and what it is made of.
 */
function readFailure(body: Buffer, listKey: Buffer): GatewayError | undefined {
  const ofChoices = listKey === CHOICES_KEY;
  const hasList = hasValue(body.subarray(0, LOOK_BYTES), listKey, beginsFilledList);
  const mayFail = ofChoices ? saysFailed(body) : endsOf(body).some(saysFailed);
  if (hasList && !mayFail) return undefined;
  const answer = tryParseJson(body.toString('utf8'));
  if (answer !== undefined && saysError(answer)) return embeddedError(answer);
  const choices = isObject(answer) ? choicesOf(answer) : [];
  if (ofChoices && !choices.some(isObject)) {
    return noAnswer('chat completion');
  }
  return choiceFailure(choices);
}

function endsOf(body: Buffer): Buffer[] {
  if (body.length <= 2 * LOOK_BYTES) return [body];
  return [body.subarray(0, LOOK_BYTES), body.subarray(body.length - LOOK_BYTES)];
}

function saysFailed(bytes: Buffer): boolean {
  return hasValue(bytes, ERROR_KEY, isNotNull) || hasValue(bytes, FINISH_KEY, mayBeError);
}

/** Begins as `"error"` does, other than `"eos"`. */
const mayBeError: ValueTest = (body, at) =>
  body[at] === 0x22 && body[at + 1] === 0x65 && body[at + 2] === 0x72;

/** The error in the place of an answer that is any JSON object otherwise. */
export function readAnyFailure(body: Buffer): GatewayError | undefined {
  return readFailure(body, DATA_KEY);
}

function readEmbeddingsFailure(body: Buffer): GatewayError | undefined {
  const failure = readAnyFailure(body);
  if (failure) return failure;
  return hasValue(body, DATA_KEY, beginsList) ? undefined : noAnswer('list of embeddings');
}

/** Begins as `"stop"` does. */
const mayBeStop: ValueTest = (body, at) => body[at] === 0x22 && body[at + 1] === 0x73;

/** A whole answer that calls tools ends so that they are called; all else of it stays as it came. */
function mendAnswer(body: Buffer, scan?: AnswerScan): Buffer {
  if (scan && !scan.words.has('tool_calls')) return body;
  if (!hasValue(body, TOOL_CALLS_KEY, beginsFilledList)) return body;
  if (!hasValue(body, FINISH_KEY, mayBeStop) && !hasValue(body, ARGUMENTS_KEY, beginsObject)) return body;
  const answer = tryParseJson(body.toString('utf8'));
  const choices = isObject(answer) ? choicesOf(answer) : [];
  const edits = choices.flatMap((choice, place) => {
    if (!isObject(choice)) return [];
    const calls = toolCallsOf(choice['message']);
    const path = ['choices', place];
    const objects = calls.flatMap((call, at) =>
      isObject(call) ? mendArguments(body, [...path, 'message', 'tool_calls', at], call) : [],
    );
    return [...mendFinish(body, path, choice, calls.length > 0), ...objects];
  });
  edits.sort((a, b) => a.span.start - b.span.start);
  return edits.length === 0 ? body : spliceBody(body, edits);
}
