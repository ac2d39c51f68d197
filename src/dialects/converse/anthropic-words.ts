import { appendAll } from '../../conversation/append-all.ts';
import type {
  Conversation,
  FilePart,
  Message,
  OpaquePart,
  Part,
  TextPart,
  ToolResultPart,
} from '../../conversation/conversation.ts';
import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import { partPaths, resultPartPath } from '../caller-words.ts';
import { decodeCacheHint, unknownFields } from '../messages/fields.ts';
import { placed, placeOf } from '../places.ts';
import { encodeAnthropicCitations } from './citations.ts';
import { cachePoint, extraOf, objectOf } from './fields.ts';
import type { ConverseTraits } from './model-traits.ts';

/*
 * What callers of the Messages API say to Claude that Converse has words of its own for, and no other dialect has: what is to be cited of
 * documents, what a search has found, and the citations of earlier answers.
 *
 * Sources: Messages API reference (`DocumentBlockParam`, `ContentBlockSource`, `SearchResultBlockParam`, `TextCitationParam`), Bedrock API
 * reference (`DocumentBlock`, `SearchResultBlock`, `CitationLocation`).
 */

/** A conversation of such a caller in those words, and what is not said in them either, in the caller's. */
export interface Reworded {
  conversation: Conversation;
  unsaid: string[];
}

export function inConverseWords(conversation: Conversation, traits: ConverseTraits): Reworded {
  if (!traits.cites || conversation.dialect !== 'messages') return { conversation, unsaid: [] };
  const unsaid: string[] = [];
  const messages = conversation.messages.map((message, index) => {
    if (!message.parts.some(mayReword)) return message;
    const paths = partPaths(conversation, index);
    return reword(message, (part, at) => {
      const path = paths[at] ?? '';
      if (part.type !== 'tool_result') return rewordPart(part, path, traits, unsaid);
      const parts = part.parts.flatMap((inner, place): ToolResultPart['parts'] => {
        return rewordPart(inner, resultPartPath(conversation, path, place, inner), traits, unsaid);
      });
      return [placed({ ...part, parts }, placeOf(part))];
    });
  });
  return { conversation: { ...conversation, messages }, unsaid };
}

function reword(message: Message, change: (part: Part, at: number) => Part[]): Message {
  return placed({ ...message, parts: message.parts.flatMap(change) }, placeOf(message));
}

function mayReword(part: Part): boolean {
  if (part.type === 'tool_result') return part.parts.some(mayReword);
  if (part.type === 'opaque') return part.dialect === 'messages' && BLOCKS.has(part.value['type']);
  return (part.type === 'file' || part.type === 'text') && part.extra?.dialect === 'messages';
}

function rewordPart<P extends Part>(
  part: P,
  path: string,
  traits: ConverseTraits,
  unsaid: string[],
): (P | OpaquePart)[] {
  if (!mayReword(part)) return [part];
  const left: JsonObject = {};
  const reworded = rewordAny(part, traits, left);
  if (!reworded) return [part];
  appendAll(
    unsaid,
    Object.keys(left).map((field) => `${path}.${field}`),
  );
  return reworded.map((one) => placed(one as P | OpaquePart, placeOf(part)));
}

/** `undefined`: as it is. `left`: gets the fields that are not said. */
function rewordAny(part: Part, traits: ConverseTraits, left: JsonObject): Part[] | undefined {
  if (part.type === 'file') return [rewordFile(part, left)];
  if (part.type === 'text') return rewordText(part, left);
  if (part.type !== 'opaque') return undefined;
  const block = BLOCKS.get(part.value['type'])?.(part.value, left);
  if (!block) return undefined;
  const { cacheHint } = decodeCacheHint(part.value['cache_control']);
  const isCached = cacheHint !== undefined && traits.cachePoints.includes('messages');
  return [block, ...(isCached ? [cachePoint(cacheHint, traits.cacheTtl)] : [])].map(ofConverse);
}

function ofConverse(value: JsonObject): OpaquePart {
  return { type: 'opaque', dialect: 'converse', value };
}

const DOCUMENT_WORDS: ReadonlySet<string> = new Set(['context', 'citations']);

function rewordFile(part: FilePart, left: JsonObject): FilePart {
  const { extra, ...rest } = part;
  const fields = extra?.fields ?? {};
  Object.assign(left, unknownFields(fields, DOCUMENT_WORDS));
  return { ...rest, ...extraOf(documentFields(fields)) };
}

/** Of a document: what is known of it, and whether it is to be cited. */
function documentFields({ context, citations }: JsonObject): JsonObject {
  return {
    ...(typeof context === 'string' && context !== '' ? { context } : {}),
    ...citationsConfig(citations),
  };
}

function citationsConfig(citations: JsonValue | undefined): JsonObject {
  const { enabled } = objectOf(citations);
  return typeof enabled === 'boolean' ? { citations: { enabled } } : {};
}

const CITED: ReadonlySet<string> = new Set(['citations']);

function rewordText(part: TextPart, left: JsonObject): TextPart[] | undefined {
  const { extra, ...rest } = part;
  const fields = extra?.fields ?? {};
  const citations = encodeAnthropicCitations(fields['citations']);
  if (!citations) return undefined;
  Object.assign(left, unknownFields(fields, CITED));
  return [{ ...rest, ...extraOf({ citations }) }];
}

type BlockWriter = (block: JsonObject, left: JsonObject) => JsonObject | undefined;

const BLOCKS = new Map<JsonValue | undefined, BlockWriter>([
  ['search_result', encodeSearchResult],
  ['document', encodeDocumentOfBlocks],
]);

const SEARCH_RESULT_WORDS = new Set(['type', 'title', 'source', 'content', 'citations', 'cache_control']);

function encodeSearchResult(block: JsonObject, left: JsonObject): JsonObject | undefined {
  const { title, source, citations } = block;
  const content = textsOf(block['content']);
  if (typeof title !== 'string' || typeof source !== 'string' || !content) return undefined;
  Object.assign(left, unknownFields(block, SEARCH_RESULT_WORDS));
  return { searchResult: { source, title, content, ...citationsConfig(citations) } };
}

const DOCUMENT_BLOCK_WORDS = new Set(['type', 'title', 'context', 'source', 'citations', 'cache_control']);

/** A document that is made of blocks. Its name, by its title, is given where all documents get theirs. */
function encodeDocumentOfBlocks(block: JsonObject, left: JsonObject): JsonObject | undefined {
  const source = objectOf(block['source']);
  const content = source['type'] === 'content' ? textsOf(source['content']) : undefined;
  if (!content) return undefined;
  Object.assign(left, unknownFields(block, DOCUMENT_BLOCK_WORDS));
  const named = typeof block['title'] === 'string' ? { name: block['title'] } : {};
  return { document: { ...named, source: { content }, ...documentFields(block) } };
}

/** Texts as Converse has them; `undefined` where there is anything else, or nothing. */
function textsOf(content: JsonValue | undefined): JsonObject[] | undefined {
  if (typeof content === 'string') return content === '' ? undefined : [{ text: content }];
  if (!Array.isArray(content) || content.length === 0) return undefined;
  const texts = content.map((part) => (isObject(part) && part['type'] === 'text' ? part['text'] : undefined));
  return texts.every((text) => typeof text === 'string') ? texts.map((text) => ({ text })) : undefined;
}
