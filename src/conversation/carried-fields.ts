import type { DialectName, Extra, Signature } from './conversation.ts';
import { isObject, type JsonObject, type JsonValue } from './json.ts';

/**
 * What carried reasoning may say beside its text and its proof, rebuilt word by word. A payload comes from a client, which
 * can have made it up, and its fields go into what a provider is sent: whatever is not listed here is left out, or it would
 * name files of other tenants where no check looks for them.
 *
 * Only OpenAI's reasoning items have such words (API reference, `ResponseReasoningItem`); thinking blocks (redacted ones
 * too), thought parts and Bedrock's reasoning are text and proof alone.
 */
const READERS: Partial<Record<DialectName, (fields: JsonObject) => JsonObject>> = {
  responses: (fields) => ({
    ...field('item', readItem(fields['item'])),
    ...field('summary', readPieces(fields['summary'], 'summary_text')),
    ...field('content', readPieces(fields['content'], 'reasoning_text')),
  }),
};

/** Of what has its encrypted form: an item without one would be looked up by its id. */
export function readCarriedExtra(
  value: JsonValue | undefined,
  { dialect, value: encrypted }: Signature,
): Extra | undefined {
  if (encrypted === '' || !isObject(value) || value['dialect'] !== dialect) return undefined;
  const fields = isObject(value['fields']) ? READERS[dialect]?.(value['fields']) : undefined;
  return fields && Object.keys(fields).length > 0 ? { dialect, fields } : undefined;
}

function readItem(item: JsonValue | undefined): JsonObject | undefined {
  if (!isObject(item)) return undefined;
  const { id, status } = item;
  return {
    ...(typeof id === 'string' ? { id } : {}),
    ...(typeof status === 'string' ? { status } : {}),
  };
}

function readPieces(value: JsonValue | undefined, type: string): JsonObject[] | undefined {
  if (!Array.isArray(value)) return undefined;
  return value.flatMap((piece) =>
    isObject(piece) && piece['type'] === type && typeof piece['text'] === 'string'
      ? [{ type, text: piece['text'] }]
      : [],
  );
}

function field(key: string, value: JsonValue | undefined): JsonObject {
  return value === undefined ? {} : { [key]: value };
}
