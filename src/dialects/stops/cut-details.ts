import type { Citation } from '../../conversation/conversation.ts';
import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';

/** The citations of a text that is cut to a length; `undefined` where none is left. */
export function citedWithin(
  citations: readonly Citation[] | undefined,
  length: number,
): Citation[] | undefined {
  const kept = (citations ?? []).flatMap((citation) => {
    const { start = 0, end } = citation;
    if (start >= length) return [];
    return [end === undefined || end <= length ? citation : { ...citation, end: length }];
  });
  return kept.length > 0 ? kept : undefined;
}

/** How many bytes of text the tokens are of, as UTF-8. */
export function loggedBytes({ content }: JsonObject): number {
  return Array.isArray(content) ? content.reduce((sum: number, token) => sum + bytesOf(token), 0) : 0;
}

/** The log probabilities of the tokens that begin within so many bytes of text; `undefined` where none do. */
export function loggedWithin(logprobs: JsonObject, bytes: number): JsonObject | undefined {
  const { content } = logprobs;
  if (!Array.isArray(content)) return undefined;
  let before = 0;
  const kept = content.filter((token) => {
    const begins = before;
    before += bytesOf(token);
    return begins < bytes;
  });
  return kept.length > 0 ? { ...logprobs, content: kept } : undefined;
}

/** `bytes` is null where a token is no text by itself. Source: OpenAI API reference (chat completion object, `logprobs`). */
function bytesOf(token: JsonValue): number {
  if (!isObject(token)) return 0;
  const { bytes, token: text } = token;
  if (Array.isArray(bytes)) return bytes.length;
  return typeof text === 'string' ? Buffer.byteLength(text) : 0;
}
