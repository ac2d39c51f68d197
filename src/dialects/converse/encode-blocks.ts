import type {
  OpaquePart,
  Part,
  ReasoningPart,
  TextPart,
  ToolCallPart,
  ToolResultPart,
} from '../../conversation/conversation.ts';
import { isObject, type JsonObject } from '../../conversation/json.ts';
import { resultPartPath } from '../caller-words.ts';
import { legalToolName } from '../legal-tool-name.ts';
import { encodeToolInput } from '../messages/encode-answer.ts';
import { unsupported } from '../messages/encode-media.ts';
import { isSaidTwice, placeOf } from '../places.ts';
import { customToolName } from '../reserved-tools.ts';
import type { DocumentNames } from './document-names.ts';
import { type EncodeContext, encodeCachePoint } from './encode-context.ts';
import { encodeAudio, encodeFile, encodeImage } from './encode-media.ts';
import { ownFields } from './fields.ts';

const MAX_TOOL_NAME_CHARS = 64;

/** The API demands content in a tool's result; some tools have nothing to say. */
const NO_OUTPUT = 'The tool gave no output.';

/** What the encoders of blocks share through one request. */
export interface BlockContext extends EncodeContext {
  readonly documents: DocumentNames;
}

/** What a system message may hold. */
export function encodeSystemPart(context: BlockContext, part: Part, path: string): JsonObject[] {
  if (part.type === 'text') {
    return [...encodeText(part), ...encodeCachePoint(context, part.cacheHint, 'system', placeOf(part))];
  }
  if (part.type === 'opaque') return encodeOpaque(context, part, path);
  throw unsupported(path, `a part of type '${part.type}' in a system message. Put it into a user message`);
}

/** What a user message may hold, tool results apart. */
export function encodeUserPart(context: BlockContext, part: Part, path: string): JsonObject[] {
  const hint = 'cacheHint' in part ? part.cacheHint : undefined;
  return [
    ...encodeUserBlock(context, part, path),
    ...encodeCachePoint(context, hint, 'messages', placeOf(part)),
  ];
}

function encodeUserBlock(context: BlockContext, part: Part, path: string): JsonObject[] {
  switch (part.type) {
    case 'text':
      return encodeText(part);
    case 'image':
      return [encodeImage(context, part, path)];
    case 'audio':
      return [encodeAudio(part, path)];
    case 'file':
      return [encodeFile(context.documents, part, path)];
    case 'opaque':
      return encodeOpaque(context, part, path);
    case 'reasoning':
    case 'refusal':
    case 'tool_call':
    case 'tool_result':
      throw unsupported(path, `a part of type '${part.type}' in a user message`);
    default:
      return part satisfies never;
  }
}

/** What an assistant message may hold, tool calls apart. */
export function encodeAssistantPart(
  context: BlockContext,
  part: Exclude<Part, ToolCallPart>,
  path: string,
): JsonObject[] {
  switch (part.type) {
    case 'text':
      return [...encodeText(part), ...encodeCachePoint(context, part.cacheHint, 'messages', placeOf(part))];
    case 'refusal':
      return encodeText({ ...part, type: 'text' });
    case 'reasoning':
      return encodeReasoning(context, part);
    case 'opaque':
      return encodeOpaque(context, part, path);
    case 'audio':
    case 'image':
    case 'file':
    case 'tool_result':
      throw unsupported(path, `a part of type '${part.type}' in an assistant message. Leave it out`);
    default:
      return part satisfies never;
  }
}

/** The API refuses text that is empty or only white space. */
function encodeText(part: TextPart): JsonObject[] {
  if (part.text.trim() === '') return [];
  const { citations } = ownFields(part.extra);
  if (citations === undefined) return [{ text: part.text }];
  return [{ citationsContent: { content: [{ text: part.text }], citations } }];
}

/**
 * Only reasoning that the model can check is taken back; all other is left out, it was never meant for it. Claude's
 * own is the same on Anthropic's API and here, where the redacted form is written as bytes.
 *
 * Source: Claude docs "Extended thinking" (signatures are compatible across platforms); recorded traffic.
 */
function encodeReasoning(context: BlockContext, part: ReasoningPart): JsonObject[] {
  if (!isTakenReasoning(context, part)) return [];
  const { text, signature, encrypted } = part;
  if (signature) return [{ reasoningContent: { reasoningText: { text, signature: signature.value } } }];
  if (!encrypted) return [];
  const { dialect, value } = encrypted;
  return [redacted(dialect === 'converse' ? value : Buffer.from(value, 'utf8').toString('base64'))];
}

/** Whether the model can check a reasoning part. */
export function isTakenReasoning(
  { traits }: EncodeContext,
  { signature, encrypted }: ReasoningPart,
): boolean {
  const { dialect } = signature ?? encrypted ?? {};
  return dialect === 'converse' || (dialect === 'messages' && traits.reasoning === 'claude');
}

function redacted(base64: string): JsonObject {
  return { reasoningContent: { redactedContent: base64 } };
}

export function encodeToolCall(context: BlockContext, part: ToolCallPart, wireId: string): JsonObject[] {
  const name = legalToolName(
    part.kind === 'custom' ? customToolName(part.name) : part.name,
    MAX_TOOL_NAME_CHARS,
  );
  const toolUse = { toolUseId: wireId, name, input: encodeToolInput(part), ...ownFields(part.extra) };
  return [{ toolUse }, ...encodeCachePoint(context, part.cacheHint, 'messages', placeOf(part))];
}

export function encodeToolResult(
  context: BlockContext,
  part: ToolResultPart,
  wireId: string,
  path: string,
): JsonObject[] {
  const content = part.parts.flatMap((inner, index) =>
    encodeUserBlock(context, inner, resultPartPath(context.conversation, path, index, inner)),
  );
  // Cache points stand between blocks, not within a result.
  const hint = part.cacheHint ?? part.parts.map(hintOf).find((inner) => inner !== undefined);
  const toolResult = {
    toolUseId: wireId,
    content: content.length > 0 ? content : [{ text: NO_OUTPUT }],
    ...encodeStatus(context, part, path),
    ...ownFields(part.extra),
  };
  return [{ toolResult }, ...encodeCachePoint(context, hint, 'messages', placeOf(part))];
}

function encodeStatus(
  { traits, dropped }: BlockContext,
  { isError }: ToolResultPart,
  path: string,
): JsonObject {
  if (isError === undefined) return {};
  if (traits.resultStatus) return { status: isError ? 'error' : 'success' };
  if (isError) dropped.add(`${path}.is_error`);
  return {};
}

function hintOf(part: ToolResultPart['parts'][number]): TextPart['cacheHint'] {
  return 'cacheHint' in part ? part.cacheHint : undefined;
}

function encodeOpaque({ documents, dropped }: BlockContext, part: OpaquePart, path: string): JsonObject[] {
  if (part.dialect === 'converse') return [withLegalName(part.value, documents)];
  if (!isSaidTwice(part)) dropped.add(path);
  return [];
}

/** A document that we made has the title for its name, if any. */
function withLegalName(block: JsonObject, documents: DocumentNames): JsonObject {
  const { document } = block;
  if (!isObject(document)) return block;
  const { name, ...rest } = document;
  return { document: { name: documents.name(typeof name === 'string' ? name : undefined), ...rest } };
}
