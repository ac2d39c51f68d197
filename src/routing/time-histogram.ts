/** Each bucket ends so much later than the one before: what is read from it is at most 5 % too long. */
const STEP = 1.05;
const LOG_STEP = Math.log(STEP);

/** The first bucket ends here, the last one takes all that is longer than any call. */
const SHORTEST_MS = 1;
const LONGEST_MS = 3_600_000;
const BUCKETS = Math.ceil(Math.log(LONGEST_MS / SHORTEST_MS) / LOG_STEP) + 1;

/** From so many on all that was seen counts half: what is older than some thousands says nothing of today. */
const MOST_SEEN = 1_000;

/**
 * How long something takes, as a share of cases: percentiles of the newest times in a fixed amount of memory. Buckets grow
 * with what they hold, so that a percentile is as exact for milliseconds as for minutes.
 */
export class TimeHistogram {
  readonly #counts = new Float64Array(BUCKETS);
  #total = 0;

  /** How many times it knows; of older ones a part. */
  get total(): number {
    return this.#total;
  }

  note(ms: number): void {
    const bucket = Math.ceil(Math.log(Math.max(ms, SHORTEST_MS) / SHORTEST_MS) / LOG_STEP);
    const place = Math.min(bucket, BUCKETS - 1);
    this.#counts[place] = (this.#counts[place] ?? 0) + 1;
    this.#total += 1;
    if (this.#total >= MOST_SEEN) this.#halve();
  }

  /** What so many of 100 do not exceed: the end of the bucket with that time. `undefined` where nothing was seen. */
  percentile(percent: number): number | undefined {
    if (this.#total === 0) return undefined;
    const sought = percent * this.#total;
    let seen = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      seen += this.#counts[bucket] ?? 0;
      // Multiplied, not divided: halves of whole numbers are exact, hundredths are not.
      if (seen * 100 >= sought) return SHORTEST_MS * STEP ** bucket;
    }
    return LONGEST_MS;
  }

  #halve(): void {
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      this.#counts[bucket] = (this.#counts[bucket] ?? 0) / 2;
    }
    this.#total /= 2;
  }
}
