import type {
  FilePart,
  ImagePart,
  MediaSource,
  OpaquePart,
  Part,
  ReasoningPart,
  TextPart,
  ToolCallPart,
  ToolResultPart,
} from '../../conversation/conversation.ts';
import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import { placed } from '../places.ts';
import { JSON_OUTPUT_TOOL, readCustomToolName, readCustomToolText } from '../reserved-tools.ts';
import { readSignature } from './carried-signatures.ts';
import { decodeCitations } from './citations.ts';
import { decodeCacheHint, extraOf, innerFields, unknownFields } from './fields.ts';

/** Makes the error for a block that is not in the form of its type; requests and answers have different ones. */
export type Reject = (expected: string, path: string) => Error;

type BlockDecoder = (block: JsonObject, path: string, reject: Reject) => Part;

/**
 * Blocks that have a neutral form. All others (server tools and their results, containers, what is yet to come)
 * are kept verbatim. A Map, because the type comes from outside: `constructor` must not be found in it.
 *
 * Source: Messages API reference (`ContentBlockParam`, `ContentBlock`).
 */
const BLOCKS = new Map<string, BlockDecoder>([
  ['text', decodeText],
  ['thinking', decodeThinking],
  ['redacted_thinking', decodeRedactedThinking],
  ['tool_use', decodeToolUse],
  ['tool_result', decodeToolResult],
  ['image', decodeImage],
  ['document', decodeDocument],
]);

export function decodeBlock(value: JsonValue, path: string, reject: Reject): Part {
  if (!isObject(value)) throw reject('an object', path);
  if (typeof value['type'] !== 'string') throw reject('a string', `${path}.type`);
  return BLOCKS.get(value['type'])?.(value, path, reject) ?? opaque(value);
}

const TEXT_FIELDS = new Set(['type', 'text', 'cache_control', 'citations']);

function decodeText(block: JsonObject, path: string, reject: Reject): TextPart {
  const text = requireText(block, 'text', path, reject);
  const raw = Array.isArray(block['citations']) ? block['citations'] : [];
  const citations = decodeCitations(raw, text.length);
  return {
    type: 'text',
    text,
    ...decodeCacheHint(block['cache_control']),
    ...(citations.length > 0 ? { citations } : {}),
    ...extraOf({
      ...unknownFields(block, TEXT_FIELDS),
      ...(raw.length > 0 ? { citations: raw } : {}),
    }),
  };
}

const THINKING_FIELDS = new Set(['type', 'thinking', 'signature']);

function decodeThinking(block: JsonObject, path: string, reject: Reject): ReasoningPart {
  const signature = typeof block['signature'] === 'string' ? block['signature'] : '';
  return {
    type: 'reasoning',
    text: requireText(block, 'thinking', path, reject),
    ...readSignature(signature, 'signature'),
    ...extraOf(unknownFields(block, THINKING_FIELDS)),
  };
}

const REDACTED_FIELDS = new Set(['type', 'data']);

export function decodeRedactedThinking(block: JsonObject, path: string, reject: Reject): ReasoningPart {
  return {
    type: 'reasoning',
    text: '',
    ...readSignature(requireText(block, 'data', path, reject), 'encrypted'),
    ...extraOf(unknownFields(block, REDACTED_FIELDS)),
  };
}

export const TOOL_USE_FIELDS: ReadonlySet<string> = new Set(['type', 'id', 'name', 'input', 'cache_control']);

function decodeToolUse(block: JsonObject, path: string, reject: Reject): ToolCallPart | TextPart {
  const name = requireText(block, 'name', path, reject);
  const input = block['input'] ?? {};
  if (!isObject(input)) throw reject('an object', `${path}.input`);
  if (name === JSON_OUTPUT_TOOL) return { type: 'text', text: JSON.stringify(input) };
  const custom = readCustomToolName(name);
  return {
    type: 'tool_call',
    id: requireText(block, 'id', path, reject),
    name: custom ?? name,
    kind: custom === undefined ? 'function' : 'custom',
    arguments: custom === undefined ? JSON.stringify(input) : readCustomToolText(input),
    ...decodeCacheHint(block['cache_control']),
    ...extraOf(unknownFields(block, TOOL_USE_FIELDS)),
  };
}

const TOOL_RESULT_FIELDS = new Set(['type', 'tool_use_id', 'content', 'is_error', 'cache_control']);

function decodeToolResult(block: JsonObject, path: string, reject: Reject): ToolResultPart {
  const content = block['content'];
  const parts: ToolResultPart['parts'] = [];
  if (typeof content === 'string') {
    parts.push({ type: 'text', text: content });
  } else if (Array.isArray(content)) {
    for (const [index, value] of content.entries()) {
      const partPath = `${path}.content[${index}]`;
      const part = decodeBlock(value, partPath, reject);
      if (part.type !== 'text' && part.type !== 'image' && part.type !== 'file' && part.type !== 'opaque') {
        throw reject('a text, image or document block', partPath);
      }
      parts.push(placed(part, partPath));
    }
  } else if (content !== undefined && content !== null) {
    throw reject('a string or a list of blocks', `${path}.content`);
  }
  return {
    type: 'tool_result',
    callId: requireText(block, 'tool_use_id', path, reject),
    parts,
    ...(typeof block['is_error'] === 'boolean' ? { isError: block['is_error'] } : {}),
    ...decodeCacheHint(block['cache_control']),
    ...extraOf(unknownFields(block, TOOL_RESULT_FIELDS)),
  };
}

const IMAGE_FIELDS = new Set(['type', 'source', 'cache_control']);

function decodeImage(block: JsonObject, path: string, reject: Reject): ImagePart | OpaquePart {
  const source = decodeSource(block['source'], path, reject);
  if (!source) return opaque(block);
  return {
    type: 'image',
    source,
    ...decodeCacheHint(block['cache_control']),
    ...extraOf({ ...unknownFields(block, IMAGE_FIELDS), ...unknownOfSource(block) }),
  };
}

const DOCUMENT_FIELDS = new Set(['type', 'source', 'title', 'cache_control']);

function decodeDocument(block: JsonObject, path: string, reject: Reject): FilePart | OpaquePart {
  const source = decodeSource(block['source'], path, reject);
  if (!source) return opaque(block);
  return {
    type: 'file',
    source,
    ...(typeof block['title'] === 'string' ? { filename: block['title'] } : {}),
    ...decodeCacheHint(block['cache_control']),
    ...extraOf({ ...unknownFields(block, DOCUMENT_FIELDS), ...unknownOfSource(block) }),
  };
}

const SOURCE_FIELDS = new Set(['type', 'media_type', 'data', 'url', 'file_id']);

function unknownOfSource(block: JsonObject): JsonObject {
  return innerFields('source', block['source'], SOURCE_FIELDS);
}

/** `undefined`: a kind of source that has no neutral form (a document made of blocks). */
function decodeSource(source: JsonValue | undefined, path: string, reject: Reject): MediaSource | undefined {
  if (!isObject(source)) throw reject('an object', `${path}.source`);
  const at = `${path}.source`;
  switch (source['type']) {
    case 'base64':
      return {
        kind: 'data',
        mediaType: requireText(source, 'media_type', at, reject),
        base64: requireText(source, 'data', at, reject),
      };
    case 'url':
      return { kind: 'url', url: webAddress(source, at, reject) };
    case 'file':
      return { kind: 'fileId', fileId: requireText(source, 'file_id', at, reject), dialect: 'messages' };
    case 'text':
      return {
        kind: 'text',
        mediaType: requireText(source, 'media_type', at, reject),
        text: requireText(source, 'data', at, reject),
      };
    default:
      return undefined;
  }
}

function webAddress(source: JsonObject, at: string, reject: Reject): string {
  const url = requireText(source, 'url', at, reject);
  if (!/^https?:/i.test(url)) throw reject("an address that begins with 'https:' or 'http:'", `${at}.url`);
  return url;
}

export function opaque(value: JsonObject): OpaquePart {
  return { type: 'opaque', dialect: 'messages', value };
}

function requireText(block: JsonObject, key: string, path: string, reject: Reject): string {
  const value = block[key];
  if (typeof value !== 'string') throw reject('a string', `${path}.${key}`);
  return value;
}
