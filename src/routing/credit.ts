import type { Cooling } from './limit.ts';

/** How long others go before an account that is out of credit: twice as long after each probe that finds it so still, up to the last. */
const FIRST_REST_MS = 30_000;
const LONGEST_REST_MS = 10 * 60_000;

/** What this instance saw: the account is out of credit, or has some again. `isNews`: it was not known to be so. */
export type SeenCredit = { isSpent: boolean; isNews: boolean };

/**
 * Whether an account may still spend at its provider, as its answers say. Where it may not, other places go first, and one call now and
 * then finds out whether it was paid. One that its provider shut (`shut`) stands as one without credit. All times are monotonic milliseconds.
 */
export class Credit {
  readonly #reason: 'credit' | 'shut';
  readonly #onSeen: ((seen: SeenCredit) => void) | undefined;
  /** 0: it has credit, or another credential since it had none. */
  #restMs = 0;
  #restsUntil = 0;
  #spentMs = 0;
  /** Answers to what was sent before are of another time: it was paid since, or has another credential. */
  #sinceMs = Number.NEGATIVE_INFINITY;
  /** No call went well since it had none. */
  #isOwed = false;
  /** When the probe was sent that is under way. */
  #probedMs: number | undefined;
  #mark: string | undefined;

  constructor(onSeen?: (seen: SeenCredit) => void, reason: 'credit' | 'shut' = 'credit') {
    this.#onSeen = onSeen;
    this.#reason = reason;
  }

  /** Whose it is: tells one credential of the account from another; `undefined`: nobody has said yet. */
  get mark(): string | undefined {
    return this.#mark;
  }

  /** When the next call is to find out. */
  get restsUntil(): number {
    return this.#restsUntil;
  }

  /** Whether others go first. */
  rests(nowMs: number): boolean {
    return nowMs < this.#restsUntil;
  }

  /** `undefined` where it has credit, or the next call is to find out whether it has. */
  cooling(nowMs: number): Cooling | undefined {
    return this.rests(nowMs) ? { forMs: this.#restsUntil - nowMs, reason: this.#reason } : undefined;
  }

  /** The account has this credential. Of another one than before nothing is known. */
  follow(mark: string, nowMs: number): void {
    const isOther = this.#mark !== undefined && this.#mark !== mark;
    this.#mark = mark;
    if (isOther && this.#restMs > 0) this.#end(nowMs);
  }

  /** A call is sent: the first behind a rest is the probe, beside which none is sent. */
  begin(nowMs: number): void {
    if (this.#restMs === 0 || nowMs < this.#restsUntil) return;
    this.#probedMs = nowMs;
    this.#restsUntil = nowMs + this.#restMs;
  }

  /** The provider wants to be paid; `namedMs`: how long it wants to be left alone, where it says so. */
  spend(nowMs: number, begunMs: number, namedMs: number | undefined): void {
    if (begunMs < this.#sinceMs) return;
    const isNews = this.#restMs === 0;
    // Of others than the probe nothing is learned: they were under way, or had no other place.
    if (!isNews && !this.#isProbe(begunMs)) return;
    this.#restMs = Math.min(Math.max(this.#restMs * 2, FIRST_REST_MS), LONGEST_REST_MS);
    this.#restsUntil = nowMs + Math.max(namedMs ?? 0, this.#restMs);
    this.#probedMs = undefined;
    this.#isOwed = true;
    if (isNews) this.#spentMs = nowMs;
    this.#onSeen?.({ isSpent: true, isNews });
  }

  /** A call went well. */
  pay(nowMs: number, begunMs: number): void {
    if (!this.#isOwed || begunMs < this.#spentMs) return;
    this.#end(nowMs);
    this.#isOwed = false;
    this.#onSeen?.({ isSpent: false, isNews: true });
  }

  /** What was sent at `begunMs` says nothing: of the probe it leaves the account to the next call. */
  forget(nowMs: number, begunMs: number): void {
    if (!this.#isProbe(begunMs)) return;
    this.#probedMs = undefined;
    this.#restsUntil = nowMs;
  }

  /** Another instance found it out of credit, and leaves it alone for so long. What it finds out itself counts from there. */
  hearSpent(nowMs: number, forMs: number): void {
    if (this.#restMs === 0) this.#spentMs = nowMs;
    this.#isOwed = true;
    this.#restMs = Math.max(this.#restMs, Math.min(Math.max(forMs, FIRST_REST_MS), LONGEST_REST_MS));
    this.#restsUntil = Math.max(this.#restsUntil, nowMs + forMs);
  }

  /** Another instance was answered there. */
  hearPaid(nowMs: number): void {
    if (!this.#isOwed) return;
    this.#end(nowMs);
    this.#isOwed = false;
  }

  #end(nowMs: number): void {
    this.#restMs = 0;
    this.#restsUntil = 0;
    this.#probedMs = undefined;
    this.#sinceMs = nowMs;
  }

  #isProbe(begunMs: number): boolean {
    return this.#probedMs !== undefined && begunMs >= this.#probedMs;
  }
}
