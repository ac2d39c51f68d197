import { writeAllCarried } from '../../conversation/carried-reasoning.ts';
import type { Part, ReasoningPart, TextPart, ToolCallPart } from '../../conversation/conversation.ts';
import type { JsonObject } from '../../conversation/json.ts';
import { dropPart } from '../dropped-parts.ts';
import { NO_SIGNATURE, writeSignature } from './carried-signatures.ts';
import { encodeCitations } from './citations.ts';
import { ownFields } from './fields.ts';
import { isExplanation } from './refusal-words.ts';
import { parseToolInput } from './tool-input.ts';

/**
 * A part of an answer as the block that a client of this dialect gets: none where the dialect has no word for it
 * (images and audio that a model made, blocks of other dialects), which `dropped` then names.
 */
export function encodeAnswerPart(
  part: Part,
  dropped: string[],
  withheld: ReasoningPart[] = [],
): JsonObject[] {
  switch (part.type) {
    case 'text':
      return [encodeText(part)];
    case 'refusal':
      return isExplanation(part) ? [] : [{ type: 'text', text: part.text }];
    case 'reasoning':
      return [encodeReasoning(part)];
    case 'tool_call':
      return [{ ...answeredToolUse(part, withheld), input: encodeToolInput(part) }];
    case 'opaque':
      if (part.dialect === 'messages') return [part.value];
      dropPart(dropped, part);
      return [];
    case 'image':
    case 'audio':
    case 'file':
    case 'tool_result':
      dropPart(dropped, part);
      return [];
    default:
      return part satisfies never;
  }
}

function encodeText(part: TextPart): JsonObject {
  const { citations: _, ...fields } = ownFields(part.extra);
  const citations = encodeCitations(part);
  return { type: 'text', text: part.text, ...(citations.length > 0 ? { citations } : {}), ...fields };
}

function encodeReasoning(part: ReasoningPart): JsonObject {
  const { text, signature, encrypted, extra } = part;
  if (text === '' && !signature && encrypted) {
    return { type: 'redacted_thinking', data: writeSignature(encrypted, 'encrypted'), ...ownFields(extra) };
  }
  return { type: 'thinking', thinking: text, signature: thinkingSignature(part), ...ownFields(extra) };
}

/** What proves a thinking block when it comes back, or says that the provider gave no proof. */
export function thinkingSignature({ signature, encrypted }: ReasoningPart): string {
  if (signature) return writeSignature(signature, 'signature');
  return encrypted ? writeSignature(encrypted, 'encrypted') : NO_SIGNATURE;
}

/**
 * A tool call's block as a client gets it: Gemini's calls are signed, and an id is what comes back of a call untouched.
 *
 * @param withheld reasoning before the call that the client does not get to see
 */
export function answeredToolUse(part: ToolCallPart, withheld: ReasoningPart[]): JsonObject {
  const { id, signature } = part;
  return {
    ...toolUseStart(part),
    id: writeAllCarried(id, { reasoning: withheld, ...(signature && { signature }) }),
  };
}

/** A tool call's block without its input, which a stream sends after it. */
export function toolUseStart(part: ToolCallPart): JsonObject {
  return { type: 'tool_use', id: part.id, name: part.name, input: {}, ...ownFields(part.extra) };
}

export function encodeToolInput(part: ToolCallPart): JsonObject {
  return part.kind === 'custom' ? { input: part.arguments } : parseToolInput(part.arguments);
}
