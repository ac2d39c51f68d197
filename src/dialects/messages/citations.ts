import type { Citation, CitedPlace, TextPart } from '../../conversation/conversation.ts';
import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import { ownFields } from './fields.ts';

/**
 * Citations of a text block. Those with a URL (web search) get a neutral form, which supports the whole block;
 * all of them are kept as they came as well, because the API wants them back with their encrypted index.
 *
 * @param textLength of the block, in UTF-16 units
 */
export function decodeCitations(raw: JsonValue[], textLength: number): Citation[] {
  const citations: Citation[] = [];
  for (const citation of raw) {
    if (!isObject(citation) || typeof citation['url'] !== 'string') continue;
    const { url, title, cited_text: quote } = citation;
    citations.push({
      url,
      ...(typeof title === 'string' ? { title } : {}),
      ...(typeof quote === 'string' ? { quote } : {}),
      start: 0,
      end: textLength,
    });
  }
  return citations;
}

/** A text part's citations on the wire: its own ones as they came, or those of another provider in this form. */
export function encodeCitations(part: Pick<TextPart, 'citations' | 'extra'>): JsonValue[] {
  const own = ownFields(part.extra)['citations'];
  if (Array.isArray(own)) return own;
  return (part.citations ?? []).filter(({ url, place }) => url !== undefined || place).map(encodeCitation);
}

function encodeCitation({ url, title, quote, place, source }: Citation): JsonObject {
  if (place) return encodePlaced(place, { title: title ?? null, quote: quote ?? '', source: source ?? '' });
  return {
    type: 'web_search_result_location',
    url,
    title: title ?? null,
    cited_text: quote ?? '',
    encrypted_index: '',
  };
}

interface Cited {
  title: string | null;
  quote: string;
  source: string;
}

/** Source: Messages API reference (`TextCitation`). */
function encodePlaced({ of, index, start, end }: CitedPlace, { title, quote, source }: Cited): JsonObject {
  const document = { cited_text: quote, document_index: index, document_title: title, file_id: null };
  const blocks = { start_block_index: start, end_block_index: end };
  switch (of) {
    case 'chars':
      return { type: 'char_location', ...document, start_char_index: start, end_char_index: end };
    case 'pages':
      return { type: 'page_location', ...document, start_page_number: start, end_page_number: end };
    case 'blocks':
      return { type: 'content_block_location', ...document, ...blocks };
    case 'search_result':
      return {
        type: 'search_result_location',
        ...{ cited_text: quote, search_result_index: index, source, title },
        ...blocks,
      };
    default:
      return of satisfies never;
  }
}

/** A citation that the API takes back: one that we made for another provider's has no index. */
export function isReplayable(citation: JsonValue): boolean {
  return isObject(citation) && citation['encrypted_index'] !== '';
}
