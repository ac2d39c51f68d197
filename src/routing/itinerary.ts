import type { Readiness } from './lane.ts';
import type { NamedFor } from './limit.ts';
import { answeredLately, isLikelier, type Stop } from './stop.ts';
import type { Verdict } from './verdict.ts';

export interface ItineraryOptions<S extends Stop> {
  /** Further attempts after the first. */
  retries: number;
  /** How long the call waits in all for a place to be back, where all that is left are down. */
  recoveryMs?: number;
  /** From 0 to 1, without 1. */
  random: () => number;
  /** What else a stop may say, right before it is called: whether its credential may be tried. */
  mayTry: (stop: S) => boolean;
}

/** What comes next: an attempt, now or after a pause. */
export interface Next<S extends Stop> {
  stop: S;
  waitMs: number;
}

interface Waiting<S> {
  stop: S;
  /** The call was there before. */
  wasTried: boolean;
  /** The call was there, and has neither paused since nor taken it from the retry budget of the place. */
  isRepeat: boolean;
  /** What it met there was a limit. */
  wasLimited: boolean;
  /** Who is answered there later than that is answered behind this call's failure. */
  failedMs: number;
}

/** What was last said to come after a pause. */
interface Pending<S> extends Waiting<S> {
  /** The pause is one for a limit to pass. */
  isForLimit: boolean;
}

/** Pauses before an attempt at the same place: up to this, twice as much each time, all of it by chance ("full jitter"). */
const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 5_000;

/** A call waits so long in all for limits to pass that are the only thing in its way. Who would wait longer is told to. */
const LONGEST_WAIT_MS = 2_000;

/** So often at least a call looks whether a place is back that it waits for, and twice as often at most. */
const LOOK_MS = 500;

/** As long as a breaker leaves a place alone that does not hang. */
const RESTED_MS = 2_000;

/**
 * Where a call goes, one attempt after the other: first every place once, best first; then those again whose failure may pass,
 * after a pause, within their retry budgets; and, where nothing else is left, one that was passed over, for want of a better one; of
 * further ones as many as their retry budgets have. No place is called before the time that it named.
 */
export class Itinerary<S extends Stop> {
  readonly #options: ItineraryOptions<S>;
  #fresh: S[];
  /** Passed over: others do better. */
  #poor: S[] = [];
  /** Targets of which one was tried all the same. */
  readonly #desperate = new Set<string>();
  #again: Waiting<S>[] = [];
  #pending: Pending<S> | undefined;
  /** Places that wanted to be left alone. */
  readonly #cooling: S[] = [];
  /** Those that were limited anew when the wait for them was over: another wait may end so, too. */
  readonly #inVain: S[] = [];
  /** How long limits were waited for, with the pauses behind them. */
  #waitedMs = 0;
  /** How long it may yet be waited for a place to be back. */
  #recoveryLeftMs: number;
  #sent = 0;
  /** Attempts at places where the call had been. */
  #repeats = 0;
  /** Put before all others: its call was counted there before. */
  #unearned: S | undefined;

  constructor(stops: readonly S[], options: ItineraryOptions<S>) {
    this.#fresh = [...stops];
    this.#options = options;
    this.#recoveryLeftMs = options.recoveryMs ?? 0;
  }

  /** In how many milliseconds the first of those that were passed over because of the times that they named may be called. */
  coolsMs(nowMs: number): number | undefined {
    let first: number | undefined;
    for (const { lane } of this.#cooling)
      first = Math.min(first ?? Number.POSITIVE_INFINITY, lane?.coolsMs(nowMs) ?? 0);
    return first;
  }

  /** What these named their times for: `undefined` where some limit our calls, and others fail. */
  get namedFor(): NamedFor | undefined {
    const all = new Set(this.#cooling.map(({ lane }) => lane?.namedFor ?? 'limited'));
    const [one] = all;
    return all.size === 1 ? one : undefined;
  }

  /** What to try next; where it is to wait, `arrive` says whether it still may be tried when that is over. */
  next(nowMs: number): Next<S> | undefined {
    if (this.#sent > this.#options.retries) return undefined;
    for (let stop = this.#fresh.shift(); stop; stop = this.#fresh.shift()) {
      if (!this.#isGoodEnough(untried(stop), nowMs)) this.#poor.push(stop);
      else if (this.#isReady(stop, nowMs) && this.#options.mayTry(stop)) {
        if (stop === this.#unearned) this.#unearned = undefined;
        else stop.lane?.retries.earn();
        return this.#send(stop, nowMs);
      }
    }
    this.#sortOut(nowMs);
    const next = this.#nextFree(nowMs) ?? this.#nextAgain(nowMs);
    return next ?? (this.#recoveryLeftMs > 0 ? this.#nextRested(nowMs) : this.#nextPoor(nowMs));
  }

  /**
   * How long to wait before `next` is asked again, where it gave nothing but a place may be back in the time that the call has for that;
   * `undefined`: that is over, or no place is left.
   */
  recoveryPauseMs(): number | undefined {
    const { retries, random } = this.#options;
    const isAnyLeft = this.#fresh.length + this.#poor.length + this.#again.length > 0;
    if (this.#recoveryLeftMs <= 0 || this.#sent > retries || !isAnyLeft) return undefined;
    const pauseMs = Math.min((LOOK_MS / 2) * (1 + random()), this.#recoveryLeftMs);
    this.#recoveryLeftMs -= pauseMs;
    return pauseMs;
  }

  /** No place is waited for to be back any more. */
  endRecovery(): void {
    this.#recoveryLeftMs = 0;
  }

  /**
   * A place for an attempt beside the one that is under way at another: one that is ready at once and was not tried, rather of another
   * target. It is one of the further attempts, and is made also where there were to be none.
   */
  beside(nowMs: number, underWay: S): S | undefined {
    const isReady = (stop: S) =>
      (stop.lane?.readiness(nowMs) ?? 'ready') === 'ready' && this.#options.mayTry(stop);
    const isElsewhere = ({ target }: S) => target.name !== underWay.target.name;
    const stop = this.#fresh.find((one) => isElsewhere(one) && isReady(one)) ?? this.#fresh.find(isReady);
    if (!stop) return undefined;
    this.#fresh.splice(this.#fresh.indexOf(stop), 1);
    stop.lane?.retries.earn();
    return this.#send(stop, nowMs).stop;
  }

  /** The pause is over. */
  arrive({ stop, waitMs }: Next<S>, nowMs: number): boolean {
    const { wasTried = false, wasLimited = false, isForLimit = false } = this.#pending ?? {};
    if (isForLimit) this.#waitedMs += waitMs;
    const readiness = stop.lane?.readiness(nowMs) ?? 'ready';
    if (readiness === 'ready') {
      if (!wasTried) stop.lane?.retries.earn();
      stop.lane?.begin(nowMs);
      return true;
    }
    // It has become another's: what waited for it goes on as if it had not.
    this.#sent -= 1;
    const { failedMs = Number.NEGATIVE_INFINITY } = this.#pending ?? {};
    const waiting = { stop, wasTried, wasLimited, isRepeat: false, failedMs };
    if (readiness === 'cooling') this.#leaveAlone(waiting);
    else this.#again.push(waiting);
    if (isForLimit) this.#inVain.push(stop);
    return false;
  }

  /** Puts a stop before all others: the same place with its other credential, which costs no further attempt. */
  prepend(stop: S): void {
    this.#sent -= 1;
    this.#unearned = stop;
    this.#fresh.unshift(stop);
  }

  /** Whether the retry budget of a place has an attempt at another of its servers, which would leave one for each other target that is ready. */
  canSpare({ target, lane }: S, nowMs: number): boolean {
    if (lane?.retries.isLeft === false) return false;
    const others = new Set<string>();
    for (const { target: other, lane: its } of this.#fresh) {
      const isReady = (its?.readiness(nowMs) ?? 'ready') === 'ready';
      if (isReady && other.name !== target.name) others.add(other.name);
    }
    return this.#options.retries + 1 - this.#sent > others.size;
  }

  /** Goes on at another server of the same place: one attempt more, unless there was no connection to the one before. */
  goOnAt(stop: S, isFree: boolean): void {
    if (isFree) this.#sent -= 1;
    else stop.lane?.retries.spend();
    this.#unearned = stop;
    this.#fresh.unshift(stop);
  }

  /** Leads elsewhere: other targets, for what none of the others takes. */
  divert(stops: readonly S[]): void {
    // It is no retry: the call is tried there for the first time.
    if (stops.length > 0) this.#sent = Math.min(this.#sent, this.#options.retries);
    this.#fresh = [...stops];
    this.#again.length = 0;
    this.#poor.length = 0;
  }

  /** From now on only these places are for the call. */
  keepOnly(isPlace: (stop: S) => boolean): void {
    this.#fresh = this.#fresh.filter(isPlace);
    this.#again = this.#again.filter(({ stop }) => isPlace(stop));
    this.#poor = this.#poor.filter(isPlace);
  }

  /** The attempt was not made, or says nothing: it does not count. */
  takeBack(): void {
    this.#sent -= 1;
  }

  failed(stop: S, verdict: Verdict): void {
    const wasLimited = verdict.says === 'limited';
    const failedMs = stop.lane?.begunMs ?? Number.NEGATIVE_INFINITY;
    if (verdict.again) this.#again.push({ stop, wasTried: true, isRepeat: true, wasLimited, failedMs });
    if (verdict.says === 'spent' || verdict.says === 'shut') {
      // That is said of all that is called at the account.
      this.keepOnly(({ lane }) => !lane || lane.reach !== stop.lane?.reach);
    }
    if (verdict.next === 'none') {
      this.divert([]);
    } else if (verdict.next === 'target') {
      const isSame = ({ target }: S) => target.name === stop.target.name;
      this.#fresh = [...this.#fresh.filter((one) => !isSame(one)), ...this.#fresh.filter(isSame)];
    }
  }

  /** While a place may be back, the last of its further attempts is for one that is. */
  get #holdsLast(): boolean {
    return this.#recoveryLeftMs > 0 && this.#sent > 0 && this.#sent === this.#options.retries;
  }

  #isGoodEnough({ stop: { lane }, wasTried, wasLimited, failedMs }: Waiting<S>, nowMs: number): boolean {
    if (!this.#holdsLast || !lane) return true;
    if (!lane.isUndoubted(nowMs) || lane.readiness(nowMs) !== 'ready') return false;
    // One where the call failed is the last choice, though others have been answered there since.
    const isLastChoice = this.#fresh.length + this.#poor.length === 0;
    return !wasTried || wasLimited || (isLastChoice && lane.answeredMs > failedMs);
  }

  #isReady(stop: S, nowMs: number): boolean {
    const readiness = stop.lane?.readiness(nowMs) ?? 'ready';
    if (readiness === 'poor') this.#poor.push(stop);
    if (readiness === 'cooling') this.#leaveAlone(untried(stop));
    return readiness === 'ready';
  }

  #leaveAlone(waiting: Waiting<S>): void {
    this.#again.push(waiting);
    if (!this.#cooling.includes(waiting.stop)) this.#cooling.push(waiting.stop);
  }

  /** What was passed over for a limit may by now be passed over for its failures, and the other way round. */
  #sortOut(nowMs: number): void {
    if (this.#again.length === 0 && this.#poor.length === 0) return;
    const isNow = ({ lane }: S, readiness: Readiness) => lane?.readiness(nowMs) === readiness;
    const cooling = this.#poor.filter((stop) => isNow(stop, 'cooling'));
    const poor = this.#again.filter(({ stop, wasTried }) => !wasTried && isNow(stop, 'poor'));
    this.#poor = this.#poor.filter((stop) => !cooling.includes(stop));
    this.#again = this.#again.filter((waiting) => !poor.includes(waiting));
    for (const stop of cooling) this.#leaveAlone(untried(stop));
    for (const { stop } of poor) this.#poor.push(stop);
  }

  /** One that had to be passed over, or waited for, and is ready by now: it is called at once. */
  #nextFree(nowMs: number): Next<S> | undefined {
    const isFree = ({ lane }: S) => (lane?.readiness(nowMs) ?? 'ready') === 'ready';
    const isFreeAgain = (waiting: Waiting<S>) =>
      !waiting.isRepeat && isFree(waiting.stop) && this.#isGoodEnough(waiting, nowMs);
    for (const waiting of this.#again.filter(isFreeAgain)) {
      this.#again.splice(this.#again.indexOf(waiting), 1);
      if (!this.#options.mayTry(waiting.stop)) continue;
      if (!waiting.wasTried) waiting.stop.lane?.retries.earn();
      return this.#send(waiting.stop, nowMs);
    }
    for (const stop of this.#poor.filter((one) => isFree(one) && this.#isGoodEnough(untried(one), nowMs))) {
      this.#poor.splice(this.#poor.indexOf(stop), 1);
      if (!this.#options.mayTry(stop)) continue;
      stop.lane?.retries.earn();
      return this.#send(stop, nowMs);
    }
    return undefined;
  }

  /** The one that may be called first; a limit that passes soon is waited for. */
  #nextAgain(nowMs: number): Next<S> | undefined {
    const leftMs = Math.max(LONGEST_WAIT_MS - this.#waitedMs, 0);
    for (let soonest = this.#soonest(nowMs, leftMs); soonest; soonest = this.#soonest(nowMs, leftMs)) {
      const { waiting, limitMs } = soonest;
      const { stop, wasTried, isRepeat } = waiting;
      this.#again.splice(this.#again.indexOf(waiting), 1);
      // Last: who says yes expects the attempt to be made.
      if (!this.#options.mayTry(stop)) continue;
      if (isRepeat) stop.lane?.retries.spend();
      const isForLimit = limitMs > 0 || waiting.wasLimited;
      const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** this.#repeats, LONGEST_PAUSE_MS);
      if (wasTried) this.#repeats += 1;
      this.#sent += 1;
      this.#pending = { ...waiting, isForLimit };
      const longestMs = isForLimit ? Math.min(pauseMs, leftMs - limitMs) : pauseMs;
      const waitMs = limitMs + this.#options.random() * longestMs;
      // Without a wait nobody arrives.
      if (waitMs === 0) stop.lane?.begin(nowMs);
      return { stop, waitMs };
    }
    return undefined;
  }

  /** Of what may be called within so long, the first, with how long it is limited yet. */
  #soonest(nowMs: number, leftMs: number): { waiting: Waiting<S>; limitMs: number } | undefined {
    let soonest: { waiting: Waiting<S>; limitMs: number } | undefined;
    for (const waiting of this.#again) {
      const { lane } = waiting.stop;
      const limitMs = lane?.limitedMs(nowMs) ?? 0;
      if (limitMs > leftMs || (soonest && limitMs >= soonest.limitMs)) continue;
      if (limitMs === 0 && lane?.readiness(nowMs) === 'poor') continue;
      if (waiting.wasLimited && leftMs === 0) continue;
      if (!this.#isGoodEnough(waiting, nowMs)) continue;
      if (limitMs > 0 && this.#inVain.includes(waiting.stop)) continue;
      if (waiting.isRepeat && lane?.retries.isLeft === false) continue;
      soonest = { waiting, limitMs };
    }
    return soonest;
  }

  /**
   * While a call waits for a place to be back: one that nobody has called of late. Breakers of places that hang leave longer times between their
   * probes, so that these cost few callers their time; here nobody else has an answer for the caller.
   */
  #nextRested(nowMs: number): Next<S> | undefined {
    if (this.#holdsLast) return undefined;
    const isRested = ({ lane }: S) => lane?.limitedMs(nowMs) === 0 && nowMs - lane.begunMs >= RESTED_MS;
    const isFurther = this.#sent > 0;
    const rested = this.#poor.filter((stop) => isRested(stop) && (!isFurther || stop.lane?.retries.isLeft));
    const [first] = rested;
    if (!first) return undefined;
    const stop = rested.reduce((best, one) => (isLikelier(one, best, nowMs) ? one : best), first);
    this.#poor.splice(this.#poor.indexOf(stop), 1);
    if (!this.#options.mayTry(stop)) return this.#nextRested(nowMs);
    if (isFurther) stop.lane?.retries.spend();
    else for (const one of [stop, ...this.#poor]) one.lane?.retries.earn();
    return this.#send(stop, nowMs);
  }

  /**
   * A call that fails anyway may as well be the one that finds a place well again. One is tried so; of further ones only those of other
   * targets, and only where they answered just now or within their retry budgets: else each call would go through all that is down.
   */
  #nextPoor(nowMs: number): Next<S> | undefined {
    while (this.#poor.length > 0) {
      const stop = this.#poor.reduce((best, one) => (isLikelier(one, best, nowMs) ? one : best));
      this.#poor.splice(this.#poor.indexOf(stop), 1);
      const { lane, target } = stop;
      if (lane?.readiness(nowMs) === 'cooling' || this.#desperate.has(target.name)) continue;
      const isFurther = this.#sent > 0;
      if (isFurther && !answeredLately(stop, nowMs) && lane?.retries.isLeft === false) continue;
      if (!this.#options.mayTry(stop)) continue;
      if (isFurther) lane?.retries.spend();
      else for (const one of [stop, ...this.#poor]) one.lane?.retries.earn();
      this.#desperate.add(target.name);
      return this.#send(stop, nowMs);
    }
    return undefined;
  }

  #send(stop: S, nowMs: number): Next<S> {
    this.#sent += 1;
    stop.lane?.begin(nowMs);
    return { stop, waitMs: 0 };
  }
}

function untried<S>(stop: S): Waiting<S> {
  return { stop, wasTried: false, isRepeat: false, wasLimited: false, failedMs: Number.NEGATIVE_INFINITY };
}
