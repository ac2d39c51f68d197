import type { Choice, Completion, FinishReason } from '../../conversation/completion.ts';
import type { Part } from '../../conversation/conversation.ts';
import { GatewayError } from '../../conversation/gateway-error.ts';
import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import type { Usage } from '../../conversation/usage.ts';
import { readFinishReason, writeFinishReason } from '../finish-reasons.ts';
import { JSON_OUTPUT_TOOL } from '../reserved-tools.ts';
import { readCitations } from './citations.ts';
import { logprobsIn } from './logprobs.ts';
import { decodePart } from './parts.ts';
import { defined, extraOf, messageIn, messagesIn, numberIn, readMessage, textIn } from './proto.ts';
import { makeToolCallId } from './tool-call-ids.ts';
import { decodeUsage } from './usage.ts';

/**
 * A `GenerateContentResponse` as a completion.
 *
 * @throws GatewayError `upstream_unavailable` for an answer without candidates whose prompt was not blocked either, and
 * for one that came to nothing.
 */
export function decodeResponse(body: JsonValue): Completion {
  const response = isObject(body) ? readMessage(body) : {};
  const head = decodeHead(response);
  const { candidates: _, usageMetadata, ...rest } = head.rest;
  const candidates = messagesIn(response, 'candidates');
  const seed = seedOf(head, response);
  const choices = candidates.map((candidate, place) => decodeCandidate(candidate, place, seed));
  if (choices.length === 0 && isBlocked(response)) choices.push(blockedChoice());
  if (choices.length === 0) {
    throw new GatewayError('upstream_unavailable', 'The provider sent an answer without a candidate.');
  }
  const { usage, rest: usageRest } = decodeUsage(usageMetadata);
  const failure = withoutOutput(
    candidates.map((candidate, place) => ({ candidate, choice: choices[place] })),
    usage,
  );
  if (failure) throw failure;
  const fields = Object.keys(usageRest).length > 0 ? { ...rest, usageMetadata: usageRest } : rest;
  const { id, model, created } = head;
  return defined({ id, model, created, choices, usage, extra: extraOf(fields) });
}

export interface ResponseHead {
  id: string;
  model: string;
  created?: number;
  /** All but the id and the model. `createTime` stays here too: it is finer than `created`. */
  rest: JsonObject;
}

/** What says which answer this is; on every chunk of a stream. */
export function decodeHead(response: JsonObject): ResponseHead {
  const { responseId, modelVersion, ...rest } = response;
  const time = Date.parse(textIn(response, 'createTime') ?? '');
  return defined({
    id: typeof responseId === 'string' ? responseId : '',
    model: typeof modelVersion === 'string' ? modelVersion : '',
    created: Number.isNaN(time) ? undefined : Math.floor(time / 1000),
    rest,
  });
}

/** Ends that are the model's failure: it wrote no call that can be made, or stopped for a reason that nobody knows. */
const FAILURES: ReadonlySet<FinishReason> = new Set<FinishReason>(['malformed_tool_call', 'other']);

interface Ended {
  /** The candidate's own fields. */
  candidate: JsonObject;
  choice: { parts: readonly Part[]; finish: FinishReason } | undefined;
}

/**
 * The failure of an answer that ended so without any output, so that another attempt may do better: to a client it would
 * look like an empty answer. Thoughts are none.
 */
export function withoutOutput(ended: readonly Ended[], usage: Usage | undefined): GatewayError | undefined {
  const [first] = ended;
  const isFailed = ({ choice }: Ended) =>
    choice !== undefined &&
    FAILURES.has(choice.finish) &&
    choice.parts.every((part) => part.type === 'reasoning' || isEmptyText(part));
  if (!first || !ended.every(isFailed)) return undefined;
  const word = textIn(first.candidate, 'finishReason') ?? '';
  const message = textIn(first.candidate, 'finishMessage') ?? '';
  return new GatewayError(
    'upstream_unavailable',
    message === '' ? `The provider ended its answer with ${word} and without any output.` : message,
    defined({ code: word, usage }),
  );
}

/** In a stream it is no part at all. */
function isEmptyText(part: Part): boolean {
  return part.type === 'text' && part.text === '' && part.signature === undefined;
}

/** No candidate, because the prompt was refused. */
export function isBlocked(response: JsonObject): boolean {
  return textIn(messageIn(response, 'promptFeedback') ?? {}, 'blockReason') !== undefined;
}

/** The choice that stands for a blocked prompt; why it was blocked is in the completion's `extra`. */
function blockedChoice(): Choice {
  return { index: 0, parts: [], finish: 'content_filter' };
}

function decodeCandidate(candidate: JsonObject, place: number, seed: string): Choice {
  const { content: _c, index: _i, finishReason: _f, logprobsResult: _l, ...rest } = candidate;
  const index = numberIn(candidate, 'index') ?? place;
  const ids = new CallIds(seed, index);
  const wireParts = oneAnswer(messagesIn(messageIn(candidate, 'content') ?? {}, 'parts'));
  const parts = wireParts.map((part) => decodePart(part, () => ids.next()));
  attachCitations(parts, candidate);
  const word = textIn(candidate, 'finishReason');
  const finish = decodeFinish(word, parts);
  return defined({
    index,
    parts,
    finish,
    logprobs: logprobsIn(candidate),
    extra: extraOf({ ...rest, ...finishWord(word, finish) }),
  });
}

/**
 * Of the calls that stand for a JSON answer the first, and none beside calls of the caller's own functions, whose results the answer
 * should have waited for: the API cannot be told to make one call at a time.
 */
function oneAnswer(parts: JsonObject[]): JsonObject[] {
  const answers = parts.filter(isAnswer);
  if (answers.length === 0) return parts;
  const callsOthers = parts.some((part) => isObject(part['functionCall']) && !isAnswer(part));
  // Behind all else, as a stream has it, which knows at its end alone that no other call comes.
  return [...parts.filter((part) => !isAnswer(part)), ...(callsOthers ? [] : answers.slice(0, 1))];
}

/** Whether a part is the call that stands for a JSON answer. */
export function isAnswer(part: JsonObject): boolean {
  const { functionCall } = part;
  return isObject(functionCall) && functionCall['name'] === JSON_OUTPUT_TOOL;
}

function attachCitations(parts: Part[], candidate: JsonObject): void {
  const texts = parts.filter((part) => part.type === 'text');
  const lists = readCitations(
    candidate,
    texts.map(({ text }) => text),
  );
  for (const [index, part] of texts.entries()) {
    const citations = lists[index];
    if (citations && citations.length > 0) part.citations = citations;
  }
}

/** Gemini says `STOP` of a turn that ends in function calls. */
export function decodeFinish(word: string | undefined, parts: readonly Part[]): FinishReason {
  const reason = readFinishReason('gemini', word ?? 'STOP');
  const isOpen = reason === 'stop' || word === 'FINISH_REASON_UNSPECIFIED';
  return isOpen && parts.some((part) => part?.type === 'tool_call') ? 'tool_calls' : reason;
}

/** The word itself where the neutral reason would be written back as another. */
export function finishWord(word: string | undefined, finish: FinishReason): JsonObject {
  return word === undefined || word === writeFinishReason('gemini', finish) ? {} : { finishReason: word };
}

/** Ids for one candidate's calls that come without. */
export class CallIds {
  readonly #seed: string;
  #made = 0;

  /** @param seed what tells the answer apart from others: `seedOf` */
  constructor(seed: string, candidate: number) {
    this.#seed = `${seed}/${candidate}`;
  }

  next(): string {
    this.#made += 1;
    return makeToolCallId(this.#seed, this.#made - 1);
  }
}

/**
 * What tells an answer apart: its id, or else all that it, or the first chunk of its stream, says. Where counts of tokens are in it, which
 * grow with the conversation, the same call in a later turn has another id.
 */
export function seedOf({ id }: ResponseHead, response: JsonObject): string {
  return id === '' ? JSON.stringify(response) : id;
}
