import { isOver } from './progress.ts';
import type { Rollout, RolloutSpec } from './rollout-book.ts';
import type { StoredRollout } from './rollout-store.ts';

/** Where a label points, and who had it do so. */
export interface Pointer {
  number: number;
  /** Unix milliseconds. */
  movedAt: number;
  author: string;
}

/** Who a rollout moves labels as. */
export function authorOf(rollout: string): string {
  return `rollout ${rollout}`;
}

/**
 * What decides where a label leads that a rollout moves: the label itself, the side of each call, or a version, by its number, for everyone,
 * whatever the label says yet. A label that somebody else has moved meanwhile goes before the rollout.
 */
export function leadOf(
  { spec: { name }, progress, origin }: Pick<Rollout, 'spec' | 'progress' | 'origin'>,
  { number, movedAt, author }: Pointer,
): 'label' | 'sides' | number {
  if (!origin || progress.phase === 'draft') return 'label';
  const { stable, candidate } = origin;
  if (!isOver(progress)) return number === stable.number ? 'sides' : 'label';
  const isBetween = number === stable.number || number === candidate.number;
  if (!isBetween || (author !== authorOf(name) && movedAt > progress.since)) return 'label';
  return progress.phase === 'promoted' ? candidate.number : stable.number;
}

/** Whether nobody moves the label by hand: its rollout takes a second person, and waits for one or is under way. `stored`: with what still waits. */
export function guardsLabel(
  { approval }: Pick<RolloutSpec, 'approval'>,
  stored: Pick<StoredRollout, 'progress' | 'approval'> | undefined,
): boolean {
  if (approval === 'none' || !stored) return false;
  return stored.approval !== undefined || (stored.progress.phase !== 'draft' && !isOver(stored.progress));
}
