import type { PromptBook } from './prompt-book.ts';
import { findVersion, type PromptVersion, readReference, stateOf } from './versions.ts';

/** What a rollout moves a label from and to, as the config says it: `NAME@VERSION`. */
export interface WantedVersions {
  prompt: string;
  label: string;
  stable: string;
  candidate: string;
}

/**
 * The versions that a rollout is to move a label between, or why it cannot: a sentence's end, behind its name.
 *
 * @param nowMs Unix milliseconds
 */
export function findMovedVersions(
  prompts: Pick<PromptBook, 'record'>,
  { prompt, label, stable, candidate }: WantedVersions,
  nowMs: number,
): { stable: PromptVersion; candidate: PromptVersion } | string {
  const record = prompts.record(prompt);
  if (!record) return `cannot start: there is no prompt '${prompt}'`;
  const [from, to] = [stable, candidate].map((reference) => {
    const { version = reference } = readReference(reference);
    return findVersion(record, version);
  });
  if (!from || !to) return `cannot start: there is no version '${from ? candidate : stable}'`;
  if (from.number === to.number)
    return `cannot start: both of its sides are version ${from.number} of '${prompt}'`;
  const points = record.labels.get(label)?.number;
  if (points !== from.number) {
    const where = points === undefined ? 'is not there' : `points at version ${points}`;
    return `cannot start: the label '${label}' of '${prompt}' ${where}, not at ${from.number}`;
  }
  const state = stateOf(to, nowMs);
  if (state === 'published') return { stable: from, candidate: to };
  return `cannot start: '${prompt}@${to.number}' is ${state === 'draft' ? 'a draft' : state}: publish it under another label`;
}
