/** Further attempts that may be made before any call has earned them: where there are few calls, one that fails is tried again. */
const RESERVE = 10;

/** A new one is earned so often by time alone: no provider feels it. */
const EARNED_EVERY_MS = 10_000;

/** Of the calls, so many may be tried again. */
const SHARE = 0.2;

/** Bounds how often calls are tried again where they failed: never more than every fifth, or retries make an outage worse. */
export class RetryBudget {
  #tokens = RESERVE;
  #earnedMs = 0;

  /** A call is sent there for the first time. */
  earn(): void {
    if (this.#tokens < RESERVE) this.#tokens = Math.min(RESERVE, this.#tokens + SHARE);
  }

  /** Whether one more may be sent again; it counts. */
  spend(nowMs: number): boolean {
    if (!this.has(nowMs)) return false;
    this.#tokens -= 1;
    return true;
  }

  /** Whether one more may be sent again. */
  has(nowMs: number): boolean {
    const earned = Math.floor((nowMs - this.#earnedMs) / EARNED_EVERY_MS);
    if (earned > 0) {
      this.#tokens = Math.min(RESERVE, this.#tokens + earned);
      this.#earnedMs += earned * EARNED_EVERY_MS;
    }
    return this.#tokens >= 1;
  }
}
