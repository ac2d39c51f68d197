import type { FinishReason } from '../conversation/completion.ts';

const CUT_OFF: ReadonlySet<FinishReason> = new Set<FinishReason>([
  'length',
  'context_length',
  'content_filter',
  'refusal',
  'malformed_tool_call',
]);

/** Reasons that stay whatever was said before: the answer was cut off or withheld. */
export function isCutOff(reason: FinishReason): boolean {
  return CUT_OFF.has(reason);
}

/**
 * Why a choice really ended: an answer that calls tools ends so that they are called, whatever the server says of
 * it (OpenAI itself says `stop` where the tool was named by `tool_choice`). Agents stop otherwise.
 */
export function finishWithCalls(reason: FinishReason, callsTools: boolean): FinishReason {
  return callsTools && !isCutOff(reason) ? 'tool_calls' : reason;
}
