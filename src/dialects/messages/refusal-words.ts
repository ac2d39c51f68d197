import type { Part, RefusalPart } from '../../conversation/conversation.ts';
import { isObject, type JsonValue } from '../../conversation/json.ts';
import { ownFields } from './fields.ts';

const FIELD = 'stop_details';

/**
 * Why Claude refused: this dialect says it beside the answer, the others in its words. `undefined` where it says nothing.
 *
 * Source: Anthropic API reference (`RefusalStopDetails`).
 */
export function explainedRefusal(stopDetails: JsonValue | undefined): RefusalPart | undefined {
  const text = isObject(stopDetails) ? stopDetails['explanation'] : undefined;
  if (typeof text !== 'string' || text === '') return undefined;
  return { type: 'refusal', text, extra: { dialect: 'messages', fields: { [FIELD]: true } } };
}

/** Whether a part stands in a field of the answer already. */
export function isExplanation(part: Part): boolean {
  return part.type === 'refusal' && FIELD in ownFields(part.extra);
}
