/**
 * The minute that slides. Amounts are gathered in slices of two seconds, and what is in a slice counts until the whole
 * of it is older than a minute: never is more let through in any 60 seconds than the limit, and what was let through
 * counts for up to 62. A list of every call would be exact and as long as the limit is high.
 */
export const WINDOW_MS = 60_000;
export const SLICE_MS = 2_000;
/** The last minute, and the slice that it began in. */
export const SLICES = WINDOW_MS / SLICE_MS + 1;

/** The slice that a time is in. */
export function sliceAt(atMs: number): number {
  return Math.floor(atMs / SLICE_MS);
}

/** When what is in a slice no longer counts. */
export function sliceExpiry(slice: number): number {
  return (slice + SLICES) * SLICE_MS;
}

/** The sum of what happened in the last minute. */
export class SlidingWindow {
  readonly #amounts = new Float64Array(SLICES);
  #newest = 0;
  #sum = 0;

  /** What counts now. */
  sum(nowMs: number): number {
    this.#advance(sliceAt(nowMs));
    return this.#sum;
  }

  /** Adds to the slice of now, which the sum was asked for before. */
  add(amount: number): void {
    this.#change(this.#newest, amount);
  }

  /** Takes back what was added at a time, where that still counts. */
  takeBack(amount: number, atMs: number, nowMs: number): void {
    this.#advance(sliceAt(nowMs));
    // A clock that was set back put it into the newest slice.
    const slice = Math.min(sliceAt(atMs), this.#newest);
    if (slice <= this.#newest - SLICES) return;
    const there = this.#amounts[slice % SLICES] ?? 0;
    this.#change(slice, -Math.min(amount, there));
  }

  /** Milliseconds until no more than `most` counts, if nothing is added. */
  waitMs(most: number, nowMs: number): number {
    this.#advance(sliceAt(nowMs));
    let sum = this.#sum;
    if (sum <= most) return 0;
    let slice = this.#newest - SLICES + 1;
    while (sum > most && slice < this.#newest) {
      sum -= this.#amounts[slice % SLICES] ?? 0;
      if (sum <= most) break;
      slice += 1;
    }
    return Math.max(0, sliceExpiry(slice) - nowMs);
  }

  #change(slice: number, amount: number): void {
    this.#amounts[slice % SLICES] = (this.#amounts[slice % SLICES] ?? 0) + amount;
    this.#sum += amount;
  }

  #advance(slice: number): void {
    const ahead = slice - this.#newest;
    if (ahead === 0) return;
    // A clock that was set back by more than a minute: what counted then says nothing about now.
    if (ahead >= SLICES || ahead <= -SLICES) {
      this.#amounts.fill(0);
      this.#sum = 0;
      this.#newest = slice;
      return;
    }
    for (let step = 0; step < ahead; step++) {
      this.#newest += 1;
      const at = this.#newest % SLICES;
      this.#sum -= this.#amounts[at] ?? 0;
      this.#amounts[at] = 0;
    }
  }
}
