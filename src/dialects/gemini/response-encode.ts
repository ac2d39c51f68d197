import type { Choice, Completion } from '../../conversation/completion.ts';
import type { Part, ToolCallPart } from '../../conversation/conversation.ts';
import { isObject, type JsonObject } from '../../conversation/json.ts';
import { dropFromAnswer, dropPart } from '../dropped-parts.ts';
import { writeFinishReason } from '../finish-reasons.ts';
import { isCutOff } from '../finish-with-calls.ts';
import { nameForeignFields } from '../foreign-answers.ts';
import { isUnfinishedCall } from '../unfinished-calls.ts';
import { CarriedSignatureWriter, isOwnCall } from './carried-signatures.ts';
import { writeGrounding } from './citations.ts';
import { encodeLogprobs } from './logprobs.ts';
import { encodePart } from './parts.ts';
import { defined, ownFields } from './proto.ts';
import { isBlocked } from './response-decode.ts';
import { showsThoughts } from './thinking.ts';
import { encodeUsage } from './usage.ts';

/** A completion as a `GenerateContentResponse`. */
export function encodeResponse(
  completion: Completion,
  request?: JsonObject,
  dropped: string[] = [],
): JsonObject {
  nameForeignFields(dropped, completion, 'gemini');
  const own = ownFields(completion.extra);
  const { usageMetadata, ...rest } = own;
  const isShown = showsThoughts(request);
  const candidates = completion.choices.map((choice) => encodeChoice(choice, isShown, dropped));
  return defined({
    candidates: saysOnlyBlocked(completion.choices, own) ? undefined : candidates,
    usageMetadata: completion.usage
      ? encodeUsage(completion.usage, isObject(usageMetadata) ? usageMetadata : {})
      : usageMetadata,
    ...encodeHead(completion),
    ...rest,
  });
}

/** A blocked prompt has no candidates. */
export function saysOnlyBlocked(choices: readonly { parts: readonly unknown[] }[], own: JsonObject): boolean {
  return isBlocked(own) && choices.every((choice) => choice.parts.length === 0);
}

export function encodeHead({
  id,
  model,
  created,
}: {
  id: string;
  model: string;
  created?: number;
}): JsonObject {
  return defined({
    modelVersion: model === '' ? undefined : model,
    createTime: created === undefined ? undefined : timestamp(created),
    responseId: id === '' ? undefined : id,
  });
}

/** RFC 3339, as protobuf writes timestamps; `undefined` for a number that is no time. */
function timestamp(seconds: number): string | undefined {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString();
}

/** How parts of an answer are written: a client gets the ids that it must send back, and all reasoning. */
const ANSWER_PARTS = { callIds: true, unsignedReasoning: true, path: 'content' } as const;

/** A part of an answer, to be given in order with all others of its choice: calls carry what stands before them. */
export function encodeAnswerPart(
  part: Part,
  signatures: CarriedSignatureWriter,
  dropped: string[],
): JsonObject | undefined {
  const thoughtSignature = signatures.add(part);
  const wire = encodePart(part, ANSWER_PARTS);
  if (!wire) dropPart(dropped, part);
  return wire && thoughtSignature !== undefined ? { ...wire, thoughtSignature } : wire;
}

/**
 * Whether a call of an answer that was cut off must be left out, which is then named: this dialect has no place to say that a
 * call is cut, and clients make every call that they find. What Gemini itself gave with `MAX_TOKENS` stays as it is.
 */
export function dropsCall(call: ToolCallPart, isLast: boolean, dropped: string[]): boolean {
  if (isOwnCall(call) || !isUnfinishedCall(call, isLast)) return false;
  dropFromAnswer(dropped, 'functionCall');
  return true;
}

function encodeChoice(choice: Choice, isShown: boolean, dropped: string[]): JsonObject {
  const { index, finish, logprobs } = choice;
  const own = ownFields(choice.extra);
  const parts: JsonObject[] = [];
  const texts = [];
  const signatures = new CarriedSignatureWriter(isShown);
  const last = choice.parts.at(-1);
  for (const part of choice.parts) {
    if (part.type === 'tool_call' && isCutOff(finish) && dropsCall(part, part === last, dropped)) continue;
    if (part.type === 'reasoning' && !isShown) {
      signatures.add(part);
      continue;
    }
    const wire = encodeAnswerPart(part, signatures, dropped);
    if (!wire) continue;
    if (part.type === 'text')
      texts.push({ partIndex: parts.length, text: part.text, citations: part.citations });
    parts.push(wire);
  }
  return defined({
    content: parts.length > 0 ? { parts, role: 'model' } : { role: 'model' },
    finishReason: writeFinishReason('gemini', finish),
    index,
    logprobsResult: logprobs && encodeLogprobs(logprobs),
    // Where the answer came from Gemini its own metadata says more, and stands in `extra`.
    ...(choice.extra?.dialect === 'gemini' ? {} : { groundingMetadata: writeGrounding(texts) }),
    ...own,
  });
}
