import { appendAll } from '../../conversation/append-all.ts';
import type { Message } from '../../conversation/conversation.ts';

/**
 * The messages in the order that a chat provider takes: all results of a turn's calls right behind the assistant's message,
 * whatever else was said meanwhile behind them. Callers of other dialects say things between a call and its result, and
 * one turn of the assistant in several messages.
 *
 * Source: OpenAI API reference (chat messages: "an assistant message with 'tool_calls' must be followed by tool messages
 * responding to each 'tool_call_id'").
 */
export function resultsFirst(messages: readonly Message[]): Message[] {
  const ordered: Message[] = [];
  let results: Message[] = [];
  let others: Message[] = [];
  for (const message of messages) {
    if (message.role === 'tool') {
      results.push(message);
      continue;
    }
    if (message.role !== 'assistant') {
      others.push(message);
      continue;
    }
    const last = ordered.at(-1);
    if (last && results.length + others.length === 0 && hasCalls(last)) {
      ordered[ordered.length - 1] = { ...last, parts: [...last.parts, ...message.parts] };
      continue;
    }
    appendAll(ordered, results);
    appendAll(ordered, others);
    [results, others] = [[], []];
    ordered.push(message);
  }
  appendAll(ordered, results);
  appendAll(ordered, others);
  return ordered;
}

function hasCalls({ role, parts }: Message): boolean {
  return role === 'assistant' && parts.some(({ type }) => type === 'tool_call');
}
