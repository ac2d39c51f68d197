import type { Call } from './call.ts';
import { nameAnswer } from './keep-answer.ts';

/**
 * Not every dialect names, dates and attributes its answers (Bedrock's does none of that), but those that do are
 * expected to: what the provider left out is the call's own id and time, and the model version that was asked.
 */
export function identifyAnswer(answer: { id: string; model: string; created?: number }, call: Call): void {
  answer.id = nameAnswer(call, answer.id || call.id);
  answer.model ||= call.target?.model ?? '';
  answer.created ??= Math.floor(call.startedAt / 1000);
}
