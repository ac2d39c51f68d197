import { FROM_LOWEST, RANKS, type Rank } from './bounds.ts';

/** So often a priority is passed over before it is its turn; once more where that is another's, too. */
export const PATIENCE = 9;

/** The priorities that somebody waits in, a bit for each. */
export type Present = number;

export function isPresent(present: Present, rank: Rank): boolean {
  return (present & (1 << rank)) !== 0;
}

/**
 * Which priority is next: the highest, but of ten places that are given while somebody waits in a lower one, one is that
 * one's. So work of a low priority yields, and comes to its end all the same.
 */
export class Turns {
  readonly #passed = [0, 0, 0];

  /** Of those that are there; there must be one. */
  next(present: Present): Rank {
    let due: Rank | undefined;
    let highest: Rank = RANKS.low;
    for (const rank of FROM_LOWEST) {
      if (!isPresent(present, rank)) continue;
      highest = rank;
      if (this.#passedOf(rank) < PATIENCE) continue;
      if (due === undefined || this.#passedOf(rank) > this.#passedOf(due)) due = rank;
    }
    return due ?? highest;
  }

  /** One was served while the others waited. Who does not wait has not been passed over. */
  note(served: Rank, present: Present): void {
    for (const rank of FROM_LOWEST) {
      const isPassed = rank !== served && isPresent(present, rank);
      this.#passed[rank] = isPassed ? this.#passedOf(rank) + 1 : 0;
    }
  }

  #passedOf(rank: Rank): number {
    return this.#passed[rank] ?? 0;
  }
}
