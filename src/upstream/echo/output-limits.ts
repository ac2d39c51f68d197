import type { FinishReason } from '../../conversation/completion.ts';
import type { Parameters, ReasoningPart, TextPart, ToolCallPart } from '../../conversation/conversation.ts';
import { countWords, takeWords } from './words.ts';

/** What the echo model writes. */
export type WrittenPart = TextPart | ReasoningPart | ToolCallPart;

export interface LimitedOutput {
  parts: WrittenPart[];
  finish: FinishReason;
  stopSequence?: string;
}

/** Ends an answer where a stop sequence is met in its text, or where its words reach the limit. */
export function limitOutput(parts: readonly WrittenPart[], parameters: Parameters): LimitedOutput {
  const kept: WrittenPart[] = [];
  let wordsLeft = parameters.maxOutputTokens ?? Number.POSITIVE_INFINITY;
  for (const part of parts) {
    const stopped = part.type === 'text' ? cutAtStop(part.text, parameters.stop ?? []) : undefined;
    const whole = stopped?.text ?? writtenText(part);
    const text = takeWords(whole, wordsLeft);
    if (text !== '' || whole === '') kept.push(withText(part, text));
    if (text !== whole) return { parts: kept, finish: 'length' };
    if (stopped) return { parts: kept, finish: 'stop_sequence', stopSequence: stopped.sequence };
    wordsLeft -= countWords(text);
  }
  const finish = kept.some(({ type }) => type === 'tool_call') ? 'tool_calls' : 'stop';
  return { parts: kept, finish };
}

/** What a part says: its text, or the arguments of a tool call. */
export function writtenText(part: WrittenPart): string {
  return part.type === 'tool_call' ? part.arguments : part.text;
}

function withText(part: WrittenPart, text: string): WrittenPart {
  return part.type === 'tool_call' ? { ...part, arguments: text } : { ...part, text };
}

function cutAtStop(
  text: string,
  sequences: readonly string[],
): { text: string; sequence: string } | undefined {
  let first: { at: number; sequence: string } | undefined;
  for (const sequence of sequences) {
    const at = sequence === '' ? -1 : text.indexOf(sequence);
    if (at >= 0 && (first === undefined || at < first.at)) first = { at, sequence };
  }
  return first && { text: text.slice(0, first.at), sequence: first.sequence };
}
