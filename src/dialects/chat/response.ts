import { appendAll } from '../../conversation/append-all.ts';
import { CarriedIdWriter } from '../../conversation/carried-reasoning.ts';
import type { Choice, Completion } from '../../conversation/completion.ts';
import type { Extra, Part, TextPart, ToolCallPart } from '../../conversation/conversation.ts';
import { GatewayError } from '../../conversation/gateway-error.ts';
import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import { dropPart } from '../dropped-parts.ts';
import { nameFittedFinish, readFinishReason } from '../finish-reasons.ts';
import { finishWithCalls } from '../finish-with-calls.ts';
import { nameForeignFields } from '../foreign-answers.ts';
import { omitKeys } from '../read-json.ts';
import { decodeAudioOutput, encodeAudioOutput } from './audio-output.ts';
import { decodeAnnotations, decodeSearchResults, encodeCitations } from './citations.ts';
import { decodeImages } from './content-parts.ts';
import { choiceFailure } from './embedded-failures.ts';
import { generatedImages, isGeneratedImage } from './encode-content.ts';
import { embeddedError, saysError } from './errors.ts';
import { chatExtra, ownFields, ownObject } from './extra.ts';
import { wantsFunctionCall, writeFinish } from './function-call.ts';
import { ReasoningDetailWriter, reasoningText, sealDetails } from './reasoning-details.ts';
import { ThinkTags } from './think-tags.ts';
import { decodeToolCall, encodeToolCall, fallbackCallId } from './tool-calls.ts';
import { decodeUsage, encodeUsage, usageRest } from './usage.ts';

/**
 * The whole, non-streaming answer, both ways. Answers are read leniently: a server of OpenAI's kin may leave out or
 * add what it likes, as long as there are choices.
 *
 * Source: OpenAI API reference (chat completion object).
 */
export const COMPLETION_FIELDS = new Set(['id', 'object', 'created', 'model', 'choices', 'usage']);
export const CHOICE_FIELDS = new Set(['index', 'message', 'delta', 'finish_reason', 'logprobs']);
export const MESSAGE_FIELDS = new Set([
  'role',
  'content',
  'refusal',
  'tool_calls',
  'function_call',
  'annotations',
  'audio',
  'images',
  'reasoning_content',
  'reasoning',
  'reasoning_details',
]);

/** How a server's answers are read. */
export interface AnswerOptions {
  /** Reasoning comes in the text, between `<think>` and `</think>`. */
  thinkTags?: boolean;
  /** The server takes reasoning back. Which of its models do is not known here: those that think. */
  replaysReasoning?: boolean;
  /** It takes `reasoning_details` back, from whoever was answered. */
  sealsDetails?: boolean;
}

/** @throws GatewayError `upstream_unavailable` where the body is no chat completion; the error it holds if it does. */
export function decodeResponse(body: JsonValue, options: AnswerOptions = {}): Completion {
  if (saysError(body)) throw embeddedError(body);
  const choices = isObject(body) ? body['choices'] : undefined;
  if (!isObject(body) || !Array.isArray(choices) || choices.length === 0) {
    throw new GatewayError('upstream_unavailable', 'The provider sent an answer that is no chat completion.');
  }
  const id = stringOf(body['id']);
  const completion: Completion = {
    id,
    model: stringOf(body['model']),
    choices: choices.map((choice, position) =>
      decodeChoice(isObject(choice) ? choice : {}, position, id, options),
    ),
  };
  citeSearchResults(completion, body);
  const usage = decodeUsage(body['usage'], body['service_tier']);
  const rest = usageRest(body['usage']);
  const fields = omitKeys(body, COMPLETION_FIELDS);
  const extra = chatExtra(Object.keys(rest).length > 0 ? { ...fields, usage: rest } : fields);
  if (typeof body['created'] === 'number') completion.created = body['created'];
  if (usage) completion.usage = usage;
  if (extra) completion.extra = extra;
  return completion;
}

/** Servers say of a whole answer what it rests on; with more choices than one nobody knows which of them. */
function citeSearchResults({ choices }: Completion, body: JsonObject): void {
  const text = choices[0]?.parts.find((part): part is TextPart => part.type === 'text');
  if (!text || text.citations) return;
  const citations = decodeSearchResults(body);
  if (citations.length > 0) text.citations = citations;
}

function decodeChoice(
  value: JsonObject,
  position: number,
  completionId: string,
  options: AnswerOptions,
): Choice {
  const failure = choiceFailure([value]);
  if (failure) throw failure;
  const index = typeof value['index'] === 'number' ? value['index'] : position;
  const message = isObject(value['message']) ? value['message'] : {};
  const { parts, otherAnnotations } = decodeMessage(message, completionId, index, options);
  if (options.replaysReasoning)
    for (const part of parts) if (part.type === 'reasoning') part.wantedBack = true;
  const word = stringOf(value['finish_reason']);
  // Who says nothing of it means a normal end, as in a stream.
  const reason = word === '' ? 'stop' : readFinishReason('chat', word);
  const choice: Choice = { index, parts, finish: finishWithCalls(reason, parts.some(isToolCall)) };
  if (isObject(value['logprobs'])) choice.logprobs = value['logprobs'];
  const fields = omitKeys(value, CHOICE_FIELDS);
  const messageRest = omitKeys(message, MESSAGE_FIELDS);
  if (otherAnnotations.length > 0) messageRest['annotations'] = otherAnnotations;
  const extra = chatExtra(Object.keys(messageRest).length > 0 ? { ...fields, message: messageRest } : fields);
  if (extra) choice.extra = extra;
  return choice;
}

function decodeMessage(
  message: JsonObject,
  completionId: string,
  choice: number,
  options: AnswerOptions,
): { parts: Part[]; otherAnnotations: JsonValue[] } {
  const parts: Part[] = [...decodeReasoning(message, options), ...decodeText(message['content'], options)];
  appendAll(parts, otherContent(message['content']));
  const { citations, others } = decodeAnnotations(message['annotations']);
  const text = parts.find((part): part is TextPart => part.type === 'text');
  if (text && citations.length > 0) text.citations = citations;
  const otherAnnotations = text ? others : annotationList(message);

  const { refusal, audio } = message;
  if (typeof refusal === 'string' && refusal !== '') parts.push({ type: 'refusal', text: refusal });
  appendAll(parts, decodeImages(message['images']));
  if (isObject(audio)) parts.push(decodeAudioOutput(audio));
  const calls = Array.isArray(message['tool_calls']) ? message['tool_calls'].filter(isObject) : [];
  // The deprecated form of a single call; some servers say it in both.
  if (calls.length === 0 && isObject(message['function_call']))
    calls.push({ function: message['function_call'] });
  for (const [position, value] of calls.entries()) {
    const call = decodeToolCall(value, fallbackCallId(completionId, choice, position));
    if (call.name !== '' || call.arguments !== '') parts.push(call);
  }
  return { parts, otherAnnotations };
}

function annotationList(message: JsonObject): JsonValue[] {
  return Array.isArray(message['annotations']) ? message['annotations'] : [];
}

/** The details stay as they came: only the server that wrote them can read them. */
function decodeReasoning(message: JsonObject, { sealsDetails = false }: AnswerOptions): Part[] {
  const text = reasoningText(message) ?? '';
  const { reasoning_details: details } = message;
  const hasDetails = Array.isArray(details) && details.length > 0;
  if (text === '' && !hasDetails) return [];
  if (!hasDetails) return [{ type: 'reasoning', text }];
  const extra: Extra = { dialect: 'chat', fields: { reasoning_details: details } };
  return [{ type: 'reasoning', text, ...(sealsDetails ? { encrypted: sealDetails(details) } : {}), extra }];
}

/** Content is a string; Mistral's reasoning models answer with a list of `thinking` and `text` chunks. */
function decodeText(content: JsonValue | undefined, { thinkTags = false }: AnswerOptions): Part[] {
  if (typeof content === 'string' && !thinkTags)
    return content === '' ? [] : [{ type: 'text', text: content }];
  const chunks = typeof content === 'string' ? splitThinking(content) : contentChunks(content);
  return chunks.map(({ kind, text }) => ({ type: kind, text }));
}

function splitThinking(content: string): ContentChunk[] {
  const tags = new ThinkTags();
  return [...tags.read(content), ...tags.end()];
}

/** Text of a content list in message or delta. */
export interface ContentChunk {
  kind: 'text' | 'reasoning';
  text: string;
}

/** The chunks of a content list that say something. */
export function contentChunks(content: JsonValue | undefined): ContentChunk[] {
  if (!Array.isArray(content)) return [];
  return content
    .filter(isObject)
    .map(readChunk)
    .filter((chunk) => chunk.text !== '');
}

/** What a content list holds beside texts: images, and chunks that only their server has a word for (Mistral `reference`). */
export function otherContent(content: JsonValue | undefined): Part[] {
  if (!Array.isArray(content)) return [];
  return content.filter(isObject).flatMap((value): Part[] => {
    const { type, image_url: image } = value;
    if (type === 'image_url')
      return decodeImages([typeof image === 'string' ? { image_url: { url: image } } : value]);
    if (type === 'thinking' || typeof value['text'] === 'string') return [];
    return [{ type: 'opaque', dialect: 'chat', value }];
  });
}

/** Mistral's thinking chunk holds a list of texts. */
function readChunk({ type, text, thinking }: JsonObject): ContentChunk {
  if (type !== 'thinking') return { kind: 'text', text: stringOf(text) };
  const pieces = Array.isArray(thinking) ? thinking.filter(isObject) : [];
  return { kind: 'reasoning', text: pieces.map((piece) => stringOf(piece['text'])).join('') };
}

/** Writes a completion of any dialect as a client of this one gets it. */
export function encodeResponse(
  completion: Completion,
  request?: JsonObject,
  dropped: string[] = [],
): JsonObject {
  nameForeignFields(dropped, completion, 'chat');
  const asFunctionCall = wantsFunctionCall(request);
  const { id, model, created, choices, usage, extra } = completion;
  const { usage: _, ...fields } = ownFields(extra);
  return {
    id,
    object: 'chat.completion',
    created: created ?? 0,
    model,
    choices: choices.map((choice) => encodeChoice(choice, { completionId: id, dropped, asFunctionCall })),
    ...(usage ? { usage: encodeUsage(usage, ownObject(extra, 'usage')) } : {}),
    ...fields,
  };
}

interface AnswerContext {
  completionId: string;
  dropped: string[];
  asFunctionCall: boolean;
}

function encodeChoice(choice: Choice, context: AnswerContext): JsonObject {
  const { dropped, asFunctionCall } = context;
  const { index, parts, finish, logprobs, extra } = choice;
  const { message: messageRest, ...fields } = ownFields(extra);
  const message = encodeMessage(parts, context);
  const reason = finishWithCalls(finish, parts.some(isToolCall));
  nameFittedFinish(dropped, 'chat', reason, 'finish_reason');
  const rest = isObject(messageRest) ? messageRest : {};
  const annotations = [...annotationList(message), ...annotationList(rest)];
  return {
    index,
    message: { ...message, ...rest, ...(annotations.length > 0 ? { annotations } : {}) },
    logprobs: logprobs ?? null,
    finish_reason: writeFinish(reason, asFunctionCall),
    ...fields,
  };
}

function encodeMessage(parts: readonly Part[], context: AnswerContext): JsonObject {
  const { completionId, dropped, asFunctionCall } = context;
  const ids = new CarriedIdWriter();
  const details = new ReasoningDetailWriter();
  const written = { content: '', reasoning: '', refusal: '' };
  const reasoningDetails: JsonValue[] = [];
  const annotations: JsonObject[] = [];
  const calls: JsonObject[] = [];
  let audio: JsonObject | undefined;
  for (const part of parts) {
    switch (part.type) {
      case 'text':
        appendAll(annotations, encodeCitations(part, written.content.length));
        written.content += part.text;
        if (part.signature) reasoningDetails.push(details.text(part.signature));
        break;
      case 'reasoning':
        written.reasoning += part.text;
        ids.addReasoning(part);
        appendAll(reasoningDetails, details.reasoning(part));
        appendAll(reasoningDetails, ownDetails(part));
        break;
      case 'refusal':
        written.refusal += part.text;
        break;
      case 'tool_call':
        if (asFunctionCall && calls.length > 0) {
          dropPart(dropped, part);
          break;
        }
        calls.push(encodeToolCall(part, ids.write(part)));
        if (part.signature) reasoningDetails.push(details.toolCall(part.id, part.signature));
        break;
      case 'audio':
        if (part.source.kind !== 'data') dropPart(dropped, part);
        audio = encodeAudioOutput(part, completionId);
        break;
      case 'image':
        // They are written below.
        if (!isGeneratedImage(part)) dropPart(dropped, part);
        break;
      case 'file':
      case 'tool_result':
      case 'opaque':
        // No answer of this dialect can hold them.
        dropPart(dropped, part);
        break;
      default:
        part satisfies never;
    }
  }
  const images = generatedImages(parts);
  const isSilent =
    written.content === '' && (calls.length > 0 || written.refusal !== '' || audio !== undefined);
  const message: JsonObject = {
    role: 'assistant',
    content: isSilent ? null : written.content,
    refusal: written.refusal === '' ? null : written.refusal,
  };
  if (written.reasoning !== '') message['reasoning_content'] = written.reasoning;
  if (reasoningDetails.length > 0) message['reasoning_details'] = reasoningDetails;
  if (asFunctionCall && calls[0]) message['function_call'] = calls[0]['function'];
  else if (calls.length > 0) message['tool_calls'] = calls;
  if (images.length > 0) message['images'] = images;
  if (audio) message['audio'] = audio;
  if (annotations.length > 0) message['annotations'] = annotations;
  return message;
}

/** The details that a chat upstream gave, as it gave them. */
export function ownDetails(part: Part): JsonValue[] {
  if (part.type !== 'reasoning') return [];
  const details = ownFields(part.extra)['reasoning_details'];
  return Array.isArray(details) ? details : [];
}

function isToolCall(part: Part): part is ToolCallPart {
  return part.type === 'tool_call';
}

function stringOf(value: JsonValue | undefined): string {
  return typeof value === 'string' ? value : '';
}
