import type { FinishReason } from '../../conversation/completion.ts';
import type { Conversation } from '../../conversation/conversation.ts';
import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import { writeFinishReason } from '../finish-reasons.ts';
import { flagsOf } from '../seen-words.ts';

/**
 * Whether a client is to get its calls in the deprecated `function_call`, which has room for one: it offers `functions`
 * and knows nothing of `tools`, and could neither read `tool_calls` nor answer them.
 *
 * Source: OpenAI API reference (create chat completion: `functions`; message: `function_call`; `finish_reason`).
 */
export function wantsFunctionCall(request: JsonObject | undefined): boolean {
  return request !== undefined && isFilled(request['functions']) && !isFilled(request['tools']);
}

/**
 * Whether a request says anything in the deprecated form: its functions, the choice among them, a call or what one gave. The fields that
 * clients write back as null with every message say nothing.
 */
export function saysFunctions({ functions, function_call: choice, messages }: JsonObject): boolean {
  if (functions !== undefined || choice !== undefined) return true;
  return Array.isArray(messages) && messages.some(isOfFunction);
}

function isOfFunction(message: JsonValue): boolean {
  if (!isObject(message)) return false;
  const { role, function_call: call } = message;
  return role === 'function' || (call !== undefined && call !== null);
}

/** Words of the deprecated form, one of which is in every request that says something in it. */
export const FUNCTION_WORDS = flagsOf(['functions', 'function_call']);

/** The words of a client for tools and the choice among them, where they are these. */
export function functionWords(request: JsonObject): Conversation['spelling'] {
  const { tool_choice: choice, function_call: legacy } = request;
  const saysLegacy = (choice ?? null) === null && (legacy ?? null) !== null;
  return {
    ...(wantsFunctionCall(request) ? { tools: 'functions' } : {}),
    ...(saysLegacy ? { toolChoice: 'function_call' } : {}),
  };
}

function isFilled(list: JsonValue | undefined): boolean {
  return Array.isArray(list) && list.length > 0;
}

/** The word for an end, as such a client has it. */
export function writeFinish(reason: FinishReason, asFunctionCall: boolean): string {
  return asFunctionCall && reason === 'tool_calls' ? 'function_call' : writeFinishReason('chat', reason);
}
