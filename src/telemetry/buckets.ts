/** Upper bounds in seconds: from an answer out of a cache to a model that thinks for ten minutes. */
export const CALL_BOUNDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600] as const;
export const FIRST_TOKEN_BOUNDS = [0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 20, 60] as const;

/** How often what took how long: the numbers of a histogram. */
export class Buckets {
  readonly bounds: readonly number[];
  /** Of each bound, not those below it; the last one is of what is beyond all. */
  readonly counts: number[];
  sumSeconds = 0;
  count = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Array<number>(bounds.length + 1).fill(0);
  }

  add(seconds: number): void {
    let at = 0;
    for (let bound = this.bounds[0]; bound !== undefined && seconds > bound; bound = this.bounds[at]) at += 1;
    this.counts[at] = (this.counts[at] ?? 0) + 1;
    this.sumSeconds += seconds;
    this.count += 1;
  }

  /** Adds what another of the same bounds has counted. */
  merge(other: Buckets): void {
    for (const [at, count] of other.counts.entries()) this.counts[at] = (this.counts[at] ?? 0) + count;
    this.sumSeconds += other.sumSeconds;
    this.count += other.count;
  }
}
