import type { Breaker } from './breaker.ts';
import { Credit } from './credit.ts';
import { LargestLeft } from './largest-left.ts';
import { Latency } from './latency.ts';
import { type Cooling, cappedMs, Limit, type NamedFor } from './limit.ts';
import type { Headroom } from './read-headroom.ts';
import { RetryBudget } from './retry-budget.ts';
import type { Verdict } from './verdict.ts';

/**
 * What a place says about being called now. `poor`: others do better, for all that is known. `cooling`: it named the time before which
 * it is not to be called.
 */
export type Readiness = 'ready' | 'poor' | 'cooling';

export interface LaneFailure {
  nowMs: number;
  /** When the attempt was sent. */
  begunMs: number;
  /** How long the provider wants to be left alone, where it says so. */
  retryAfterMs: number | undefined;
  /** When its answer began, where it broke off behind its first output: `succeed` was told then. */
  answeredMs?: number | undefined;
}

/** Servers of an account that come and go. */
export interface RestingServers {
  /** For how long yet all of them want to be left alone; `undefined` where one does not. */
  readonly restMs: number | undefined;
}

/** Who waits for less says nothing of the place by leaving. */
const LEAST_PATIENCE_MS = 1_000;

/** How long a failure says something of the next attempt. */
const DOUBTED_MS = 5_000;

interface LaneParts {
  limit?: Limit | undefined;
  credit?: Credit | undefined;
  shut?: Credit | undefined;
  /** The provider named a later time than before. */
  onCool?: ((lane: Lane) => void) | undefined;
  /** Others go first for a while, for the provider limited it and named no time. */
  onRest?: ((lane: Lane) => void) | undefined;
  /** Makes what `counting` gives. */
  createCounting?: ((limit: Limit) => Lane) | undefined;
  countLimit?: Limit | undefined;
}

/**
 * One target at one account: the place that attempts go to, and how it does. Its own breaker is driven by its answers, that of its
 * account by whether anything can be reached there at all. Providers limit an account model by model, so a limit is a lane's. All times
 * are monotonic milliseconds.
 */
export class Lane {
  readonly target: string;
  readonly account: string;
  readonly breaker: Breaker;
  /** Of the account, shared by its lanes. */
  readonly reach: Breaker;
  readonly retries = new RetryBudget();
  /** To the first token of a stream, and to a whole answer. */
  readonly #latencies = { stream: new Latency(), whole: new Latency() };
  #wasInVain = false;
  /** When it was last seen to answer. */
  #answeredMs = Number.NEGATIVE_INFINITY;
  /** When an attempt last failed by its fault. */
  #failedMs = Number.NEGATIVE_INFINITY;
  /** When an attempt was last sent. */
  #begunMs = Number.NEGATIVE_INFINITY;
  /** Of its limits whose size is not said. */
  #largestLeft: LargestLeft | undefined;
  #headroom = 1;
  #headroomUntil = 0;
  /** Also that of the lane that was in its place before: its calls may still be told to wait. */
  readonly limit: Limit;
  /** Of the account, shared by its lanes. */
  readonly #credit: Credit;
  /** Whether its provider has shut it. */
  readonly #shut: Credit;
  readonly #onCool: ((lane: Lane) => void) | undefined;
  readonly #onRest: ((lane: Lane) => void) | undefined;
  /** Of the account, where they are looked up. */
  servers: RestingServers | undefined;
  /** Of counting tokens, as `limit` is of all else. */
  readonly countLimit: Limit;
  readonly #createCounting: ((limit: Limit) => Lane) | undefined;
  #counting: Lane | undefined;

  constructor(target: string, account: string, breaker: Breaker, reach: Breaker, parts: LaneParts = {}) {
    const { limit = new Limit(), credit = new Credit(), countLimit = new Limit() } = parts;
    const { onCool, onRest, createCounting } = parts;
    this.countLimit = countLimit;
    this.#createCounting = createCounting;
    this.limit = limit;
    this.#credit = credit;
    this.#shut = parts.shut ?? new Credit(undefined, 'shut');
    this.#onCool = onCool;
    this.#onRest = onRest;
    this.target = target;
    this.account = account;
    this.breaker = breaker;
    this.reach = reach;
  }

  /**
   * How counting tokens does there: it has limits of its own (Anthropic, "Token counting"), and is free. What it says of whether the account can be
   * reached it says of all.
   */
  get counting(): Lane | undefined {
    this.#counting ??= this.#createCounting?.(this.countLimit);
    if (this.#counting) this.#counting.servers = this.servers;
    return this.#counting;
  }

  /** When it answered last. */
  get answeredMs(): number {
    return this.#answeredMs;
  }

  /** When it was called last. */
  get begunMs(): number {
    return this.#begunMs;
  }

  /** When it may be called, by its own word: the servers of its account may have theirs. */
  get coolsUntil(): number {
    return this.limit.coolsUntil;
  }

  /** How long it is not to be called yet, by its own word or that of all of its servers. */
  coolsMs(nowMs: number): number {
    return Math.max(this.limit.coolsUntil - nowMs, this.servers?.restMs ?? 0, 0);
  }

  /** How long it is likely yet to be past its limit, too. */
  limitedMs(nowMs: number): number {
    return Math.max(this.limit.restsUntil - nowMs, this.coolsMs(nowMs));
  }

  get namedFor(): NamedFor {
    return this.servers?.restMs === undefined ? this.limit.namedFor : 'failing';
  }

  /** When it, and counting, is likely to be past its limit. */
  get limitedUntil(): number {
    const { limit, countLimit } = this;
    return Math.max(limit.coolsUntil, limit.restsUntil, countLimit.coolsUntil, countLimit.restsUntil);
  }

  /** Until when it is left alone, beside its breakers: the provider's own word goes before, else the longer time. */
  cooling(nowMs: number): Cooling | undefined {
    const namedMs = this.coolsMs(nowMs);
    if (namedMs > 0) return { forMs: namedMs, reason: 'named_time' };
    const ofLimit = this.limit.cooling(nowMs);
    const ofCredit = this.#shut.cooling(nowMs) ?? this.#credit.cooling(nowMs);
    if (!ofLimit || !ofCredit) return ofLimit ?? ofCredit;
    return ofLimit.forMs > ofCredit.forMs ? ofLimit : ofCredit;
  }

  /** Changes nothing. */
  readiness(nowMs: number): Readiness {
    if (nowMs < this.limit.coolsUntil || this.servers?.restMs !== undefined) return 'cooling';
    if (nowMs < this.limit.restsUntil || this.#credit.rests(nowMs) || this.#shut.rests(nowMs)) return 'poor';
    return this.breaker.mayTry(nowMs) && this.reach.mayTry(nowMs) ? 'ready' : 'poor';
  }

  /** Whether nothing says that it fails: not its breakers, nor that an attempt of late did, and none went well since. */
  isUndoubted(nowMs: number): boolean {
    if (this.breaker.state !== 'closed' || this.reach.state !== 'closed') return false;
    return this.#answeredMs > this.#failedMs || nowMs - this.#failedMs > DOUBTED_MS;
  }

  /** An attempt is sent. */
  begin(nowMs: number): void {
    this.#begunMs = nowMs;
    this.breaker.begin(nowMs);
    this.reach.begin(nowMs);
    this.#credit.begin(nowMs);
    this.#shut.begin(nowMs);
  }

  /**
   * How long it takes nowadays to the first token of a stream, or to a whole answer: as long at least as it lets those wait that are sent
   * there. `undefined`: not known; without end where it is or was tried, and has never answered.
   */
  latency(stream: boolean, nowMs: number): number | undefined {
    const { stream: ofStreams, whole } = this.#latencies;
    const [own, other] = stream ? [ofStreams, whole] : [whole, ofStreams];
    const waitedMs = own.waitedMs(nowMs);
    const known = own.averageMs ?? other.averageMs;
    if (known !== undefined) return Math.max(known, waitedMs ?? 0);
    const isTried = this.#wasInVain || waitedMs !== undefined || other.waitedMs(nowMs) !== undefined;
    return isTried ? Number.POSITIVE_INFINITY : undefined;
  }

  /** An attempt was sent, whose answer is waited for. */
  beginWait(stream: boolean, nowMs: number): void {
    this.#latencies[stream ? 'stream' : 'whole'].begin(nowMs);
  }

  /** It is waited for no more, for it is there (`isAnswered`), or was given up. */
  endWait(stream: boolean, isAnswered: boolean): void {
    this.#latencies[stream ? 'stream' : 'whole'].end(isAnswered);
  }

  /** It was waited for so long in vain: an attempt failed, or another one was faster. */
  noteLatencyAtLeast(stream: boolean, ms: number, nowMs: number): void {
    this.#wasInVain = true;
    this.#latencies[stream ? 'stream' : 'whole'].noteAtLeast(ms, nowMs);
  }

  noteLatency(stream: boolean, ms: number, nowMs: number): void {
    this.#latencies[stream ? 'stream' : 'whole'].note(ms, nowMs);
  }

  /** How much is left of its limits, from 0 to 1. */
  headroom(nowMs: number): number {
    return nowMs < this.#headroomUntil ? this.#headroom : 1;
  }

  /** So much is left of a limit whose size its provider does not say. Gives the most that was of late. */
  noteLeft(limit: string, left: number, nowMs: number): number {
    this.#largestLeft ??= new LargestLeft();
    return this.#largestLeft.note(limit, left, nowMs);
  }

  noteHeadroom({ share, resetMs }: Headroom, nowMs: number): void {
    this.#headroom = share;
    this.#headroomUntil = nowMs + resetMs;
  }

  /** An attempt is answered: whole, or with the first output of a stream, which may still break off. `begunMs`: when it was sent. */
  succeed(nowMs: number, begunMs: number): void {
    this.#answeredMs = nowMs;
    this.limit.passed();
    this.breaker.succeed(nowMs, begunMs);
    this.reach.succeed(nowMs, begunMs);
    this.#credit.pay(nowMs, begunMs);
    this.#shut.pay(nowMs, begunMs);
  }

  /** An answer came to its end. */
  complete(): void {
    this.breaker.complete();
  }

  fail(verdict: Verdict, failure: LaneFailure): void {
    const { nowMs, begunMs, retryAfterMs, answeredMs } = failure;
    const { says, unreachable, slow = false } = verdict;
    // Before all else: it is no probe any more that is to be forgotten.
    if (says === 'spent') {
      this.#credit.spend(nowMs, begunMs, retryAfterMs === undefined ? undefined : cappedMs(retryAfterMs));
    }
    if (says === 'shut') this.#shut.spend(nowMs, begunMs, undefined);
    if (says === 'nothing' || says === 'spent' || says === 'shut') {
      this.forget(nowMs, begunMs);
      return;
    }
    this.#credit.forget(nowMs, begunMs);
    this.#shut.forget(nowMs, begunMs);
    if (says === 'failing') {
      this.#failedMs = nowMs;
      if (unreachable) this.reach.fail(nowMs, slow, begunMs);
      else if (answeredMs === undefined) this.reach.succeed(nowMs, begunMs);
      this.breaker.fail(nowMs, slow, begunMs, answeredMs);
      // One that says when it will be well again is not asked before.
      if (retryAfterMs !== undefined) this.#wasTold(nowMs + cappedMs(retryAfterMs), 'failing');
      return;
    }
    if (answeredMs === undefined) {
      this.breaker.succeed(nowMs, begunMs);
      this.reach.succeed(nowMs, begunMs);
    }
    if (says !== 'limited') return;
    if (retryAfterMs !== undefined) this.#wasTold(nowMs + cappedMs(retryAfterMs), 'limited');
    else if (this.limit.rest(nowMs)) this.#onRest?.(this);
  }

  /** One of its servers named a time: it may be the last one that had not. */
  noteRest(): void {
    if (this.servers?.restMs !== undefined) this.#onCool?.(this);
  }

  /** What was sent at `begunMs` says nothing of the place; `overtaken`: another attempt of its call was faster. */
  forget(nowMs: number, begunMs: number, overtaken = false): void {
    this.breaker.forget(nowMs, begunMs, overtaken);
    this.reach.forget(nowMs, begunMs, overtaken);
    this.#credit.forget(nowMs, begunMs);
    this.#shut.forget(nowMs, begunMs);
  }

  /** Whether who has waited for so long has waited for a while, and for longer than is usual. */
  isLong(stream: boolean, waitedMs: number): boolean {
    const usualMs = this.#latencies[stream ? 'stream' : 'whole'].averageMs;
    return waitedMs >= Math.max(LEAST_PATIENCE_MS, 2 * (usualMs ?? 0));
  }

  /** The client of an attempt left after a long wait, before anything of an answer came. That counts, though only in great numbers. */
  leave(nowMs: number, begunMs: number): void {
    this.#wasInVain = true;
    this.breaker.leave(nowMs, begunMs);
    this.reach.forget(nowMs, begunMs, false);
    this.#credit.forget(nowMs, begunMs);
    this.#shut.forget(nowMs, begunMs);
  }

  /** Another instance was told so. */
  hearCooling(nowMs: number, forMs: number, namedFor: NamedFor): void {
    this.cool(nowMs + cappedMs(forMs), namedFor);
  }

  cool(untilMs: number, namedFor: NamedFor): void {
    this.limit.cool(untilMs, namedFor);
  }

  #wasTold(untilMs: number, namedFor: NamedFor): void {
    if (this.limit.cool(untilMs, namedFor)) this.#onCool?.(this);
  }
}
