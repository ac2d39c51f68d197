import { randomUUID } from 'node:crypto';

/** As many are told apart in a millisecond. */
const COUNTS = 4096;
const COUNTS_IN_HEX = Array.from({ length: COUNTS }, (_, count) => count.toString(16).padStart(3, '0'));

/** A clock that is behind by less runs unevenly; one that is behind by more was set back, and is believed. */
const UNEVEN_MS = 1_000;

/**
 * Ids that grow, of calls and of events: a UUID of version 7 (RFC 9562, 5.7), which begins with the time, so that the indices
 * of the store grow at their ends only. What follows is drawn anew in every millisecond that has some, and those of
 * one are counted (6.2, method 1): what was made first sorts first, and no two processes make the same. They are no secrets.
 */
export class GrowingIds {
  readonly #now: () => number;
  readonly #prefix: string;
  #madeAt = -1;
  #count = 0;
  /** What stands before and behind the count. */
  #time = '';
  #random = '';

  /** `now`: Unix milliseconds, as whole numbers. `prefix`: what stands before each. */
  constructor(now: () => number, prefix = '') {
    this.#now = now;
    this.#prefix = prefix;
  }

  next(): string {
    const now = this.#now();
    const isNewer = now > this.#madeAt || now < this.#madeAt - UNEVEN_MS;
    if (isNewer) this.#begin(now);
    else if (this.#count === COUNTS) this.#begin(this.#madeAt + 1);
    const count = COUNTS_IN_HEX[this.#count];
    this.#count += 1;
    return `${this.#time}${count}${this.#random}`;
  }

  #begin(madeAt: number): void {
    const time = madeAt.toString(16).padStart(12, '0');
    this.#madeAt = madeAt;
    this.#count = 0;
    this.#time = `${this.#prefix}${time.slice(0, 8)}-${time.slice(8)}-7`;
    // The variant and the random bits stand at the same places in version 4.
    this.#random = randomUUID().slice('xxxxxxxx-xxxx-4xxx'.length);
  }
}
