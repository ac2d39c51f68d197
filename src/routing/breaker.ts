import { FailureRow, MOST_LEFT } from '../upstream/failure-row.ts';

/** When a breaker opens and closes. Times in milliseconds. */
export interface BreakerOptions {
  /** Share of failed attempts, from 0 to 1, that opens it. */
  errorRate: number;
  /** Attempts within the window before the share counts. */
  minCalls: number;
  /** How far back outcomes count. */
  windowMs: number;
  /** How long nothing is sent before one attempt probes. */
  openForMs: number;
}

/**
 * A provider that fails one call in five costs fewer of them where another serves in the meantime, and no attempt beyond every fifth
 * is wasted on it.
 */
export const DEFAULT_BREAKER: Readonly<BreakerOptions> = Object.freeze({
  errorRate: 0.2,
  minCalls: 10,
  windowMs: 10_000,
  openForMs: 2_000,
});

export type BreakerState = 'closed' | 'open' | 'half-open';

export type BreakerListener = (state: BreakerState, before: BreakerState) => void;

/** The window moves in steps of a tenth of its length. */
const SLICES = 10;

/** Where probes themselves take long to fail, each costs a caller that time: they become rarer, up to this. */
const LONGEST_OPEN_MS = 60_000;

/**
 * Who found a place well that another instance said to fail does not believe that of it for so long: the other may be the one whose
 * network fails, and would stop everybody with each of its failures. Its own failures open a breaker as ever.
 */
export const DEAF_MS = 60_000;

interface Slice {
  calls: number;
  failures: number;
}

/** Whether breakers of these options do the same. */
export function isSameBreaker(one: BreakerOptions, other: BreakerOptions): boolean {
  return (
    one.errorRate === other.errorRate &&
    one.minCalls === other.minCalls &&
    one.windowMs === other.windowMs &&
    one.openForMs === other.openForMs
  );
}

/**
 * A circuit breaker: closed while attempts go well, open when too many fail, half-open while one attempt probes. All times are
 * monotonic milliseconds, given by who asks.
 */
export class Breaker {
  readonly #options: BreakerOptions;
  readonly #onChange: BreakerListener | undefined;
  readonly #slices: Slice[] = Array.from({ length: SLICES }, () => ({ calls: 0, failures: 0 }));
  readonly #sliceMs: number;
  /** Of the newest slice, counted from the clock's zero. */
  #slice = 0;
  #calls = 0;
  #failures = 0;
  /** Opens it however few calls there are: a window may never see enough. */
  readonly #row = new FailureRow();
  /** Attempts whose clients left since one was answered. */
  #left = 0;
  #state: BreakerState = 'closed';
  #openedMs = 0;
  /** The first success that its counts have. */
  #countedSinceMs: number | undefined;
  /** The attempt with whose first output it closed: when that was sent, and the pause before it. */
  #closedBy: { begunMs: number; openForMs: number } | undefined;
  /** When the probe was sent. */
  #probedMs = 0;
  #opensUntil = 0;
  #openForMs: number;
  /** Another instance said so: no failure of this one's opened it. */
  #isHearsay = false;
  #deafUntil = 0;

  constructor(options: BreakerOptions, onChange?: BreakerListener) {
    this.#options = options;
    this.#onChange = onChange;
    this.#sliceMs = options.windowMs / SLICES;
    this.#openForMs = options.openForMs;
  }

  get state(): BreakerState {
    return this.#state;
  }

  /** When an open one is to be probed. */
  get opensUntil(): number {
    return this.#opensUntil;
  }

  /** Attempts and failures within the window. */
  counts(nowMs: number): Readonly<Slice> {
    this.#roll(nowMs);
    return { calls: this.#calls, failures: this.#failures };
  }

  /** Whether an attempt may be sent now: of an open one whose time is up, one as the probe. Changes nothing. */
  mayTry(nowMs: number): boolean {
    return this.#state === 'closed' || (this.#state === 'open' && nowMs >= this.#opensUntil);
  }

  /** An attempt is sent: where `mayTry` said so of an open one, it is the probe. */
  begin(nowMs: number): void {
    if (this.#state !== 'open' || nowMs < this.#opensUntil) return;
    this.#probedMs = nowMs;
    this.#become('half-open');
  }

  /**
   * An attempt is answered: whole, or with the first output of a stream. `begunMs`: when it was sent. What was under way when the
   * breaker opened does not close it.
   */
  succeed(nowMs: number, begunMs = nowMs): void {
    if (this.#state === 'closed') {
      this.#row.answer();
      this.#left = 0;
      this.#countedSinceMs ??= nowMs;
      this.#roll(nowMs);
      this.#calls += 1;
      this.#current.calls += 1;
      return;
    }
    if (begunMs < this.#openedMs) return;
    if (this.#isHearsay) this.#deafUntil = nowMs + DEAF_MS;
    const openForMs = this.#openForMs;
    this.close();
    this.#closedBy = { begunMs, openForMs };
  }

  /** An answer came to its end. */
  complete(): void {
    this.#row.complete();
  }

  /**
   * `slow`: it took a time-out to fail. `answeredMs`: when `succeed` was told of it, where its answer broke off: of an attempt what became
   * of it in the end counts.
   */
  fail(nowMs: number, slow: boolean, begunMs = nowMs, answeredMs?: number): void {
    if (this.#state === 'half-open') {
      if (begunMs < this.#openedMs) return;
      this.#isHearsay = false;
      this.#reopen(nowMs, slow);
      return;
    }
    // With its first output the probe had not gone well yet.
    if (answeredMs !== undefined && this.#state === 'closed' && begunMs === this.#closedBy?.begunMs) {
      this.#openForMs = this.#closedBy.openForMs;
      this.#reopen(nowMs, true);
      return;
    }
    this.#roll(nowMs);
    if (answeredMs !== undefined) this.#takeBack(answeredMs);
    this.#row.fail(answeredMs !== undefined);
    this.#calls += 1;
    this.#failures += 1;
    this.#current.calls += 1;
    this.#current.failures += 1;
    if (this.#state === 'closed' && this.#isTooMuch()) this.open(nowMs, nowMs + this.#openForMs);
  }

  /**
   * What was sent at `begunMs` says nothing: a probe leaves the breaker to the next one, at once, or, where another attempt overtook it,
   * after a pause: of a place that hangs each probe is overtaken.
   */
  forget(nowMs: number, begunMs: number, overtaken: boolean): void {
    if (this.#state !== 'half-open' || begunMs < this.#probedMs) return;
    if (overtaken) this.#reopen(nowMs, true);
    else this.open(nowMs, nowMs);
  }

  /**
   * The client of an attempt that was sent at `begunMs` waited for long, and left before anything came. One says nothing of the place; many
   * do, and so does a probe behind them.
   */
  leave(nowMs: number, begunMs: number): void {
    this.#left += 1;
    const isMuch = this.#left >= MOST_LEFT;
    if (this.#state !== 'closed') this.forget(nowMs, begunMs, isMuch);
    else if (isMuch) this.open(nowMs, nowMs + this.#openForMs);
  }

  #reopen(nowMs: number, slow: boolean): void {
    this.#openForMs = slow ? Math.min(this.#openForMs * 2, LONGEST_OPEN_MS) : this.#options.openForMs;
    this.open(nowMs, nowMs + this.#openForMs);
  }

  open(nowMs: number, untilMs: number): void {
    if (this.#state === 'closed') this.#openedMs = nowMs;
    this.#opensUntil = untilMs;
    this.#become('open');
  }

  close(): void {
    this.#reset();
    this.#become('closed');
  }

  /**
   * Another instance opened its own. Nobody is told of it a second time. One that is open already goes by its own probes: where each
   * failure of another put them off, it would never send one.
   */
  hearOpened(nowMs: number, untilMs: number): void {
    if (this.#state !== 'closed' || nowMs < this.#deafUntil) return;
    this.#openedMs = nowMs;
    this.#opensUntil = untilMs;
    this.#isHearsay = true;
    this.#state = 'open';
  }

  /** A probe of another instance went well. */
  hearClosed(): void {
    if (this.#state === 'closed') return;
    this.#reset();
    this.#state = 'closed';
  }

  /** What was counted as a success at that time, where that still counts, was none. */
  #takeBack(answeredMs: number): void {
    const slice = Math.floor(answeredMs / this.#sliceMs);
    const isCounted = this.#countedSinceMs !== undefined && answeredMs >= this.#countedSinceMs;
    if (!isCounted || slice <= this.#slice - SLICES) return;
    const counted = this.#slices[slice % SLICES] as Slice;
    if (counted.calls <= counted.failures) return;
    counted.calls -= 1;
    this.#calls -= 1;
  }

  #reset(): void {
    this.#isHearsay = false;
    this.#closedBy = undefined;
    this.#countedSinceMs = undefined;
    this.#openForMs = this.#options.openForMs;
    this.#left = 0;
    this.#row.reset();
    this.#calls = 0;
    this.#failures = 0;
    for (const slice of this.#slices) {
      slice.calls = 0;
      slice.failures = 0;
    }
  }

  #isTooMuch(): boolean {
    const { minCalls, errorRate } = this.#options;
    if (this.#row.isLong(errorRate)) return true;
    return this.#calls >= minCalls && this.#failures >= errorRate * this.#calls;
  }

  #become(state: BreakerState): void {
    const before = this.#state;
    if (state === before) return;
    this.#state = state;
    this.#onChange?.(state, before);
  }

  get #current(): Slice {
    // Its index is within bounds: the list has that many.
    return this.#slices[this.#slice % SLICES] as Slice;
  }

  #roll(nowMs: number): void {
    const slice = Math.floor(nowMs / this.#sliceMs);
    if (slice === this.#slice) return;
    const gone = Math.min(slice - this.#slice, SLICES);
    for (let index = 0; index < gone; index += 1) {
      const old = this.#slices[(slice - index) % SLICES] as Slice;
      this.#calls -= old.calls;
      this.#failures -= old.failures;
      old.calls = 0;
      old.failures = 0;
    }
    this.#slice = slice;
  }
}
