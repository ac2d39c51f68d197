import { CARRIED_MARKER } from '../../conversation/carried-reasoning.ts';
import { isObject, type JsonObject } from '../../conversation/json.ts';

/**
 * Items of earlier answers that are named instead of sent. Reasoning without its encrypted form and images without
 * their data are, too: what they hold is looked up by their ids.
 *
 * Source: OpenAI API reference (`item_reference`, whose type may be left out), guides "Reasoning" and "Image generation".
 */
export function heldItems({ input }: JsonObject): { id: string; path: string }[] {
  if (!Array.isArray(input)) return [];
  return input.flatMap((item, index) => {
    if (!isObject(item) || typeof item['id'] !== 'string' || !isNamedOnly(item)) return [];
    // Ids of ours lead nowhere: answers that we made are put in, or their ids taken out.
    if (item['id'].includes(CARRIED_MARKER)) return [];
    return [{ id: item['id'], path: `input[${index}].id` }];
  });
}

const LABELS = new Set(['id', 'type', 'status']);

/** What alone makes an item of a type whole; the rest of it may be said as well, and is looked up nevertheless. */
const CONTENTS = new Map([
  ['reasoning', 'encrypted_content'],
  ['image_generation_call', 'result'],
]);

function isNamedOnly(item: JsonObject): boolean {
  const { type } = item;
  const content = typeof type === 'string' ? CONTENTS.get(type) : undefined;
  if (content !== undefined) return typeof item[content] !== 'string' || item[content] === '';
  return type === 'item_reference' || Object.keys(item).every((key) => LABELS.has(key) || item[key] === null);
}
