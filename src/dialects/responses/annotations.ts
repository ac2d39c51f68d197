import type { Citation } from '../../conversation/conversation.ts';
import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';

/**
 * `annotations` of an `output_text` ↔ citations. A list that holds more than plain `url_citation`s (files, containers,
 * fields of other servers) is also kept as it came.
 *
 * Source: OpenAI API reference (`ResponseOutputText.URLCitation`).
 */
export function decodeAnnotations(value: JsonValue | undefined): {
  citations?: Citation[];
  annotations?: JsonValue[];
} {
  if (!Array.isArray(value) || value.length === 0) return {};
  const citations = value.flatMap((item) => (isUrlCitation(item) ? [decodeCitation(item)] : []));
  return {
    ...(citations.length > 0 ? { citations } : {}),
    ...(value.every(isPlain) ? {} : { annotations: value }),
  };
}

/** A citation without a URL (of a document that the client itself sent) has no form here and is left out. */
export function encodeAnnotations(text: string, citations: readonly Citation[] = []): JsonObject[] {
  return citations.flatMap(({ url, title = '', start = 0, end = text.length }) =>
    url === undefined ? [] : [{ type: 'url_citation', start_index: start, end_index: end, url, title }],
  );
}

function isUrlCitation(item: JsonValue): item is JsonObject {
  return isObject(item) && item['type'] === 'url_citation';
}

function decodeCitation({ url, title, start_index: start, end_index: end }: JsonObject): Citation {
  const citation: Citation = {};
  if (typeof url === 'string') citation.url = url;
  if (typeof title === 'string') citation.title = title;
  if (typeof start === 'number') citation.start = start;
  if (typeof end === 'number') citation.end = end;
  return citation;
}

function isPlain(item: JsonValue): boolean {
  if (!isUrlCitation(item) || Object.keys(item).length !== 5) return false;
  const { url, title, start_index: start, end_index: end } = item;
  return (
    typeof url === 'string' &&
    typeof title === 'string' &&
    typeof start === 'number' &&
    typeof end === 'number'
  );
}
