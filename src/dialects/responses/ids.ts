import { CARRIED_MARKER } from '../../conversation/carried-reasoning.ts';
import type { JsonObject } from '../../conversation/json.ts';

/**
 * Ids of responses and items that another provider's answer is given in. They are made from the completion's id and
 * the item's place, so the same answer always has the same ids. Item ids hold the marker of carried reasoning: a
 * body that brings one back is decoded, and the id, which no provider knows, is left out of what is sent on.
 */
export function responseId(completionId: string): string {
  return completionId.startsWith('resp_') ? completionId : `resp_${plain(completionId)}`;
}

/** Prefixes as OpenAI has them; other kinds of items have their own ids already. */
const PREFIXES = {
  message: 'msg',
  reasoning: 'rs',
  function_call: 'fc',
  custom_tool_call: 'ctc',
  tool_search_call: 'tsc',
  image: 'ig',
};

const OWN_ITEM_ID = new RegExp(`^[a-z]+_(.+)${CARRIED_MARKER}\\w+$`);

export type IdKind = keyof typeof PREFIXES;

export function itemId(kind: IdKind, completionId: string, index: number | string): string {
  const name = plain(completionId.replace(/^resp_/, ''));
  return `${PREFIXES[kind]}_${name}${CARRIED_MARKER}${index}`;
}

/** The response that an item belongs to whose id we made ourselves. */
export function responseOfItem(itemId: string): string | undefined {
  const [, name] = OWN_ITEM_ID.exec(itemId) ?? [];
  return name === undefined ? undefined : responseId(name);
}

/** An item's fields without an id that we made ourselves. */
export function withoutOwnId(item: JsonObject): JsonObject {
  const { id, ...fields } = item;
  return typeof id === 'string' && id.includes(CARRIED_MARKER) ? fields : item;
}

function plain(id: string): string {
  return id.replace(/[^A-Za-z0-9_-]/g, '');
}
