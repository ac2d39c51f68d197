/** So many attempts that fail one after another say that it is the place (Envoy: `consecutive_5xx`). */
const MOST_FAILURES = 5;

/** So many clients that had waited for long, and left one after another before anything came, say so, too. One of them says nothing. */
export const MOST_LEFT = 10;

/** Of the attempts that were answered so many may break off, unless who asks says otherwise. */
const MOST_BREAKS = 0.2;

/**
 * How many attempts failed one after another. An attempt was answered with the first output of its stream, and may break off after that:
 * such breaks are counted on their own, for between any two of them there are answers.
 */
export class FailureRow {
  /** Since one was answered. */
  #failures = 0;
  /** Since an answer came to its end: those that broke off, and all that were begun. */
  #breaks = 0;
  #begun = 0;

  get isEmpty(): boolean {
    return this.#failures === 0;
  }

  /** How many there are. */
  get length(): number {
    return Math.max(this.#failures, this.#breaks);
  }

  /** An attempt is answered: whole, or with the first output of a stream. */
  answer(): void {
    this.#failures = 0;
    this.#begun += 1;
  }

  /** An answer came to its end. */
  complete(): void {
    this.#breaks = 0;
    this.#begun = 0;
  }

  /** An attempt failed; `wasAnswered`: behind the beginning of its answer. */
  fail(wasAnswered: boolean): void {
    this.#failures += 1;
    if (wasAnswered) this.#breaks += 1;
  }

  reset(): void {
    this.#failures = 0;
    this.complete();
  }

  /** `share`: of answers that were begun, and of which none has come to its end yet, so many have to have broken off. */
  isLong(share = MOST_BREAKS): boolean {
    if (this.#failures >= MOST_FAILURES) return true;
    return this.#breaks >= MOST_FAILURES && this.#breaks >= share * this.#begun;
  }
}
