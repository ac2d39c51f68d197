import type { AnswerHead } from '../conversation/completion.ts';
import type { Call } from './call.ts';
import { nameAnswer } from './keep-answer.ts';

/**
 * Not every dialect names, dates and attributes its answers (Bedrock's does none of that), but those that do are
 * expected to: what the provider left out is the call's own id and time, and the model version that was asked. Ids of other dialects
 * are given in the caller's form, by which clients tell what they are of.
 */
export function identifyAnswer(answer: AnswerHead, call: Call): void {
  answer.id = nameAnswer(call, answer.id);
  answer.model ||= call.target?.model ?? '';
  answer.created ??= Math.floor(call.startedAt / 1000);
}

/** What an answer goes by that its provider did not begin. */
export function headOf(call: Call): AnswerHead {
  const head: AnswerHead = { id: '', model: '' };
  identifyAnswer(head, call);
  return head;
}
