import { type Demand, isShared, type Limit } from './limit.ts';

/** How much of a rate is left, for the headers of an answer. */
export interface RateLeft {
  limit: number;
  remaining: number;
}

/** What a call took of its limits, until it is settled. */
export class Reservation {
  readonly limits: readonly Limit[];
  readonly demand: Demand;
  /** Unix milliseconds: when it was taken. */
  readonly atMs: number;
  /** Of the caller's own limits the ones that leave the least. */
  requests: RateLeft | undefined;
  tokens: RateLeft | undefined;
  settled = false;
  /** The call is over: only its budgets are not settled yet. */
  ended = false;
  /** The id that it has where counters are shared; `undefined` where it is of this process alone. */
  sharedId: string | undefined;
  /** Where counters are shared all but its budgets is settled. */
  endedThere = false;
  /** Its process counted it alone at first, and its journal says so. */
  wasAlone = false;

  constructor(limits: readonly Limit[], demand: Demand, atMs: number) {
    this.limits = limits;
    this.demand = demand;
    this.atMs = atMs;
  }

  /** Notes what a limit leaves, unless tenants share it: what it leaves would tell of the others. */
  noteLeft({ kind, scope, max }: Limit, left: number): void {
    if (isShared(scope)) return;
    if (kind === 'requests') this.requests = tighter(this.requests, max, left);
    else if (kind === 'tokens') this.tokens = tighter(this.tokens, max, left);
  }
}

function tighter(known: RateLeft | undefined, limit: number, left: number): RateLeft {
  const remaining = Math.max(0, left);
  return known && known.remaining <= remaining ? known : { limit, remaining };
}

/** The limit that a call does not fit into. */
export interface Refusal {
  limit: Limit;
  /** What the call would take of it. */
  amount: number;
  /** What is left of it. */
  available: number;
  /** What calls under way hold of it, a budget: it comes back as far as they do not use it. */
  underWay: number;
  /**
   * Milliseconds until the call would fit, as far as that can be told; of a budget until its period ends. Of a call that takes more
   * than the maximum, until nothing counts any more.
   */
  waitMs: number | undefined;
  /** Unix milliseconds: when that was so. */
  atMs: number;
}

/** What a call used in the end. */
export interface Used {
  /** The call itself is one, whatever became of it; 0 where it is to be as if it had never been. */
  calls: 0 | 1;
  tokens: number;
  nanoUsd: number;
}

export const USED_NOTHING: Used = Object.freeze({ calls: 1, tokens: 0, nanoUsd: 0 });
export const VOID: Used = Object.freeze({ calls: 0, tokens: 0, nanoUsd: 0 });

/** Counters of tokens and money are none of what can cost nothing. */
export function concerns(limit: Limit, demand: Demand): boolean {
  return demand.costs || limit.measure === 'calls';
}

export function usedOf({ measure }: Limit, used: Used): number {
  return used[measure];
}

/** What a call of a process that is no more used of a limit where it is held by its id, as its record says: a place is given back. */
export interface Spending {
  limit: Limit;
  callId: string;
  /** Unix milliseconds: when it began. */
  atMs: number;
  amount: number;
  /** It began where its process alone counted, and never ended: shared counters may have nothing of it. */
  countedAlone: boolean;
}

/**
 * Where calls are counted against limits.
 *
 * `reserve` takes what the call needs of all limits, or nothing and says which one refuses; it throws `GatewayError`
 * `overloaded` where calls may not be counted at all. `settle` never throws and never waits. Where what a call used is still being
 * counted when it is over, `end` comes first: it settles all but the budgets, by what is known then.
 */
export interface Quotas {
  reserve(
    limits: readonly Limit[],
    demand: Demand,
    callId: string,
  ): Reservation | Refusal | Promise<Reservation | Refusal>;
  settle(reservation: Reservation, used: Used): void;
  end(reservation: Reservation, used: Used): void;
  /** To be waited for before calls are let in: counters that are away delay it by two seconds at most. */
  open(): Promise<void>;
  /**
   * To be waited for before calls meet these limits: what their counters of this process were told was spent is told to whoever counts
   * with them. Never rejects.
   */
  learn(limits: readonly Limit[]): Promise<void>;
  /** To be waited for before records are stored: what they say was spent and is not counted yet is noted. Rejects where the store fails. */
  noteUncounted(): Promise<void>;
  /** What all instances noted so, by the keys of counters (`keyOf`). Rejects where the store fails. */
  sumUncounted(): Promise<ReadonlyMap<string, number>>;
  /** To be waited for before the records of calls of processes that are no more are stored. Rejects where the store fails. */
  noteRecovered(spendings: readonly Spending[]): Promise<void>;
  /** Settles such calls, each once, wherever they were left. Never rejects. */
  recover(spendings: readonly Spending[]): Promise<void>;
  /**
   * Counts what was used otherwise than by a call (a batch), by an id of its own. To be waited for; what `noteRecovered` was told of before
   * counts once in counters that instances share. Never rejects.
   */
  charge(spendings: readonly Spending[]): Promise<void>;
  close(): Promise<void>;
}
