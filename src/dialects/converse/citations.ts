import type { Citation, CitedPlace } from '../../conversation/conversation.ts';
import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import { objectOf, textOf } from './fields.ts';

/** What places in what a request holds are called in each of the two APIs that tell them. */
interface PlaceWords {
  of: CitedPlace['of'];
  /** The member of `CitationLocation`, and its field that counts what is cited. */
  member: string;
  index: string;
  /** Anthropic's type, and its fields. */
  type: string;
  start: string;
  end: string;
}

/** Sources: Bedrock API reference (`CitationLocation`), Messages API reference (`TextCitationParam`). */
const PLACES: readonly PlaceWords[] = [
  {
    ...{ of: 'chars', member: 'documentChar', index: 'documentIndex' },
    ...{ type: 'char_location', start: 'start_char_index', end: 'end_char_index' },
  },
  {
    ...{ of: 'pages', member: 'documentPage', index: 'documentIndex' },
    ...{ type: 'page_location', start: 'start_page_number', end: 'end_page_number' },
  },
  {
    ...{ of: 'blocks', member: 'documentChunk', index: 'documentIndex' },
    ...{ type: 'content_block_location', start: 'start_block_index', end: 'end_block_index' },
  },
  {
    ...{ of: 'search_result', member: 'searchResultLocation', index: 'searchResultIndex' },
    ...{ type: 'search_result_location', start: 'start_block_index', end: 'end_block_index' },
  },
];

/**
 * Citations of a block, which support all of it: those of web pages, and those of what the request held. All of them are kept as they came as
 * well.
 *
 * Source: Bedrock API reference (`Citation`, `CitationLocation`).
 *
 * @param textLength of the block, in UTF-16 units
 */
export function decodeCitations(raw: readonly JsonValue[], textLength: number): Citation[] {
  return raw.filter(isObject).flatMap(({ title, source, location, sourceContent }) => {
    const where = objectOf(location);
    const url = textOf(objectOf(where['web'])['url']);
    const place = decodePlace(where);
    if (url === '' && !place) return [];
    const quote = joinTexts(sourceContent);
    return [
      {
        ...(url === '' ? {} : { url }),
        ...(place ? { place } : {}),
        ...(place && typeof source === 'string' ? { source } : {}),
        ...(typeof title === 'string' ? { title } : {}),
        ...(quote === '' ? {} : { quote }),
        start: 0,
        end: textLength,
      },
    ];
  });
}

function decodePlace(location: JsonObject): CitedPlace | undefined {
  const words = PLACES.find(({ member }) => isObject(location[member]));
  if (!words) return undefined;
  const { [words.index]: index, start, end } = objectOf(location[words.member]);
  return { of: words.of, index: countOf(index), start: countOf(start), end: countOf(end) };
}

/**
 * The citations of an earlier answer as a caller of the Messages API sends them back; `undefined` where there are none, or one of a kind that
 * Converse has no word for.
 */
export function encodeAnthropicCitations(raw: JsonValue | undefined): JsonObject[] | undefined {
  if (!Array.isArray(raw) || raw.length === 0) return undefined;
  const citations = raw.map((citation) =>
    isObject(citation) ? encodeAnthropicCitation(citation) : undefined,
  );
  return citations.every((citation) => citation !== undefined) ? citations : undefined;
}

function encodeAnthropicCitation(citation: JsonObject): JsonObject | undefined {
  const { title, document_title: documentTitle, source, cited_text: quote, url } = citation;
  const location = encodeLocation(citation, url);
  if (!location) return undefined;
  const named = documentTitle ?? title;
  return {
    ...(typeof named === 'string' ? { title: named } : {}),
    ...(typeof source === 'string' ? { source } : {}),
    ...(typeof quote === 'string' ? { sourceContent: [{ text: quote }] } : {}),
    location,
  };
}

function encodeLocation(citation: JsonObject, url: JsonValue | undefined): JsonObject | undefined {
  if (citation['type'] === 'web_search_result_location') {
    return typeof url === 'string' ? { web: { url } } : undefined;
  }
  const words = PLACES.find(({ type }) => type === citation['type']);
  if (!words) return undefined;
  const index = citation[words.of === 'search_result' ? 'search_result_index' : 'document_index'];
  const place = { start: countOf(citation[words.start]), end: countOf(citation[words.end]) };
  return { [words.member]: { [words.index]: countOf(index), ...place } };
}

function countOf(value: JsonValue | undefined): number {
  return typeof value === 'number' ? value : 0;
}

/** The `text` of all members of a list. */
export function joinTexts(list: JsonValue | undefined): string {
  return (Array.isArray(list) ? list : []).map((member) => textOf(objectOf(member)['text'])).join('');
}
