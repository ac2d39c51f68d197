/** How long others go before a limited place that does not say for how long it is: longer each time, up to the last. */
const FIRST_REST_MS = 500;
const LONGEST_REST_MS = 60_000;

/** A longer time is named by mistake, or is no matter of the rate of calls: it counts as this, so that nothing is lost for a day. */
const LONGEST_NAMED_MS = 3_600_000;

/** How long a place is left alone that names a time. */
export function cappedMs(namedMs: number): number {
  return Math.min(namedMs, LONGEST_NAMED_MS);
}

/**
 * Why a place is left alone: the provider named the time, or others go first for a while, because a 429 named none, because its account
 * is out of credit, or because its provider has shut it.
 */
export const COOLING_REASONS = ['named_time', 'rate_limited', 'credit', 'shut'] as const;

export interface Cooling {
  /** What is left of it. */
  forMs: number;
  reason: (typeof COOLING_REASONS)[number];
}

/** What its provider named a time for: it limits our calls, or it fails. */
export const NAMED_FOR = ['limited', 'failing'] as const;
export type NamedFor = (typeof NAMED_FOR)[number];

/** Until when a place wants to be left alone. What the provider said does not depend on how its breaker is configured. */
export class Limit {
  #coolsUntil = 0;
  #namedFor: NamedFor = 'limited';
  #restsUntil = 0;
  #restMs = 0;

  /** When it may be called, by its own word: monotonic milliseconds, as all here. */
  get coolsUntil(): number {
    return this.#coolsUntil;
  }

  /** What that was named for. */
  get namedFor(): NamedFor {
    return this.#namedFor;
  }

  /** When it is likely to be past its limit, where it named no time. */
  get restsUntil(): number {
    return this.#restsUntil;
  }

  /** `undefined` where it is not left alone. */
  cooling(nowMs: number): Cooling | undefined {
    if (nowMs < this.#coolsUntil) return { forMs: this.#coolsUntil - nowMs, reason: 'named_time' };
    if (nowMs < this.#restsUntil) return { forMs: this.#restsUntil - nowMs, reason: 'rate_limited' };
    return undefined;
  }

  /** Gives whether that is later than what was known. */
  cool(untilMs: number, namedFor: NamedFor): boolean {
    if (untilMs <= this.#coolsUntil) return false;
    this.#coolsUntil = untilMs;
    this.#namedFor = namedFor;
    return true;
  }

  /** Others go first for a while. Gives whether that begins now. */
  rest(nowMs: number): boolean {
    // Calls that were under way together are limited together, once.
    if (nowMs < this.#restsUntil) return false;
    this.#restMs = Math.min(Math.max(this.#restMs * 2, FIRST_REST_MS), LONGEST_REST_MS);
    this.#restsUntil = nowMs + this.#restMs;
    return true;
  }

  /** A call went well: the next rest is a short one. */
  passed(): void {
    this.#restMs = 0;
  }
}
