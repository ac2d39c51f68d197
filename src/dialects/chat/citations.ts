import type { Citation, TextPart } from '../../conversation/conversation.ts';
import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';

/**
 * Citations ↔ `annotations` of type `url_citation`. OpenRouter adds the cited words as `content`.
 *
 * Source: OpenAI API reference (`ChatCompletionMessage.Annotation`); OpenRouter, "Web search".
 */
export function decodeAnnotations(value: JsonValue | undefined): {
  citations: Citation[];
  others: JsonValue[];
} {
  const citations: Citation[] = [];
  const others: JsonValue[] = [];
  for (const item of Array.isArray(value) ? value : []) {
    const cited = isObject(item) && item['type'] === 'url_citation' ? item['url_citation'] : undefined;
    if (isObject(cited)) citations.push(decodeCitation(cited));
    else others.push(item);
  }
  return { citations, others };
}

/**
 * What the whole answer rests on, where the server says it beside the choices: Perplexity's `search_results` { title,
 * url, date } and, with xAI, the bare URLs of `citations`. Which words they support stands as [1], [2] in the text.
 *
 * Source: Perplexity API reference (chat completions); xAI, "Live search" (citations).
 */
export function decodeSearchResults(answer: JsonObject): Citation[] {
  const { search_results: results, citations } = answer;
  const listed = Array.isArray(results) && results.length > 0 ? results : citations;
  return (Array.isArray(listed) ? listed : []).flatMap((item): Citation[] => {
    if (typeof item === 'string') return [{ url: item }];
    if (!isObject(item) || typeof item['url'] !== 'string') return [];
    const { url, title } = item;
    return [typeof title === 'string' ? { url, title } : { url }];
  });
}

function decodeCitation(cited: JsonObject): Citation {
  const { url, title, content, start_index: start, end_index: end } = cited;
  const citation: Citation = {};
  if (typeof url === 'string') citation.url = url;
  if (typeof title === 'string') citation.title = title;
  if (typeof content === 'string') citation.quote = content;
  if (typeof start === 'number') citation.start = start;
  if (typeof end === 'number') citation.end = end;
  return citation;
}

/**
 * The annotations of one text part. `offset`: how much of the message's text stands before the part. A citation
 * without a URL (of a document that the client itself sent) has no form here and is left out.
 */
export function encodeCitations({ text, citations = [] }: TextPart, offset: number): JsonObject[] {
  return citations.flatMap(({ url, title, quote, start = 0, end = text.length }) => {
    if (url === undefined) return [];
    const cited: JsonObject = {
      start_index: offset + start,
      end_index: offset + end,
      url,
      title: title ?? '',
    };
    if (quote !== undefined) cited['content'] = quote;
    return [{ type: 'url_citation', url_citation: cited }];
  });
}
