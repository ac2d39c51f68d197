import type { Call } from './call.ts';

/**
 * Not every dialect names, dates and attributes its answers (Bedrock's does none of that), but those that do are
 * expected to: what the provider left out is the call's own id and time, and the model version that was asked.
 */
export function identifyAnswer(
  answer: { id: string; model: string; created?: number },
  { id, startedAt, target }: Call,
): void {
  answer.id ||= id;
  answer.model ||= target?.model ?? '';
  answer.created ??= Math.floor(startedAt / 1000);
}
