import type { Cooling } from './limit.ts';

/** How long others go before an account that is out of credit: twice as long after each probe that finds it so still, up to the last. */
const FIRST_REST_MS = 30_000;
const LONGEST_REST_MS = 10 * 60_000;

/**
 * Whether an account may still spend at its provider, as its answers say. Where it may not, other places go first, and one call now and
 * then finds out whether it was paid. All times are monotonic milliseconds.
 */
export class Credit {
  readonly #onChange: ((isSpent: boolean) => void) | undefined;
  /** 0: it has credit. */
  #restMs = 0;
  #restsUntil = 0;
  #spentMs = 0;
  /** When the probe was sent that is under way. */
  #probedMs: number | undefined;

  constructor(onChange?: (isSpent: boolean) => void) {
    this.#onChange = onChange;
  }

  /** Whether others go first. */
  rests(nowMs: number): boolean {
    return nowMs < this.#restsUntil;
  }

  /** `undefined` where it has credit, or the next call is to find out whether it has. */
  cooling(nowMs: number): Cooling | undefined {
    return this.rests(nowMs) ? { forMs: this.#restsUntil - nowMs, reason: 'credit' } : undefined;
  }

  /** A call is sent: the first behind a rest is the probe, beside which none is sent. */
  begin(nowMs: number): void {
    if (this.#restMs === 0 || nowMs < this.#restsUntil) return;
    this.#probedMs = nowMs;
    this.#restsUntil = nowMs + this.#restMs;
  }

  /** The provider wants to be paid; `namedMs`: how long it wants to be left alone, where it says so. */
  spend(nowMs: number, begunMs: number, namedMs: number | undefined): void {
    const isNews = this.#restMs === 0;
    // Of others than the probe nothing is learned: they were under way, or had no other place.
    if (isNews || this.#isProbe(begunMs)) {
      this.#restMs = Math.min(Math.max(this.#restMs * 2, FIRST_REST_MS), LONGEST_REST_MS);
      this.#restsUntil = nowMs + Math.max(namedMs ?? 0, this.#restMs);
      this.#probedMs = undefined;
    }
    if (!isNews) return;
    this.#spentMs = nowMs;
    this.#onChange?.(true);
  }

  /** A call went well. */
  pay(begunMs: number): void {
    if (this.#restMs === 0 || begunMs < this.#spentMs) return;
    this.#restMs = 0;
    this.#restsUntil = 0;
    this.#probedMs = undefined;
    this.#onChange?.(false);
  }

  /** What was sent at `begunMs` says nothing: of the probe it leaves the account to the next call. */
  forget(nowMs: number, begunMs: number): void {
    if (!this.#isProbe(begunMs)) return;
    this.#probedMs = undefined;
    this.#restsUntil = nowMs;
  }

  #isProbe(begunMs: number): boolean {
    return this.#probedMs !== undefined && begunMs >= this.#probedMs;
  }
}
