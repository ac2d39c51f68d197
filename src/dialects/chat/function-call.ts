import type { FinishReason } from '../../conversation/completion.ts';
import type { JsonObject, JsonValue } from '../../conversation/json.ts';
import { writeFinishReason } from '../finish-reasons.ts';

/**
 * Whether a client is to get its calls in the deprecated `function_call`, which has room for one: it offers `functions`
 * and knows nothing of `tools`, and could neither read `tool_calls` nor answer them.
 *
 * Source: OpenAI API reference (create chat completion: `functions`; message: `function_call`; `finish_reason`).
 */
export function wantsFunctionCall(request: JsonObject | undefined): boolean {
  return request !== undefined && isFilled(request['functions']) && !isFilled(request['tools']);
}

function isFilled(list: JsonValue | undefined): boolean {
  return Array.isArray(list) && list.length > 0;
}

/** The word for an end, as such a client has it. */
export function writeFinish(reason: FinishReason, asFunctionCall: boolean): string {
  return asFunctionCall && reason === 'tool_calls' ? 'function_call' : writeFinishReason('chat', reason);
}
