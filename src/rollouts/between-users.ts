import type { Side } from './comparisons.ts';

/*
 * Users stay on their side, so calls are not shared out one by one: what differs between sides may be what differs between their users. A test over
 * calls alone takes that for a difference of the releases, the surer the more each user calls. This one goes by users: a difference counts for no
 * more than what chance would make of users who are as unlike as those that were seen.
 *
 * Sources: the ratio estimator's variance over clusters, Cochran, "Sampling techniques" (1977), 6.4, and Kish, "Survey sampling" (1965), for what clusters
 * of different sizes are worth; the degrees of freedom of Welch (1947); the tail of Student's distribution by Wallace, "Bounds on normal approximations to
 * Student's and the chi-square distributions" (1959), and that of the normal one by Pollak, "A remark on 'Elementary inequalities for Mills' ratio'" (1956).
 */

/** So many groups of users a side: what is kept is as long however many users there are. */
const GROUPS = 32;

/** Once the candidate has had so many calls, all that was counted weighs half: what turns bad late is to show. */
const REMEMBERED_CALLS = 2_000;

/** By group: how many calls, and what they came to together. */
interface Groups {
  calls: number[];
  sums: number[];
}

export interface BetweenUsersState {
  stable: Groups;
  candidate: Groups;
  /** The group of the next call that is of no user. */
  next: number;
  /** Of the stable's, those that may be taken back yet; absent where there are none. */
  open?: Groups;
}

/** What one side's groups say of its mean. */
interface Estimate {
  calls: number;
  mean: number;
  /** How far its users lie apart: the variance of its mean, times its calls. */
  apart: number;
  /** As many groups of one size are worth as much. */
  groups: number;
}

/** What happens or does not is 1 or 0: how far calls of one user lie apart is known by how often it happens. */
export type ValueKind = 'happened' | 'amount';

/** Whether values are higher on the candidate's side than who its users are explains. */
export class BetweenUsers {
  readonly #state: BetweenUsersState;
  readonly #kind: ValueKind;

  constructor(kind: ValueKind, state?: BetweenUsersState) {
    this.#kind = kind;
    this.#state = structuredClone(state ?? { stable: noCalls(), candidate: noCalls(), next: 0 });
  }

  get state(): BetweenUsersState {
    return structuredClone(this.#state);
  }

  /** @param user a hash, below 2³²; `undefined` of a call whose side had nothing to do with whose it was */
  add(side: Side, user: number | undefined, value: number): void {
    const state = this.#state;
    if (user === undefined) state.next += 1;
    const group = (user ?? state.next) % GROUPS;
    count(state[side], group, 1, value);
    if (side === 'stable') {
      state.open ??= noCalls();
      count(state.open, group, 1, value);
    }
    if (side === 'candidate' && sum(state.candidate.calls) > REMEMBERED_CALLS) this.#forgetHalf();
  }

  /** What was added until now stays. */
  settle(): void {
    delete this.#state.open;
  }

  /** What was added of the stable since then was never added. */
  takeBack(): void {
    const { stable, open } = this.#state;
    open?.calls.forEach((calls, group) => {
      count(stable, group, -calls, -(open.sums[group] ?? 0));
    });
    this.settle();
  }

  /** How likely so much higher a candidate is by its users alone, at the most; 1 where nothing can be said of so few. */
  get chance(): number {
    const [stable, candidate] = [estimate(this.#state.stable), estimate(this.#state.candidate)];
    if (!stable || !candidate || candidate.mean <= stable.mean) return 1;
    const noise = this.#kind === 'happened' ? noiseOf : () => 0;
    return Math.max(tailOf(stable, candidate, noise), leastChance(stable.groups, candidate.groups));
  }

  #forgetHalf(): void {
    for (const { calls, sums } of [this.#state.stable, this.#state.candidate]) {
      for (const list of [calls, sums]) for (const at of list.keys()) list[at] = (list[at] ?? 0) / 2;
    }
  }
}

function noCalls(): Groups {
  return { calls: new Array(GROUPS).fill(0), sums: new Array(GROUPS).fill(0) };
}

function count({ calls: counts, sums }: Groups, group: number, calls: number, value: number): void {
  counts[group] = (counts[group] ?? 0) + calls;
  sums[group] = (sums[group] ?? 0) + value;
}

/** `undefined` of fewer than two groups, which tell nothing of how users differ. */
function estimate({ calls, sums }: Groups): Estimate | undefined {
  const total = sum(calls);
  const groups = total === 0 ? 0 : total ** 2 / sum(calls.map((count) => count ** 2));
  if (groups < 1.5) return undefined;
  const mean = sum(sums) / total;
  const apart = sum(sums.map((value, group) => (value - mean * (calls[group] ?? 0)) ** 2));
  return { calls: total, mean, apart: (apart / total) * (groups / (groups - 1)), groups };
}

/** How far calls lie apart of which something happens to this share, by call. */
function noiseOf(share: number): number {
  return share * (1 - share);
}

/**
 * The probability of so large a difference.
 *
 * @param noise how far the calls of users who are all alike lie apart at a mean, where that says it; else 0
 */
function tailOf(stable: Estimate, candidate: Estimate, noise: (mean: number) => number): number {
  const calls = stable.calls + candidate.calls;
  // As it would be if both sides were alike.
  const common = noise((stable.mean * stable.calls + candidate.mean * candidate.calls) / calls);
  const [ofStable, ofCandidate] = [stable, candidate].map((side) => {
    const unlike = unlikeness(side, side === stable ? candidate : stable, noise);
    return (unlike + common) / side.calls;
  }) as [number, number];
  const variance = ofStable + ofCandidate;
  if (variance === 0) return 0;
  const freedom =
    variance ** 2 / (ofStable ** 2 / (stable.groups - 1) + ofCandidate ** 2 / (candidate.groups - 1));
  const squared = (candidate.mean - stable.mean) ** 2 / variance;
  const shrunk = ((8 * freedom + 1) / (8 * freedom + 3)) ** 2 * freedom;
  return normalTail(Math.sqrt(shrunk * Math.log1p(squared / freedom)));
}

/**
 * How far a side's users lie apart, by call, beyond the noise of their calls. Few users may be alike by chance, and those of all are no less unlike
 * for it: by call, users lie apart as much on either side where their side came by chance.
 */
function unlikeness(side: Estimate, other: Estimate, noise: (mean: number) => number): number {
  const [own, others] = [side, other].map(({ apart, mean }) => Math.max(0, apart - noise(mean))) as [
    number,
    number,
  ];
  const freedom = side.groups + other.groups - 2;
  return Math.max(own, (own * (side.groups - 1) + others * (other.groups - 1)) / freedom);
}

/** At the most. */
function normalTail(z: number): number {
  return (Math.exp((-z * z) / 2) * Math.sqrt(2 / Math.PI)) / (z + Math.sqrt(z * z + 8 / Math.PI));
}

/** The candidate's groups could have been any others of all there are, as likely: nothing is surer than that. */
function leastChance(stable: number, candidate: number): number {
  const [others, own] = [Math.round(stable), Math.round(candidate)];
  let chance = 1;
  for (let place = 1; place <= own; place++) chance *= place / (others + place);
  return chance;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
