import type {
  Conversation,
  DialectName,
  FilePart,
  ImagePart,
  Message,
  OpaquePart,
  Part,
  TextPart,
  ToolResultPart,
} from '../conversation/conversation.ts';
import { isObject, type JsonObject, type JsonValue } from '../conversation/json.ts';
import { decodeBlock } from './messages/decode-blocks.ts';
import { decodeCacheHint, extraOf, unknownFields } from './messages/fields.ts';
import { placed, placeOf } from './places.ts';
import { shownMessages } from './shown-messages.ts';

type ReadablePart = TextPart | ImagePart | FilePart;

type Reader = (block: JsonObject) => ReadablePart[] | undefined;

/**
 * Blocks of the Messages API that no other dialect has a type for, and that say what any of them can say as text.
 *
 * Source: Messages API reference (`SearchResultBlockParam`, `ContentBlockSource`, `ToolReferenceBlockParam`,
 * `BetaCompactionBlockParam`).
 */
const READERS = new Map<JsonValue | undefined, Reader>([
  ['search_result', readSearchResult],
  ['document', readDocument],
  ['tool_reference', readToolReference],
  ['compaction', readCompaction],
]);

/**
 * The conversation as a provider of `dialect` can be told it: with what such blocks say in the place of them, and without
 * what a model would not be shown any more.
 */
export function withReadableParts(conversation: Conversation, dialect: DialectName): Conversation {
  if (dialect === 'messages' || conversation.dialect !== 'messages') return conversation;
  const isRead = dialect === 'converse' ? isReadable : isReadableOrTitled;
  const shown = shownMessages(conversation);
  if (shown.some((message) => hasReadable(message, isRead)))
    return { ...conversation, messages: shown.map((message) => readMessage(message, isRead)) };
  return shown === conversation.messages ? conversation : { ...conversation, messages: shown };
}

/** Whether a part is read as other parts. */
type IsRead = (part: Part) => part is OpaquePart | FilePart;

function hasReadable({ parts }: Message, isRead: IsRead): boolean {
  return parts.some((part) => isRead(part) || (part.type === 'tool_result' && part.parts.some(isRead)));
}

function isReadable(part: Part): part is OpaquePart {
  return part.type === 'opaque' && part.dialect === 'messages' && READERS.has(part.value['type']);
}

/** Only Bedrock has a document with a name that is text; to all others it is a text, which has none. */
function isReadableOrTitled(part: Part): part is OpaquePart | FilePart {
  if (part.type !== 'file' || part.source.kind !== 'text') return isReadable(part);
  return isSaid(part.filename) || isSaid(part.extra?.fields['context']);
}

function isSaid(label: JsonValue | undefined): label is string {
  return typeof label === 'string' && label !== '';
}

function readMessage(message: Message, isRead: IsRead): Message {
  if (!hasReadable(message, isRead)) return message;
  const parts = message.parts.flatMap((part) => readPart(part, isRead));
  return placed({ ...message, parts }, placeOf(message));
}

function readPart(part: Part, isRead: IsRead): Part[] {
  if (part.type !== 'tool_result') return isRead(part) ? (readBlock(part) ?? [part]) : [part];
  const parts = part.parts.flatMap((inner): ToolResultPart['parts'] =>
    isRead(inner) ? (readBlock(inner) ?? [inner]) : [inner],
  );
  return [placed({ ...part, parts }, placeOf(part))];
}

function readBlock(part: OpaquePart | FilePart): ReadablePart[] | undefined {
  const read = part.type === 'file' ? readTitledText(part) : READERS.get(part.value['type'])?.(part.value);
  return read?.map((one) => placed(one, placeOf(part)));
}

function readTitledText({ source, filename, cacheHint, extra }: FilePart): ReadablePart[] | undefined {
  if (source.kind !== 'text') return undefined;
  const text: TextPart = { type: 'text', text: source.text, ...(cacheHint ? { cacheHint } : {}) };
  const block = { ...extra?.fields, title: filename ?? '' };
  return labelled(block, [text], ['title', 'context'], DOCUMENT_FIELDS);
}

const SEARCH_RESULT_FIELDS = new Set(['type', 'title', 'source', 'content', 'cache_control']);

function readSearchResult(block: JsonObject): ReadablePart[] | undefined {
  const parts = readBlocks(block['content']);
  return parts && labelled(block, parts, ['title', 'source'], SEARCH_RESULT_FIELDS);
}

const DOCUMENT_FIELDS = new Set(['type', 'title', 'context', 'source', 'cache_control']);

/** A document that is made of blocks; every other kind has a neutral form. */
function readDocument(block: JsonObject): ReadablePart[] | undefined {
  const { source } = block;
  const parts = isObject(source) ? readBlocks(source['content']) : undefined;
  return parts && labelled(block, parts, ['title', 'context'], DOCUMENT_FIELDS);
}

const TOOL_REFERENCE_FIELDS = new Set(['type', 'tool_name', 'cache_control']);

/** What a search for tools found: elsewhere no tool is held back until then. */
function readToolReference(block: JsonObject): ReadablePart[] | undefined {
  const name = block['tool_name'];
  if (typeof name !== 'string') return undefined;
  const text: TextPart = { type: 'text', text: `The tool ${name} can be called.` };
  return finish(block, [text], TOOL_REFERENCE_FIELDS);
}

const COMPACTION_FIELDS = new Set(['type', 'content', 'cache_control', 'encrypted_content', 'signature']);

/** The summary that stands for earlier messages. Null: it failed, and stands for nothing. */
function readCompaction(block: JsonObject): ReadablePart[] | undefined {
  const { content } = block;
  if (content === null || content === undefined) return [];
  if (typeof content !== 'string') return undefined;
  return finish(block, [{ type: 'text', text: content }], COMPACTION_FIELDS);
}

/** Content as text or blocks; `undefined` where it holds anything but texts, images and documents. */
function readBlocks(content: JsonValue | undefined): ReadablePart[] | undefined {
  if (typeof content === 'string') return [{ type: 'text', text: content }];
  if (!Array.isArray(content)) return undefined;
  const parts: ReadablePart[] = [];
  for (const value of content) {
    const part = tryDecode(value);
    if (part?.type !== 'text' && part?.type !== 'image' && part?.type !== 'file') return undefined;
    parts.push(part);
  }
  return parts;
}

function tryDecode(value: JsonValue): Part | undefined {
  try {
    return decodeBlock(value, '', (expected) => new TypeError(expected));
  } catch {
    // It is refused as the whole block that it stands in.
    return undefined;
  }
}

/** What the block says of its content stands before it, in the text that it begins with. */
function labelled(
  block: JsonObject,
  parts: ReadablePart[],
  labels: readonly string[],
  known: ReadonlySet<string>,
): ReadablePart[] {
  const lines = labels.flatMap((label) => {
    const value = block[label];
    return isSaid(value) ? [`${LABELS[label] ?? label}: ${value}`] : [];
  });
  const [first, ...others] = parts;
  const head = lines.join('\n');
  if (first?.type !== 'text') return finish(block, [{ type: 'text', text: head }, ...parts], known);
  const text = [head, first.text].filter((said) => said !== '').join('\n\n');
  return finish(block, [{ ...first, text }, ...others], known);
}

const LABELS: Readonly<Record<string, string>> = { title: 'Title', source: 'Source', context: 'Context' };

/** The hint holds to the block's end; fields that are left are for the caller to hear of. */
function finish(block: JsonObject, parts: ReadablePart[], known: ReadonlySet<string>): ReadablePart[] {
  const [first, ...others] = parts;
  if (!first) return [];
  const left = { ...unknownFields(block, known), ...(first.extra?.fields ?? {}) };
  const all: ReadablePart[] = [{ ...first, ...extraOf(left) }, ...others];
  const last = all.length - 1;
  const hint = decodeCacheHint(block['cache_control']);
  return all.map((part, index) => (index === last ? { ...part, ...hint } : part));
}
