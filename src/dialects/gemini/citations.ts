import type { Citation } from '../../conversation/conversation.ts';
import type { JsonObject } from '../../conversation/json.ts';
import { defined, listOf, messageIn, messagesIn, numberIn, textIn } from './proto.ts';

/**
 * The citations that a candidate's metadata states, one list for each of its `texts`. Only sources with a URL count;
 * the metadata itself stays in the choice's `extra`.
 *
 * Sources: Gemini API reference, `GroundingMetadata`, `CitationMetadata`. Segments are in UTF-8 bytes; the
 * `partIndex` is not stated in practice, so a segment is looked for by its text.
 */
export function readCitations(candidate: JsonObject, texts: readonly string[]): Citation[][] {
  const lists: Citation[][] = texts.map(() => []);
  if (texts.length === 0) return lists;
  const buffers = texts.map((text) => Buffer.from(text));

  const grounding = messageIn(candidate, 'groundingMetadata') ?? {};
  const sources = messagesIn(grounding, 'groundingChunks').map(readSource);
  const supported = new Set<number>();
  for (const support of messagesIn(grounding, 'groundingSupports')) {
    const place = findSegment(messageIn(support, 'segment') ?? {}, texts, buffers);
    for (const index of listOf(support['groundingChunkIndices'])) {
      const source = typeof index === 'number' ? sources[index] : undefined;
      if (!source) continue;
      supported.add(Number(index));
      lists[place.text]?.push(defined({ ...source, start: place.start, end: place.end }));
    }
  }
  for (const [index, source] of sources.entries()) {
    if (source && !supported.has(index)) lists.at(-1)?.push(source);
  }

  const recited = messageIn(candidate, 'citationMetadata') ?? {};
  for (const key of ['citationSources', 'citations']) {
    for (const citation of messagesIn(recited, key)) {
      const url = textIn(citation, 'uri');
      if (url === undefined) continue;
      const [start, end] = byteRange(citation, buffers[0]);
      lists[0]?.push(defined({ url, title: textIn(citation, 'title'), start, end }));
    }
  }
  return lists;
}

/** A grounding chunk's source: the chunk is one of several kinds, each with its own word for the address. */
function readSource(chunk: JsonObject): Citation | undefined {
  for (const kind of ['web', 'maps', 'retrievedContext', 'image']) {
    const source = messageIn(chunk, kind);
    const url = source && (textIn(source, 'uri') ?? textIn(source, 'sourceUri'));
    if (source && url !== undefined && /^https?:/.test(url)) {
      return defined({ url, title: textIn(source, 'title') });
    }
  }
  return undefined;
}

interface Place {
  text: number;
  start?: number;
  end?: number;
}

function findSegment(segment: JsonObject, texts: readonly string[], buffers: readonly Buffer[]): Place {
  const words = textIn(segment, 'text');
  const last = { text: texts.length - 1 };
  if (words === undefined || words === '') return last;
  for (const [text, buffer] of buffers.entries()) {
    const [start, end] = byteRange(segment, buffer);
    if (start !== undefined && texts[text]?.slice(start, end) === words) return { text, start, end };
  }
  for (const [text, whole] of texts.entries()) {
    const start = whole.indexOf(words);
    if (start >= 0) return { text, start, end: start + words.length };
  }
  return last;
}

/** `startIndex` and `endIndex`, UTF-8 bytes, as UTF-16 offsets; empty where they are not in the text. */
function byteRange(message: JsonObject, buffer: Buffer | undefined): [number, number] | [] {
  const start = numberIn(message, 'startIndex') ?? 0;
  const end = numberIn(message, 'endIndex');
  if (!buffer || end === undefined || start < 0 || start > end || end > buffer.length) return [];
  const before = buffer.subarray(0, start).toString().length;
  return [before, before + buffer.subarray(start, end).toString().length];
}

/** Citations as `groundingMetadata`; `undefined` where no text has any with a URL. */
export function writeGrounding(
  texts: readonly { partIndex: number; text: string; citations?: readonly Citation[] | undefined }[],
): JsonObject | undefined {
  const groundingChunks: JsonObject[] = [];
  const groundingSupports: JsonObject[] = [];
  for (const { partIndex, text, citations } of texts) {
    for (const { url, title, start, end } of citations ?? []) {
      if (url === undefined) continue;
      groundingChunks.push({ web: defined({ uri: url, title }) });
      if (start === undefined || end === undefined) continue;
      const segment = {
        partIndex,
        startIndex: Buffer.byteLength(text.slice(0, start)),
        endIndex: Buffer.byteLength(text.slice(0, end)),
        text: text.slice(start, end),
      };
      groundingSupports.push({ segment, groundingChunkIndices: [groundingChunks.length - 1] });
    }
  }
  if (groundingChunks.length === 0) return undefined;
  return groundingSupports.length > 0 ? { groundingChunks, groundingSupports } : { groundingChunks };
}
