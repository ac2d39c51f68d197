import { BetweenUsers, type BetweenUsersState, type ValueKind } from './between-users.ts';
import { Wealth, type WealthState } from './wealth.ts';

/** Who answers a call while a rollout is under way. */
export type Side = 'stable' | 'candidate';

/** How much worse a candidate may be than what a bet is made for: ratios of odds. */
const ODDS_RATIOS = [2, 4, 9] as const;
/** Shares of the stake that are put on one block. */
const STAKES = [0.05, 0.1, 0.2, 0.4, 0.7, 0.95] as const;

/** So many calls. */
export interface Tally {
  calls: number;
  /** Of them, or the sum of what they came to. */
  sum: number;
}

interface Tallies {
  stable: Tally;
  candidate: Tally;
}

export interface ComparisonState {
  open: Tallies;
  all: Tallies;
  wealth: WealthState;
  /** Absent in what an earlier version stored. */
  users?: BetweenUsersState;
}

function noTallies(): Tallies {
  return { stable: { calls: 0, sum: 0 }, candidate: { calls: 0, sum: 0 } };
}

/**
 * Calls in blocks that hold both sides, each as short as can be, so that both are compared over the same time: an hour that is bad for
 * everyone is no evidence against one of them.
 */
abstract class Comparison {
  protected readonly wealth: Wealth;
  protected readonly all: Tallies;
  readonly #users: BetweenUsers;
  #open: Tallies;

  constructor(kind: ValueKind, sizes: number, state: ComparisonState | undefined) {
    this.wealth = new Wealth(sizes, state?.wealth);
    this.all = structuredClone(state?.all ?? noTallies());
    this.#open = structuredClone(state?.open ?? noTallies());
    this.#users = new BetweenUsers(kind, state?.users);
  }

  get state(): ComparisonState {
    return {
      ...structuredClone({ open: this.#open, all: this.all }),
      ...{ wealth: this.wealth.state, users: this.#users.state },
    };
  }

  /** The natural logarithm of the evidence that the candidate is worse. */
  get log(): number {
    return this.wealth.log;
  }

  /** How likely it is that the candidate is worse by who its users are, at the most. */
  get chanceByUsers(): number {
    return this.#users.chance;
  }

  /** Calls of each side, and what they came to together. */
  get totals(): Readonly<Tallies> {
    return this.all;
  }

  /** @param badness the value where more is worse, its negative where less is */
  protected tally(side: Side, value: number, user: number | undefined, badness = value): void {
    this.#users.add(side, user, badness);
    const open = this.#open;
    open[side].calls += 1;
    open[side].sum += value;
    if (open.stable.calls === 0 || open.candidate.calls === 0) return;
    this.bet(open);
    for (const one of ['stable', 'candidate'] as const) {
      this.all[one].calls += open[one].calls;
      this.all[one].sum += open[one].sum;
    }
    this.#open = noTallies();
    this.#users.settle();
  }

  /** The stable's calls since the last block say nothing. */
  takeBackStable(): void {
    this.#open.stable = { calls: 0, sum: 0 };
    this.#users.takeBack();
  }

  protected abstract bet(block: Tallies): void;
}

/**
 * Whether something happens to more of the candidate's calls than of the stable's.
 *
 * Source of the factor: Turner, Ly and Grünwald, "Generic e-variables for exact sequential k-sample tests that allow for optional
 * stopping" (2024), for two streams of yes and no.
 */
export class ShareComparison extends Comparison {
  readonly #expected: number;

  /** @param expected the share that is likely for the stable, as long as little is known of it; it decides no more than how soon there is evidence */
  constructor(expected: number, state?: ComparisonState) {
    super('happened', ODDS_RATIOS.length, state);
    this.#expected = expected;
  }

  observe(side: Side, happened: boolean, user?: number): void {
    this.tally(side, happened ? 1 : 0, user);
  }

  protected override bet(block: Tallies): void {
    this.wealth.add(betOnShares(block, this.all.stable, this.#expected));
  }
}

/** As much as so many calls weighs what was expected. */
const PRIOR_CALLS = 20;

/** For each ratio of odds, what a bet on it wins by a block. `known`: the stable's calls before it. */
function betOnShares({ stable, candidate }: Tallies, known: Tally, expected: number): number[] {
  const ofStable = (known.sum + expected * PRIOR_CALLS) / (known.calls + PRIOR_CALLS);
  return ODDS_RATIOS.map((ratio) => {
    const ofCandidate = raiseOdds(ofStable, ratio);
    const ofBoth =
      (candidate.calls * ofCandidate + stable.calls * ofStable) / (candidate.calls + stable.calls);
    return logLikelihood(candidate, ofCandidate, ofBoth) + logLikelihood(stable, ofStable, ofBoth);
  });
}

function raiseOdds(share: number, ratio: number): number {
  return (ratio * share) / (1 - share + ratio * share);
}

function logLikelihood({ calls, sum }: Tally, share: number, against: number): number {
  return sum * Math.log(share / against) + (calls - sum) * Math.log((1 - share) / (1 - against));
}

/**
 * Whether a quantile of the candidate's times is more than `ratio` times the stable's: whether more of its calls take longer than
 * `ratio` times what the stable's quantile was lately.
 */
export class QuantileComparison extends Comparison {
  readonly #quantile: number;
  readonly #ratio: number;
  readonly #recent: number[];
  #coming: number[];
  /** The stable's quantile; it stays the same for a block, so that both sides meet the same. */
  #bound: number | undefined;

  constructor(quantile: number, ratio: number, state?: QuantileState) {
    super('happened', ODDS_RATIOS.length, state);
    this.#quantile = quantile;
    this.#ratio = ratio;
    this.#recent = [...(state?.recent ?? [])];
    this.#coming = [...(state?.coming ?? [])];
    this.#bound = state?.bound ?? this.#ofRecent;
  }

  override get state(): QuantileState {
    const bound = this.#bound !== undefined && { bound: this.#bound };
    return { ...super.state, recent: [...this.#recent], coming: [...this.#coming], ...bound };
  }

  observe(side: Side, value: number, user?: number): void {
    if (side === 'stable') this.#note(value);
    if (this.#bound !== undefined) this.tally(side, value > this.#boundOf(side, this.#bound) ? 1 : 0, user);
    else if (this.#coming.length >= LEARNED_CALLS) this.#setBound();
  }

  /** A call that would have taken longer than so long: of one that was given up too soon for that to say something nothing is known. */
  observeAtLeast(side: Side, value: number, user?: number): void {
    if (this.#bound !== undefined && value > this.#boundOf(side, this.#bound)) this.tally(side, 1, user);
  }

  #boundOf(side: Side, bound: number): number {
    return side === 'stable' ? bound : this.#ratio * bound;
  }

  protected override bet(block: Tallies): void {
    this.wealth.add(betOnShares(block, this.all.stable, 1 - this.#quantile));
    this.#setBound();
  }

  #note(value: number): void {
    this.#coming.push(value);
    // A block may be open for long.
    if (this.#coming.length > RECENT_CALLS) this.#coming.shift();
  }

  #setBound(): void {
    if (this.#coming.length < LEARNED_CALLS) return;
    for (const value of this.#coming) this.#recent.push(value);
    this.#coming = [];
    this.#recent.splice(0, Math.max(0, this.#recent.length - RECENT_CALLS));
    this.#bound = this.#ofRecent;
  }

  get #ofRecent(): number | undefined {
    const ordered = this.#recent.toSorted((a, b) => a - b);
    return ordered[Math.floor(this.#quantile * ordered.length)];
  }
}

export interface QuantileState extends ComparisonState {
  /** The stable's newest values, of which its quantile was taken. */
  recent: number[];
  /** Newer ones, that are too few yet; absent in what an earlier version stored. */
  coming?: number[];
  /** Its quantile, where it is known; absent in what an earlier version stored. */
  bound?: number;
}

/** Of so many calls a quantile is taken. */
const RECENT_CALLS = 200;

/**
 * Whether the candidate's amounts (costs, tokens) are more than `ratio` times the stable's, on average. An amount counts up to four
 * times the stable's mean: one monstrous call proves nothing.
 *
 * Source of the bets: Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting" (2024).
 */
export class MeanComparison extends Comparison {
  readonly #ratio: number;

  constructor(ratio: number, state?: ComparisonState) {
    super('amount', STAKES.length, state);
    this.#ratio = ratio;
  }

  observe(side: Side, amount: number, user?: number): void {
    const scaled = side === 'candidate' ? amount / this.#ratio : amount;
    // What the mean is, is learned from the first calls: they are counted, no bet is made on them.
    this.tally(side, this.#isKnown ? Math.min(scaled, this.#most) : scaled, user);
  }

  get #isKnown(): boolean {
    return this.all.stable.calls >= LEARNED_CALLS && this.all.stable.sum > 0;
  }

  get #most(): number {
    return (MOST_MEANS * this.all.stable.sum) / this.all.stable.calls;
  }

  protected override bet({ stable, candidate }: Tallies): void {
    if (!this.#isKnown) return;
    const difference = (candidate.sum / candidate.calls - stable.sum / stable.calls) / this.#most;
    this.wealth.add(STAKES.map((stake) => Math.log1p(stake * Math.max(-1, Math.min(difference, 1)))));
  }
}

const LEARNED_CALLS = 20;
const MOST_MEANS = 4;

/** Whether the candidate's scores, from 0 to 1, are lower than the stable's on average. The bets are those of `MeanComparison`; what is bounded needs no scale to be learned. */
export class ScoreComparison extends Comparison {
  constructor(state?: ComparisonState) {
    super('amount', STAKES.length, state);
  }

  observe(side: Side, score: number, user?: number): void {
    this.tally(side, score, user, -score);
  }

  protected override bet({ stable, candidate }: Tallies): void {
    const difference = stable.sum / stable.calls - candidate.sum / candidate.calls;
    this.wealth.add(STAKES.map((stake) => Math.log1p(stake * Math.max(-1, Math.min(difference, 1)))));
  }
}

/** What is held against a limit, of the candidate alone. */
abstract class Limit {
  protected readonly wealth: Wealth;
  readonly #all: Tally;

  constructor(sizes: number, state: { all: Tally; wealth: WealthState } | undefined) {
    this.wealth = new Wealth(sizes, state?.wealth);
    this.#all = structuredClone(state?.all ?? { calls: 0, sum: 0 });
  }

  get state(): { all: Tally; wealth: WealthState } {
    return structuredClone({ all: this.#all, wealth: this.wealth.state });
  }

  get log(): number {
    return this.wealth.log;
  }

  get totals(): { candidate: Readonly<Tally> } {
    return { candidate: this.#all };
  }

  protected count(value: number): void {
    this.#all.calls += 1;
    this.#all.sum += value;
  }

  /** The logarithm of what a bet wins by what its limit rules out altogether: once that is enough for any gate, no more. */
  protected winOf(isRuledOut: boolean): number {
    return isRuledOut && this.log < CERTAIN / 2 ? CERTAIN : 0;
  }
}

/** More than any gate needs, whatever its share of the mistakes is. */
const CERTAIN = Math.log(1e6);

/** Whether something happens to more than a share of all calls. */
export class LimitTest extends Limit {
  readonly #limit: number;

  /** @param limit from 0, which lets none pass, and below 1 */
  constructor(limit: number, state?: LimitTest['state']) {
    super(ODDS_RATIOS.length, state);
    this.#limit = limit;
  }

  observe(happened: boolean): void {
    this.count(happened ? 1 : 0);
    const limit = this.#limit;
    const win = this.winOf(happened);
    this.wealth.add(
      ODDS_RATIOS.map((ratio) => {
        if (limit === 0) return win;
        const share = raiseOdds(limit, ratio);
        return Math.log(happened ? share / limit : (1 - share) / (1 - limit));
      }),
    );
  }
}

/** Whether scores, from 0 to 1, are lower than a limit on average. */
export class ScoreLimitTest extends Limit {
  readonly #least: number;

  /** @param least above 0, and up to 1, which lets nothing else pass */
  constructor(least: number, state?: LimitTest['state']) {
    super(STAKES.length, state);
    this.#least = least;
  }

  observe(score: number): void {
    this.count(score);
    const least = this.#least;
    const win = this.winOf(score < 1);
    this.wealth.add(
      STAKES.map((stake) => {
        if (least === 1) return win;
        // The most that a bet can lose by one score is its stake.
        return Math.log1p(stake * Math.max(-1, (least - score) / (1 - least)));
      }),
    );
  }
}
