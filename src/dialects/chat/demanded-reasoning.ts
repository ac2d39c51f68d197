import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';

/** Stands for reasoning that nobody has any more: what is empty counts as none there (BerriAI/litellm fills in the same). */
const UNKEPT = ' ';

const CALLS = Buffer.from('"tool_calls"');

/** A cheap look at the text of `messages`: whether a message in it may call a tool. */
export function mayCallTools(messages: Buffer): boolean {
  return messages.includes(CALLS);
}

/**
 * The messages for a server that refuses a history in which the assistant called tools and did not think: another model did, which
 * thought otherwise or not at all, or a client that did not keep it. From the first call on each of its messages has the field.
 */
export function withReasoning(messages: readonly JsonValue[]): JsonValue[] {
  const first = messages.findIndex(callsTools);
  return messages.map((message, index) => {
    const lacks = index >= first && first !== -1 && isObject(message) && lacksReasoning(message);
    return lacks ? { ...message, reasoning_content: UNKEPT } : message;
  });
}

function callsTools(message: JsonValue): boolean {
  if (!isObject(message) || message['role'] !== 'assistant') return false;
  const calls = message['tool_calls'];
  return Array.isArray(calls) && calls.length > 0;
}

function lacksReasoning({ role, reasoning_content: said }: JsonObject): boolean {
  return role === 'assistant' && (typeof said !== 'string' || said === '');
}
