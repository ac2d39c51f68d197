import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import { isDataUrl, parseDataUrl, writeDataUrl } from '../data-url.ts';

/**
 * How a server takes files, where not in OpenAI's `file` parts: `document_url` is Mistral's, for addresses and data URLs; `none` takes none.
 * What is text is told as text by both.
 */
export type FileForm = 'document_url' | 'none';

/**
 * A `file` part of OpenAI's in the form of the server; `undefined` where it takes no such file. Any other part is given back as it is.
 *
 * Source: the request types of Mistral's official client (`DocumentURLChunk`, `FileChunk`); recorded traffic (data URLs).
 */
export function fileInForm(part: JsonObject, form: FileForm): JsonObject | undefined {
  const { file } = part;
  if (part['type'] !== 'file' || !isObject(file)) return part;
  const { file_data: data, file_id: id, filename } = file;
  const text = typeof data === 'string' ? textWithin(data) : undefined;
  if (text !== undefined) return { type: 'text', text };
  if (form === 'none') return undefined;
  if (typeof data !== 'string') return typeof id === 'string' ? { type: 'file', file_id: id } : part;
  const named = typeof filename === 'string' ? { document_name: filename } : {};
  return { type: 'document_url', document_url: asUrl(data), ...named };
}

/** Whether content holds a `file` part. */
export function hasFile(content: JsonValue | undefined): content is JsonValue[] {
  return Array.isArray(content) && content.some((part) => isObject(part) && part['type'] === 'file');
}

function textWithin(url: string): string | undefined {
  const data = parseDataUrl(url);
  if (!data?.mediaType.toLowerCase().startsWith('text/')) return undefined;
  return Buffer.from(data.base64, 'base64').toString('utf8');
}

/** Some clients leave the base64 bare. Files that OpenAI takes are PDFs. */
function asUrl(data: string): string {
  if (isDataUrl(data) || /^https?:/i.test(data)) return data;
  return writeDataUrl({ mediaType: 'application/pdf', base64: data });
}
