import { Breaker, type BreakerOptions, type BreakerState, isSameBreaker } from './breaker.ts';
import { Credit } from './credit.ts';
import type { Word } from './health-word.ts';
import { Hearsay } from './hearsay.ts';
import { Latency } from './latency.ts';
import { type Cooling, cappedMs, Limit } from './limit.ts';
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
}

interface LaneParts {
  limit?: Limit | undefined;
  credit?: Credit | undefined;
  /** The provider named a later time than before. */
  onCool?: ((lane: Lane) => void) | undefined;
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
  /** When an attempt was last sent. */
  #begunMs = Number.NEGATIVE_INFINITY;
  #headroom = 1;
  #headroomUntil = 0;
  /** Also that of the lane that was in its place before: its calls may still be told to wait. */
  readonly limit: Limit;
  /** Of the account, shared by its lanes. */
  readonly #credit: Credit;
  readonly #onCool: ((lane: Lane) => void) | undefined;

  constructor(
    target: string,
    account: string,
    breaker: Breaker,
    reach: Breaker,
    { limit = new Limit(), credit = new Credit(), onCool }: LaneParts = {},
  ) {
    this.limit = limit;
    this.#credit = credit;
    this.#onCool = onCool;
    this.target = target;
    this.account = account;
    this.breaker = breaker;
    this.reach = reach;
  }

  /** When it answered last. */
  get answeredMs(): number {
    return this.#answeredMs;
  }

  /** When it was called last. */
  get begunMs(): number {
    return this.#begunMs;
  }

  /** When it may be called, by its own word. */
  get coolsUntil(): number {
    return this.limit.coolsUntil;
  }

  /** When it is likely to be past its limit. */
  get limitedUntil(): number {
    return Math.max(this.limit.coolsUntil, this.limit.restsUntil);
  }

  /** Until when it is left alone, beside its breakers: the provider's own word goes before, else the longer time. */
  cooling(nowMs: number): Cooling | undefined {
    const ofLimit = this.limit.cooling(nowMs);
    const ofCredit = this.#credit.cooling(nowMs);
    if (!ofLimit || !ofCredit || ofLimit.reason === 'named_time') return ofLimit ?? ofCredit;
    return ofLimit.forMs > ofCredit.forMs ? ofLimit : ofCredit;
  }

  /** Changes nothing. */
  readiness(nowMs: number): Readiness {
    if (nowMs < this.limit.coolsUntil) return 'cooling';
    if (nowMs < this.limit.restsUntil || this.#credit.rests(nowMs)) return 'poor';
    return this.breaker.mayTry(nowMs) && this.reach.mayTry(nowMs) ? 'ready' : 'poor';
  }

  /** An attempt is sent. */
  begin(nowMs: number): void {
    this.#begunMs = nowMs;
    this.breaker.begin(nowMs);
    this.reach.begin(nowMs);
    this.#credit.begin(nowMs);
  }

  /**
   * How long it takes nowadays to the first token of a stream, or to a whole answer; `undefined`: not known; without end where it was
   * tried, and has never answered.
   */
  latency(stream: boolean): number | undefined {
    const { stream: ofStreams, whole } = this.#latencies;
    const known = (stream ? ofStreams : whole).averageMs ?? (stream ? whole : ofStreams).averageMs;
    return known ?? (this.#wasInVain ? Number.POSITIVE_INFINITY : undefined);
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

  noteHeadroom({ share, resetMs }: Headroom, nowMs: number): void {
    this.#headroom = share;
    this.#headroomUntil = nowMs + resetMs;
  }

  /** `begunMs`: when the attempt was sent. */
  succeed(nowMs: number, begunMs: number): void {
    this.#answeredMs = nowMs;
    this.limit.passed();
    this.breaker.succeed(nowMs, begunMs);
    this.reach.succeed(nowMs, begunMs);
    this.#credit.pay(begunMs);
  }

  fail(verdict: Verdict, { nowMs, begunMs, retryAfterMs }: LaneFailure): void {
    const { says, unreachable, slow = false } = verdict;
    // Before all else: it is no probe any more that is to be forgotten.
    if (says === 'spent') {
      this.#credit.spend(nowMs, begunMs, retryAfterMs === undefined ? undefined : cappedMs(retryAfterMs));
    }
    if (says === 'nothing' || says === 'spent') {
      this.forget(nowMs, begunMs);
      return;
    }
    this.#credit.forget(nowMs, begunMs);
    if (says === 'failing') {
      if (unreachable) this.reach.fail(nowMs, slow, begunMs);
      else this.reach.succeed(nowMs, begunMs);
      this.breaker.fail(nowMs, slow, begunMs);
      // One that says when it will be well again is not asked before.
      if (retryAfterMs !== undefined) this.#wasTold(nowMs + cappedMs(retryAfterMs));
      return;
    }
    this.breaker.succeed(nowMs, begunMs);
    this.reach.succeed(nowMs, begunMs);
    if (says !== 'limited') return;
    if (retryAfterMs === undefined) this.limit.rest(nowMs);
    else this.#wasTold(nowMs + cappedMs(retryAfterMs));
  }

  /** What was sent at `begunMs` says nothing of the place; `overtaken`: another attempt of its call was faster. */
  forget(nowMs: number, begunMs: number, overtaken = false): void {
    this.breaker.forget(nowMs, begunMs, overtaken);
    this.reach.forget(nowMs, begunMs, overtaken);
    this.#credit.forget(nowMs, begunMs);
  }

  /** Another instance was told so. */
  hearCooling(nowMs: number, forMs: number): void {
    this.cool(nowMs + cappedMs(forMs));
  }

  cool(untilMs: number): void {
    this.limit.cool(untilMs);
  }

  #wasTold(untilMs: number): void {
    if (this.limit.cool(untilMs)) this.#onCool?.(this);
  }
}

/** How a lane stands. */
export interface BreakerReading {
  target: string;
  account: string;
  state: BreakerState;
  cooling: Cooling | undefined;
}

export interface LaneChange {
  /** `undefined`: of the account. */
  target: string | undefined;
  account: string;
  provider: string;
  state: BreakerState;
  before: BreakerState;
  /** No model leads to the target: a caller has named it. */
  isNamed: boolean;
  /** When an open one is to be probed. */
  opensUntil: number;
}

/** An account is out of credit (`isSpent`), or has some again. */
export interface CreditChange {
  provider: string;
  account: string;
  isSpent: boolean;
}

/** Whose lane it is. */
export interface LaneOwner {
  provider: string;
  /** No model leads to the target: a caller has named it. */
  isNamed: boolean;
}

/** What is told is what this instance saw itself; of what it hears from others nobody is told. */
export interface LaneBookOptions {
  monotonicMs: () => number;
  onChange?: (change: LaneChange) => void;
  /** The provider named a time, or a later one, before which the lane is not to be called. */
  onCool?: (lane: Lane, owner: LaneOwner) => void;
  onCredit?: (change: CreditChange) => void;
}

/** Whose lanes they are. */
interface Place {
  provider: string;
  account: string;
  options: BreakerOptions;
  /** A model leads to the target; else a caller has named it. */
  isConfigured?: boolean;
}

/**
 * How many lanes that no config names are remembered, where none of them is limited: the targets' names come from callers. Then the
 * half goes that was not asked for for the longest time.
 */
export const MOST_LANES = 10_000;

/** All lanes of this process. They outlive snapshots: what is known of a provider does not depend on the rest of a configuration. */
export class LaneBook {
  readonly #lanes = new Map<string, Lane>();
  /** Those that models lead to, or led to. */
  readonly #configured = new Set<string>();
  /** So many of the others are too many. */
  #full = MOST_LANES;
  readonly #reaches = new Map<string, { options: BreakerOptions; breaker: Breaker }>();
  /** Of accounts. They do not depend on options. */
  readonly #credits = new Map<string, Credit>();
  readonly #options: LaneBookOptions;
  readonly #hearsay = new Hearsay();

  constructor(options: LaneBookOptions) {
    this.#options = options;
  }

  /** The lane of a target at an account of its provider. One whose options changed begins anew, but for what the provider named. */
  find(target: string, place: Place): Lane {
    const { account, isConfigured = false } = place;
    const key = `${target}\n${account}`;
    if (isConfigured) this.#configured.add(key);
    const reach = this.#reach(place);
    const known = this.#lanes.get(key);
    if (known && known.reach === reach) {
      // What is asked for again is not the oldest.
      this.#lanes.delete(key);
      this.#lanes.set(key, known);
      return known;
    }
    if (!known) this.#makeRoom();
    const breaker = this.#makeBreaker(target, place);
    const lane = new Lane(target, account, breaker, reach, {
      limit: known?.limit,
      credit: this.#credit(place),
      onCool: (cooled) => {
        const owner = { provider: place.provider, isNamed: !this.#configured.has(key) };
        this.#options.onCool?.(cooled, owner);
      },
    });
    const heard = this.#hearsay.take('lane', target, account);
    if (heard?.opensUntil !== undefined) breaker.hearOpened(heard.heardMs, heard.opensUntil);
    if (heard?.coolsUntil !== undefined) lane.cool(heard.coolsUntil);
    this.#lanes.set(key, lane);
    return lane;
  }

  /** How lanes stand; the worse of their own breaker and their account's. */
  readings(isWanted: (target: string, account: string) => boolean): BreakerReading[] {
    const wanted = [...this.#lanes.values()].filter(({ target, account }) => isWanted(target, account));
    const nowMs = this.#options.monotonicMs();
    return wanted.map((lane) => ({
      target: lane.target,
      account: lane.account,
      state: worseOf(lane.breaker.state, lane.reach.state),
      cooling: lane.cooling(nowMs),
    }));
  }

  /** How many places others spoke of that nobody has called here yet. */
  get heard(): number {
    return this.#hearsay.size;
  }

  /** What another instance says of a place, whether this one knows it yet or not. */
  hear(word: Word, nowMs: number): void {
    const key = `${word.name}\n${word.account}`;
    const lane = word.scope === 'lane' ? this.#lanes.get(key) : undefined;
    const breaker = word.scope === 'lane' ? lane?.breaker : this.#reaches.get(key)?.breaker;
    if (!breaker) this.#hearsay.keep(word, nowMs);
    else if (word.what === 'open') breaker.hearOpened(nowMs, nowMs + word.forMs);
    else if (word.what === 'closed') breaker.hearClosed();
    else lane?.hearCooling(nowMs, word.forMs);
  }

  /** As many more stay as are limited: each of them was asked, and said so. */
  #makeRoom(): void {
    if (this.#lanes.size - this.#configured.size < this.#full) return;
    const nowMs = this.#options.monotonicMs();
    let excess = this.#full / 2;
    for (const [key, { limitedUntil }] of this.#lanes) {
      if (excess <= 0) break;
      if (nowMs < limitedUntil || this.#configured.has(key)) continue;
      this.#lanes.delete(key);
      excess -= 1;
    }
    // Where most are limited, they are not gone through again for each that comes.
    this.#full = Math.max(MOST_LANES, 2 * (this.#lanes.size - this.#configured.size));
  }

  #reach(place: Place): Breaker {
    const { provider, account, options } = place;
    const key = `${provider}\n${account}`;
    const known = this.#reaches.get(key);
    if (known && isSameBreaker(known.options, options)) return known.breaker;
    const breaker = this.#makeBreaker(undefined, place);
    const heard = this.#hearsay.take('account', provider, account);
    if (heard?.opensUntil !== undefined) breaker.hearOpened(heard.heardMs, heard.opensUntil);
    this.#reaches.set(key, { options, breaker });
    return breaker;
  }

  #credit({ provider, account }: Place): Credit {
    const key = `${provider}\n${account}`;
    const known = this.#credits.get(key);
    if (known) return known;
    const credit = new Credit((isSpent) => this.#options.onCredit?.({ provider, account, isSpent }));
    this.#credits.set(key, credit);
    return credit;
  }

  #makeBreaker(target: string | undefined, { provider, account, options }: Place): Breaker {
    const { onChange } = this.#options;
    const breaker: Breaker = new Breaker(
      options,
      onChange &&
        ((state, before) => {
          const isNamed = target !== undefined && !this.#configured.has(`${target}\n${account}`);
          onChange({ target, account, provider, state, before, isNamed, opensUntil: breaker.opensUntil });
        }),
    );
    return breaker;
  }
}

/** Where one of the two is open nothing is sent, whatever the other is. */
function worseOf(one: BreakerState, other: BreakerState): BreakerState {
  if (one === 'open' || other === 'open') return 'open';
  return one === 'half-open' ? one : other;
}
