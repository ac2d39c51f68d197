/** What several rounds gave. */
export interface Spread {
  median: number;
  min: number;
  max: number;
}

/** Median of an unsorted list; the mean of the middle two where the count is even. Throws on an empty list. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)];
  const lower = sorted[Math.ceil(sorted.length / 2) - 1];
  if (upper === undefined || lower === undefined) throw new Error('no values to take a median of');
  return (lower + upper) / 2;
}

/** The value that a share of an unsorted list does not exceed (nearest rank). Throws on an empty list. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const value = sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)];
  if (value === undefined) throw new Error('no values to take a quantile of');
  return value;
}

export function summarise(values: readonly number[]): Spread {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}

/**
 * Ratios of two series, round by round: both figures of a pair were measured within seconds of each other, so
 * what the machine was doing at the time falls out. Throws when the series differ in length.
 */
export function summariseRatios(ours: readonly number[], theirs: readonly number[]): Spread {
  if (ours.length !== theirs.length) {
    throw new Error(`cannot pair ${ours.length} rounds with ${theirs.length}`);
  }
  return summarise(ours.map((value, round) => value / (theirs[round] ?? Number.NaN)));
}
