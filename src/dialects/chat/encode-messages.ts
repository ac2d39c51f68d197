import { appendAll } from '../../conversation/append-all.ts';
import type {
  Conversation,
  FilePart,
  ImagePart,
  Message,
  Part,
  TextPart,
  ToolCallPart,
  ToolResultPart,
} from '../../conversation/conversation.ts';
import type { JsonObject, JsonValue } from '../../conversation/json.ts';
import { partField } from '../caller-words.ts';
import { refuseRepeatedCalls, unpaired } from '../messages/tool-call-ids.ts';
import { placed, placeOf } from '../places.ts';
import { emulatedName } from '../reserved-tools.ts';
import { isEmptyInstruction } from '../shown-messages.ts';
import { encodeContent, encodeParts, generatedImages, refusedContent } from './encode-content.ts';
import { ownFields } from './extra.ts';
import { isThinkingChunk, reasoningFields } from './returned-reasoning.ts';
import type { Target } from './target.ts';
import { encodeToolCall } from './tool-calls.ts';
import { calledName } from './tool-names.ts';
import { resultsFirst } from './turn-order.ts';

/**
 * Writes `messages`. Tool results become one `tool` message each, in their order. OpenAI takes only text in
 * those, so images and files that a tool returned follow in a user message behind the run of results ("Function
 * calling" guide; the Vision guide has images in user messages only).
 */
export function encodeMessages(target: Target): JsonObject[] {
  const encoded: JsonObject[] = [];
  let moved: JsonObject[] = [];
  const { messages } = target.conversation;
  if (!target.sameDialect && !target.traits.openParameters) {
    refuseRepeatedCalls(target.conversation);
    refuseUncalled(target.conversation);
  }
  for (const message of target.sameDialect ? messages : resultsFirst(messages)) {
    if (message.role === 'tool') {
      for (const part of message.parts) {
        if (part.type !== 'tool_result') continue;
        const { text, media } = splitResult(part, target);
        encoded.push({ ...toolMessage(part, text, target), ...messageFields(message) });
        appendAll(moved, media);
      }
      continue;
    }
    if (moved.length > 0) encoded.push({ role: 'user', content: moved });
    moved = [];
    const written =
      message.role === 'assistant' ? encodeAssistant(message, target) : encodePlain(message, target);
    if (written) encoded.push(written);
  }
  if (moved.length > 0) encoded.push({ role: 'user', content: moved });
  return encoded;
}

/** OpenAI would refuse a result without its call in words that its caller does not know; servers of its kin may take it. */
function refuseUncalled(conversation: Conversation): void {
  const called = new Set<string>();
  for (const [message, { parts }] of conversation.messages.entries()) {
    for (const part of parts) {
      if (part.type === 'tool_call') called.add(part.id);
      if (part.type !== 'tool_result' || called.has(part.callId)) continue;
      const place = { type: part.type, id: part.callId, message };
      throw unpaired(
        conversation,
        place,
        `is of the tool call '${part.callId}', but no call before it has this id.`,
      );
    }
  }
}

function encodePlain(message: Message, target: Target): JsonObject | undefined {
  if (!target.sameDialect && isEmptyInstruction(message)) return undefined;
  return {
    role: instructionRole(message, target),
    content: encodeContent(message.parts, target),
    ...messageFields(message),
  };
}

/** `system` and `developer` are the same to models that know only one of them. */
function instructionRole({ role }: Message, { traits, sameDialect }: Target): string {
  if (role !== 'system' && role !== 'developer') return role;
  if (traits.instructions === 'system') return 'system';
  // Newer models of OpenAI take both words; the client's own stays.
  return sameDialect || traits.instructions === 'as_said' ? role : 'developer';
}

/** The participant's name and what else the caller said in this dialect. */
function messageFields({ name, extra }: Message): JsonObject {
  return { ...(name === undefined ? {} : { name }), ...ownFields(extra) };
}

/** `undefined` where nothing is left of a message, which providers refuse (reasoning of another provider). */
function encodeAssistant(message: Message, target: Target): JsonObject | undefined {
  const { parts } = message;
  refuseGenerated(parts, target);
  const fields = messageFields(message);
  const content = parts.filter((part) => isAssistantContent(part, target));
  const refusal = textOf(parts.filter((part) => part.type === 'refusal'));
  const images = generatedImages(parts);
  const calls = parts.filter((part) => part.type === 'tool_call');

  const written: JsonObject = { role: 'assistant', content: assistantContent(content, target) };
  const returned = reasoningFields(message, target);
  Object.assign(written, returned);
  if (refusal !== '') written['refusal'] = refusal;
  if (images.length > 0) written['images'] = images;
  if (calls.length > 0) written['tool_calls'] = calls.map((call) => requestToolCall(call, target));
  const result = { ...written, ...fields, ...returned };
  const isEmpty = written['content'] === null && Object.keys(result).length === 2;
  return isEmpty && (parts.length > 0 || !target.sameDialect) ? undefined : result;
}

/** OpenAI knows only text in what the assistant said; servers of its kin take back what their models generated. */
function refuseGenerated(parts: readonly Part[], { sameDialect, traits }: Target): void {
  if (sameDialect || traits.openParameters) return;
  const part = parts.find(({ type }) => type === 'image' || type === 'audio' || type === 'file');
  if (!part) return;
  const what = `A part of type '${part.type}' in an assistant message`;
  throw refusedContent(what, 'in a message of the user', part);
}

/** What stands in the message's content; everything else has a field of its own. */
function isAssistantContent(part: Part, target: Target): boolean {
  if (part.type === 'reasoning') return isThinkingChunk(part, target);
  return part.type !== 'tool_call' && part.type !== 'refusal' && part.type !== 'image';
}

/** Null is what OpenAI wants of a message without text; `''` is written where the client itself said so. */
function assistantContent(parts: Part[], target: Target): JsonValue {
  if (parts.length === 0) return null;
  if (!parts.some((part) => part.type === 'reasoning')) {
    const content = encodeContent(parts, target);
    const isEmpty = content === '' && !parts.some((part) => part.type === 'text');
    return isEmpty ? null : content;
  }
  return parts.flatMap((part): JsonObject[] =>
    part.type === 'reasoning'
      ? [{ type: 'thinking', thinking: [{ type: 'text', text: part.text }] }]
      : encodeParts([part], target),
  );
}

function textOf(parts: readonly { text: string }[]): string {
  return parts.map((part) => part.text).join('');
}

function requestToolCall(call: ToolCallPart, target: Target): JsonObject {
  const isEmulated = call.kind === 'custom' && target.emulatesCustomTools;
  const written = isEmulated
    ? emulatedCall(call)
    : encodeToolCall({ ...call, name: calledName(target, call.name) }, call.id);
  return { ...written, ...target.cacheControl(call.cacheHint, placeOf(call)) };
}

function emulatedCall(call: ToolCallPart): JsonObject {
  const written = { name: emulatedName(call), arguments: JSON.stringify({ input: call.arguments }) };
  return { id: call.id, type: 'function', function: written };
}

type ResultPart = ToolResultPart['parts'][number];

function toolMessage(result: ToolResultPart, parts: ResultPart[], target: Target): JsonObject {
  // The dialect has no word for it; tools say in their text that they failed.
  if (result.isError) target.drop(partField(target.conversation, result, 'failedResult'));
  return { role: 'tool', tool_call_id: result.callId, content: encodeContent(parts, target) };
}

/** The text of a result, and its media as the parts of a user message that says where they come from. */
function splitResult(result: ToolResultPart, target: Target): { text: ResultPart[]; media: JsonObject[] } {
  const isMedia = (part: ResultPart): part is ImagePart | FilePart =>
    part.type === 'image' || (part.type === 'file' && part.source.kind !== 'text');
  const media = result.parts.filter(isMedia);
  const text = hinted(
    result.parts.filter((part) => !isMedia(part)),
    result,
  );
  if (media.length === 0) return { text, media: [] };
  const note: TextPart = { type: 'text', text: 'What this tool returned follows in the next user message.' };
  const label = { type: 'text', text: `Returned by the tool call ${result.callId}:` };
  return {
    text: text.length > 0 ? text : [note],
    media: [label, ...encodeParts(media, target)],
  };
}

/** A hint on the whole result stands on the last of its parts. */
function hinted(parts: ResultPart[], result: ToolResultPart): ResultPart[] {
  const { cacheHint } = result;
  const last = parts.at(-1);
  if (!cacheHint || last?.type !== 'text' || last.cacheHint) return parts;
  return [...parts.slice(0, -1), placed({ ...last, cacheHint }, placeOf(result))];
}
