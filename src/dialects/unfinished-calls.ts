import type { ToolCallPart } from '../conversation/conversation.ts';
import { isObject, tryParseJson } from '../conversation/json.ts';

/**
 * Whether a call of an answer that was cut off (`isCutOff`) may be less than the model meant. Where it stands last it is, also
 * where what there is of it can be read: providers close the JSON of whole answers.
 *
 * Source: Anthropic's "Handling stop reasons" (`max_tokens`), which judges by the last block.
 */
export function isUnfinishedCall(call: ToolCallPart, isLast: boolean): boolean {
  return isLast || !isReadableCall(call);
}

/** Whether a tool can be called so: functions take an object, or nothing. */
export function isReadableCall({ kind, arguments: text }: ToolCallPart): boolean {
  return kind === 'custom' || text.trim() === '' || isObject(tryParseJson(text));
}
