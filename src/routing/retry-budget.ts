/** Further attempts that may be made before any call has earned them: where there are few calls, one that fails is tried again. */
const RESERVE = 10;

/** Of the calls, so many may be tried again. */
const SHARE = 0.2;

/**
 * Bounds how often calls are tried again where they failed: beside the reserve never more than every fifth, however long a time one
 * looks at, or retries make an outage worse. Time alone earns nothing: where there is a call now and then, it would be more than that.
 */
export class RetryBudget {
  #tokens = RESERVE;

  /** Whether one more may be sent again. */
  get isLeft(): boolean {
    // Fifths do not add up to a whole in binary.
    return this.#tokens >= 1 - 1e-9;
  }

  /** A call is sent there for the first time. */
  earn(): void {
    if (this.#tokens < RESERVE) this.#tokens = Math.min(RESERVE, this.#tokens + SHARE);
  }

  /** Whether one more may be sent again; it counts. */
  spend(): boolean {
    if (!this.isLeft) return false;
    this.#tokens -= 1;
    return true;
  }
}
