/*
 * Evidence that may be looked at after every call. A bet against a hypothesis multiplies its stake by a factor whose mean is at most 1
 * as long as the hypothesis is true; by Ville's inequality the stake then ever reaches 1/α with a probability of at most α, however
 * often it is looked at. Sources: Shafer, "Testing by betting" (2021); Ramdas et al., "Game-theoretic statistics and safe anytime-valid
 * inference" (2023).
 *
 * One stake is shared among bets of several sizes, for nobody knows how bad a bad candidate is, and among beginnings, for it may turn
 * bad late: what a long good time cost the first bets does not weigh upon those that began after it.
 */

/** After how many bets a new beginning is made. */
const BEGIN_EVERY = 200;
/** So many beginnings are kept: of more, the one that won the least is given up, which only ever lowers the evidence. */
const MOST_BEGINNINGS = 8;

/** Most candidates that are bad are so from the first call on. */
const FIRST_SHARE = 0.75;

/** As it is kept: numbers alone. */
export interface WealthState {
  bets: number;
  beginnings: { share: number; logs: number[] }[];
}

/** What a stake of 1, spread over several bets, has come to. */
export class Wealth {
  readonly #sizes: number;
  #bets: number;
  #beginnings: { share: number; logs: number[] }[];

  /** @param sizes how many bets of different sizes there are */
  constructor(sizes: number, state?: WealthState) {
    this.#sizes = sizes;
    this.#bets = state?.bets ?? 0;
    this.#beginnings = structuredClone(state?.beginnings ?? []);
  }

  get state(): WealthState {
    return structuredClone({ bets: this.#bets, beginnings: this.#beginnings });
  }

  /** @param logFactors the natural logarithm of what each bet multiplies its stake by */
  add(logFactors: readonly number[]): void {
    if (this.#bets % BEGIN_EVERY === 0) this.#begin(this.#bets / BEGIN_EVERY);
    this.#bets += 1;
    for (const { logs } of this.#beginnings) {
      for (let size = 0; size < this.#sizes; size++) logs[size] = (logs[size] ?? 0) + (logFactors[size] ?? 0);
    }
  }

  /** The natural logarithm of the whole: 0 at first, above `ln(1/α)` where the hypothesis is rejected. */
  get log(): number {
    const terms = this.#beginnings.map((beginning) => this.#logOf(beginning));
    return terms.length === 0 ? 0 : logOfSum(terms);
  }

  #begin(ordinal: number): void {
    // The shares of all beginnings that there can be add up to 1: the sum of 1/n² is π²/6.
    const share = ordinal === 0 ? FIRST_SHARE : (1 - FIRST_SHARE) * (6 / (Math.PI * ordinal) ** 2);
    this.#beginnings.push({ share, logs: new Array<number>(this.#sizes).fill(0) });
    if (this.#beginnings.length <= MOST_BEGINNINGS) return;
    // Not the newest, which have had no time to win.
    const older = this.#beginnings.slice(0, MOST_BEGINNINGS / 2).map((one) => this.#logOf(one));
    const least = older.reduce((min, log) => Math.min(min, log), Number.POSITIVE_INFINITY);
    this.#beginnings.splice(older.indexOf(least), 1);
  }

  #logOf({ share, logs }: { share: number; logs: readonly number[] }): number {
    return Math.log(share / this.#sizes) + logOfSum(logs);
  }
}

/** `ln(Σ exp(x))`, without running over. */
function logOfSum(logs: readonly number[]): number {
  const most = logs.reduce((max, log) => Math.max(max, log), Number.NEGATIVE_INFINITY);
  return most + Math.log(logs.reduce((sum, log) => sum + Math.exp(log - most), 0));
}
