import type {
  FilePart,
  ImagePart,
  OpaquePart,
  Part,
  ReasoningPart,
  TextPart,
  ToolCallPart,
  ToolResultPart,
} from '../../conversation/conversation.ts';
import type { JsonObject } from '../../conversation/json.ts';
import { resultPartPath } from '../caller-words.ts';
import { legalToolName } from '../legal-tool-name.ts';
import { isSaidTwice } from '../places.ts';
import { customToolName } from '../reserved-tools.ts';
import { encodeCitations, isReplayable } from './citations.ts';
import { encodeToolInput, toolUseStart } from './encode-answer.ts';
import type { EncodeContext } from './encode-context.ts';
import { encodeDocument, encodeImage, unsupported } from './encode-media.ts';
import { encodeCacheHint, ownFields, withOwnFields } from './fields.ts';

const MAX_TOOL_NAME_CHARS = 128;

/** What a system message may hold. */
export function encodeSystemPart(context: EncodeContext, part: Part, path: string): JsonObject[] {
  if (part.type === 'text') return encodeText(part);
  if (part.type === 'opaque') return encodeOpaque(context, part, path);
  throw unsupported(path, `a part of type '${part.type}' in a system message. Put it into a user message`);
}

/** What a user message may hold, tool results apart. */
export function encodeUserPart(context: EncodeContext, part: Part, path: string): JsonObject[] {
  switch (part.type) {
    case 'text':
      return encodeText(part);
    case 'image':
      return [encodeImage(context, part, path)];
    case 'file':
      return [encodeDocument(part, path)];
    case 'opaque':
      return encodeOpaque(context, part, path);
    case 'audio':
      throw unsupported(path, 'audio. Send its transcript');
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
  context: EncodeContext,
  part: Exclude<Part, ToolCallPart>,
  path: string,
): JsonObject[] {
  switch (part.type) {
    case 'text':
      return encodeText(part);
    case 'refusal':
      return encodeText({ ...part, type: 'text' });
    case 'reasoning':
      return encodeReasoning(part);
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
  const { citations: _, ...fields } = ownFields(part.extra);
  const citations = encodeCitations(part).filter(isReplayable);
  return [
    {
      type: 'text',
      text: part.text,
      ...encodeCacheHint(part.cacheHint),
      ...(ownFields(part.extra)['citations'] && citations.length > 0 ? { citations } : {}),
      ...fields,
    },
  ];
}

/** Only reasoning that Anthropic can check is taken back; all other is left out, it was never meant for it. */
function encodeReasoning({ text, signature, encrypted, extra }: ReasoningPart): JsonObject[] {
  if (signature?.dialect === 'messages') {
    return [withOwnFields({ type: 'thinking', thinking: text, signature: signature.value }, extra)];
  }
  if (encrypted?.dialect === 'messages') {
    return [withOwnFields({ type: 'redacted_thinking', data: encrypted.value }, extra)];
  }
  return [];
}

export function encodeToolCall(part: ToolCallPart, wireId: string): JsonObject {
  const name =
    part.kind === 'custom' ? customToolName(part.name) : legalToolName(part.name, MAX_TOOL_NAME_CHARS);
  return {
    ...toolUseStart(part),
    id: wireId,
    name,
    input: encodeToolInput(part),
    ...encodeCacheHint(part.cacheHint),
  };
}

export function encodeToolResult(
  context: EncodeContext,
  part: ToolResultPart,
  wireId: string,
  path: string,
): JsonObject {
  const content = part.parts.flatMap((inner, index) =>
    encodeResultPart(context, inner, resultPartPath(context.conversation, path, index, inner)),
  );
  return {
    type: 'tool_result',
    tool_use_id: wireId,
    ...(content.length > 0 ? { content } : {}),
    ...(part.isError === undefined ? {} : { is_error: part.isError }),
    ...encodeCacheHint(part.cacheHint),
    ...ownFields(part.extra),
  };
}

function encodeResultPart(
  context: EncodeContext,
  part: TextPart | ImagePart | FilePart | OpaquePart,
  path: string,
): JsonObject[] {
  return part.type === 'text' ? encodeText(part) : encodeUserPart(context, part, path);
}

function encodeOpaque({ dropped }: EncodeContext, part: OpaquePart, path: string): JsonObject[] {
  if (part.dialect === 'messages') return [part.value];
  if (!isSaidTwice(part)) dropped.add(path);
  return [];
}
