import type { ReasoningPart } from '../../conversation/conversation.ts';
import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import { ITEM, responsesExtra } from './extra.ts';

/** What stands between the pieces of a summary when they are read as one text. */
export const PIECE_SEPARATOR = '\n\n';

const KNOWN = new Set(['type', 'summary', 'content', 'encrypted_content']);

/** The texts of `summary` and `content` joined, or what was streamed of them. */
export function piecesText(item: JsonObject): string {
  return [...textsOf(item['summary']), ...textsOf(item['content'])].join(PIECE_SEPARATOR);
}

/**
 * The fields of a reasoning item beside its text. A summary of several pieces, and raw reasoning (`content`), are kept
 * as they came: one text does not tell them apart.
 *
 * Source: OpenAI API reference (`ResponseReasoningItem`).
 */
export function reasoningExtra(item: JsonObject, itemFields: JsonObject): ReasoningPart['extra'] {
  const { summary, content } = item;
  const rest = Object.fromEntries(Object.entries(itemFields).filter(([key]) => !KNOWN.has(key)));
  const fields: JsonObject = Object.keys(rest).length > 0 ? { [ITEM]: rest } : {};
  if (Array.isArray(summary) && !isPlainSummary(summary)) fields['summary'] = summary;
  if (Array.isArray(content)) {
    fields['content'] = content;
    if (Array.isArray(summary)) fields['summary'] = summary;
  }
  return responsesExtra(fields);
}

function isPlainSummary(summary: JsonValue[]): boolean {
  const [first] = summary;
  if (first === undefined) return true;
  return (
    summary.length === 1 &&
    isObject(first) &&
    first['type'] === 'summary_text' &&
    typeof first['text'] === 'string' &&
    first['text'] !== '' &&
    Object.keys(first).length === 2
  );
}

function textsOf(value: JsonValue | undefined): string[] {
  const pieces = Array.isArray(value) ? value.filter(isObject) : [];
  return pieces.flatMap(({ text }) => (typeof text === 'string' && text !== '' ? [text] : []));
}
