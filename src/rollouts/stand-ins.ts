import type { Values, Whose } from './observation.ts';

/*
 * Some calls fail more often than others whoever is asked: what takes long runs into a time limit, what is large into a quota. Where few users make
 * them, the side that has those users fails more. What tells that from a candidate that is worse is what came of asking on: had the stable failed a
 * call as likely as the candidate did, with probability r, the candidate fails it and the stable answers it with at most r (1 - r), a quarter,
 * whatever r is.
 *
 * It is a test by betting as those of `rollouts/wealth.ts` are. A candidate may turn bad late, and be asked by nobody but one user then: a part of what is left is
 * staked anew at every call, so that some twenty calls are enough whenever that is. Source: Herbster and Warmuth, "Tracking the best expert" (1998).
 */

/** What a call of the candidate multiplies the stake of a bet by: where the candidate answered it. */
const ANSWERED = [0.1, 0.5, 0.9, 0.99, 0.998] as const;
/** Where the one that was asked next failed it as well: the same by so much. */
const FAILED_AS_WELL = 0.25;

/**
 * For each bet, what it wins where the candidate failed and the stable answered. `a` is what is left where the candidate answered, `c` where both failed: the mean,
 * (1 - r) a + r (1 - r) b + r² c, is 1 at the most for every r.
 */
const STOOD_IN = ANSWERED.map((a) => 2 - a + 2 * Math.sqrt((1 - a) * (1 - FAILED_AS_WELL * a)));

/** Of the n-th call so much is staked anew: 1 of n and this. */
const SLOWNESS = 50;
/** More evidence than this is not told apart. */
const MOST = 1e12;

export interface StandInsState {
  /** Calls of the candidate whose users have their sides by chance. */
  calls: number;
  /** What each bet has come to, and last what is kept from all of them. */
  stakes: number[];
}

/** Whether the stable answers calls that the candidate fails, the very same ones. */
export class StandIns {
  #stakes: number[];
  #calls: number;

  constructor(state?: StandInsState) {
    this.#stakes = [...(state?.stakes ?? [...ANSWERED.map(() => 0), 1])];
    this.#calls = state?.calls ?? 0;
  }

  get state(): StandInsState {
    return { calls: this.#calls, stakes: [...this.#stakes] };
  }

  /** Of copies, of which the stable has answered each as well, there are none. */
  get calls(): number {
    return this.#calls;
  }

  /** How likely so much is of a candidate that is as good, at the most. */
  get chance(): number {
    return Math.min(1, 1 / this.#total);
  }

  observe({ side, user }: Whose, { failed, next }: Pick<Values, 'failed' | 'next'>): void {
    if (side !== 'candidate' || user === undefined || failed === undefined) return;
    this.#calls += 1;
    if (!failed) this.#bet(ANSWERED);
    else if (next === 'answered') this.#bet(STOOD_IN);
    else if (next === 'failed') this.#bet(ANSWERED.map((a) => a * FAILED_AS_WELL));
  }

  get #total(): number {
    return this.#stakes.reduce((total, stake) => total + stake, 0);
  }

  #bet(factors: readonly number[]): void {
    const anew = 1 / (this.#calls + SLOWNESS);
    const each = (anew * this.#total) / this.#stakes.length;
    this.#stakes = this.#stakes.map((stake, place) =>
      Math.min(MOST, ((1 - anew) * stake + each) * (factors[place] ?? 1)),
    );
  }
}
