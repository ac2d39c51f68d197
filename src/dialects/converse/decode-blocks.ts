import type { OpaquePart, Part } from '../../conversation/conversation.ts';
import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import { JSON_OUTPUT_TOOL, readCustomToolName, readCustomToolText } from '../reserved-tools.ts';
import { decodeCitations, joinTexts } from './citations.ts';
import { extraOf, objectOf, textOf } from './fields.ts';

type BlockDecoder = (value: JsonValue, block: JsonObject) => Part;

/**
 * Members of `ContentBlock` that have a neutral form. All others are kept verbatim, as is what Bedrock itself ran
 * (`server_tool_use` and its result).
 *
 * Source: Bedrock API reference (`ContentBlock`).
 */
const BLOCKS: readonly [member: string, decode: BlockDecoder][] = [
  ['text', (text) => ({ type: 'text', text: textOf(text) })],
  ['toolUse', (value, block) => decodeToolUse(objectOf(value), block)],
  ['reasoningContent', (value, block) => decodeReasoning(objectOf(value), block)],
  ['citationsContent', (value) => decodeCited(objectOf(value))],
  ['image', (value, block) => decodeImage(objectOf(value), block)],
];

/** A block of an answer; `undefined` where it is none. */
export function decodeBlock(block: JsonValue): Part | undefined {
  if (!isObject(block)) return undefined;
  for (const [member, decode] of BLOCKS) {
    const value = block[member];
    if (value !== undefined && value !== null) return decode(value, block);
  }
  return opaque(block);
}

function decodeToolUse(toolUse: JsonObject, block: JsonObject): Part {
  if (!isModelsCall(toolUse)) return opaque(block);
  const input = toolUse['input'] ?? {};
  const part = toolPart(toolUse);
  if (part.type === 'text') return { ...part, text: JSON.stringify(input) };
  return { ...part, arguments: part.kind === 'custom' ? readCustomToolText(input) : JSON.stringify(input) };
}

/** Whether the model called a tool of the caller's, not one that Bedrock itself ran. */
export function isModelsCall(toolUse: JsonObject): boolean {
  return toolUse['type'] !== 'server_tool_use';
}

/** The part that a tool use is: a call, or the answer itself where the "tool" only stands for its form. */
export function toolPart(toolUse: JsonObject): Extract<Part, { type: 'text' | 'tool_call' }> {
  const name = textOf(toolUse['name']);
  if (name === JSON_OUTPUT_TOOL) return { type: 'text', text: '' };
  const custom = readCustomToolName(name);
  return {
    type: 'tool_call',
    id: textOf(toolUse['toolUseId']),
    name: custom ?? name,
    kind: custom === undefined ? 'function' : 'custom',
    arguments: '',
  };
}

function decodeReasoning(reasoning: JsonObject, block: JsonObject): Part {
  const { reasoningText, redactedContent } = reasoning;
  if (typeof redactedContent === 'string') {
    return { type: 'reasoning', text: '', encrypted: { dialect: 'converse', value: redactedContent } };
  }
  if (!isObject(reasoningText)) return opaque(block);
  const signature = textOf(reasoningText['signature']);
  return {
    type: 'reasoning',
    text: textOf(reasoningText['text']),
    ...(signature === '' ? {} : { signature: { dialect: 'converse', value: signature } }),
  };
}

function decodeCited({ content, citations }: JsonObject): Part {
  return citedText(joinTexts(content), Array.isArray(citations) ? citations : []);
}

/** A text with what was said of its sources. */
export function citedText(text: string, raw: JsonValue[]): Extract<Part, { type: 'text' }> {
  if (raw.length === 0) return { type: 'text', text };
  const citations = decodeCitations(raw, text.length);
  return {
    type: 'text',
    text,
    ...(citations.length > 0 ? { citations } : {}),
    ...extraOf({ citations: raw }),
  };
}

function decodeImage(image: JsonObject, block: JsonObject): Part {
  const { bytes } = objectOf(image['source']);
  if (typeof bytes !== 'string') return opaque(block);
  return {
    type: 'image',
    source: { kind: 'data', mediaType: `image/${textOf(image['format'])}`, base64: bytes },
  };
}

export function opaque(value: JsonObject): OpaquePart {
  return { type: 'opaque', dialect: 'converse', value };
}
