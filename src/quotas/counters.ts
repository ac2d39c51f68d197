import { LIMIT_KINDS, type LimitKind } from './limit.ts';
import { PERIODS, type Period } from './period.ts';
import { SlidingWindow } from './window.ts';

/**
 * Counts what one limit is on. `take` follows an `available` of the same moment; `settle` comes once for every `take`,
 * with what was taken, what was used of it in the end, and when it was taken.
 */
export interface Counter {
  /** What may still be taken under a maximum; below 0 where more was used than reserved. */
  available(max: number, nowMs: number): number;
  take(amount: number, nowMs: number): void;
  settle(taken: number, used: number, takenAtMs: number, nowMs: number): void;
  /** Milliseconds until `amount` may be taken, as far as that can be told; of more than the maximum, until all of that may be. */
  waitMs(amount: number, max: number, nowMs: number): number | undefined;
}

/** Amounts of the last minute. What was used beyond what was taken counts from when that is known. */
export class WindowCounter implements Counter {
  #window: SlidingWindow | undefined;
  #usedAtMs = 0;

  available(max: number, nowMs: number): number {
    return this.#window ? max - this.#window.sum(nowMs) : max;
  }

  take(amount: number, nowMs: number): void {
    this.#usedAtMs = nowMs;
    if (!this.#window) {
      this.#window = new SlidingWindow();
      this.#window.sum(nowMs);
    }
    this.#window.add(amount);
  }

  settle(taken: number, used: number, takenAtMs: number, nowMs: number): void {
    if (used === taken) return;
    if (used < taken) this.#window?.takeBack(taken - used, takenAtMs, nowMs);
    else {
      this.#window?.sum(nowMs);
      this.take(used - taken, nowMs);
    }
  }

  waitMs(amount: number, max: number, nowMs: number): number | undefined {
    return this.#window?.waitMs(Math.max(max - Math.max(amount, 1), 0), nowMs) ?? 0;
  }

  /** Forgets what no longer counts, so that callers who have gone take no memory. */
  shrink(nowMs: number, idleMs: number): void {
    if (nowMs - this.#usedAtMs >= idleMs) this.#window = undefined;
  }
}

/** Calls that run. */
export class SlotCounter implements Counter {
  #running = 0;

  available(max: number): number {
    return max - this.#running;
  }

  take(): void {
    this.#running += 1;
  }

  settle(): void {
    this.#running -= 1;
  }

  /** When one of them ends, nobody knows. */
  waitMs(): undefined {}
}

/** What was spent and is reserved in the period that runs. A call belongs to the period in which it began, to its end. */
export class BudgetCounter implements Counter {
  readonly #period: Period;
  #startMs = 0;
  #endMs = 0;
  #spent = 0;
  #reserved = 0;
  #learned = 0;
  /** What counters that instances share said last. */
  #told = 0;
  #reservedElsewhere = 0;

  constructor(period: Period) {
    this.#period = period;
  }

  available(max: number, nowMs: number): number {
    this.#enter(nowMs);
    return max - this.#spent - this.#reserved - this.#reservedElsewhere;
  }

  take(amount: number, nowMs: number): void {
    // A clock that was set back into the last period: that one is over, and the settlement will find it so.
    if (nowMs >= this.#startMs) this.#reserved += amount;
  }

  settle(taken: number, used: number, takenAtMs: number): void {
    if (takenAtMs < this.#startMs) return;
    this.#reserved -= taken;
    this.#spent += used;
  }

  waitMs(_amount: number, _max: number, nowMs: number): number | undefined {
    this.#enter(nowMs);
    return this.#endMs === Number.POSITIVE_INFINITY ? undefined : this.#endMs - nowMs;
  }

  /** What was spent in the period of a moment. */
  spent(nowMs: number): number {
    this.#enter(nowMs);
    return this.#spent;
  }

  reserved(nowMs: number): number {
    this.#enter(nowMs);
    return this.#reserved;
  }

  /** The same, and what calls hold that are counted elsewhere. */
  underWay(nowMs: number): number {
    return this.reserved(nowMs) + this.#reservedElsewhere;
  }

  /** What was spent in the period of a moment, as others know it. */
  learned(atMs: number): number {
    return atMs >= this.#startMs && atMs < this.#endMs ? this.#learned : 0;
  }

  /**
   * Told what the records say: no less was spent. What is known here may be newer than they are. `uncounted`: how much of it is not in
   * the counters that instances share, and will be brought in there.
   */
  raise(spent: number, nowMs: number, uncounted = 0): void {
    this.#enter(nowMs);
    this.#spent = Math.max(this.#spent, spent);
    this.#learned = Math.max(this.#learned, spent - uncounted);
  }

  /**
   * Told by who knows better: counters that instances share. False where they say less than before: they have lost it, and
   * what is known here stays.
   */
  learn(spent: number, reservedElsewhere: number, nowMs: number): boolean {
    this.#enter(nowMs);
    if (!this.#learnSpent(spent, nowMs)) return false;
    this.#reservedElsewhere = reservedElsewhere;
    return true;
  }

  /** The same by their answer to a settlement, which they have counted. */
  learnSettled(taken: number, used: number, spent: number, takenAtMs: number): boolean {
    if (takenAtMs < this.#startMs) return true;
    this.#reservedElsewhere = Math.max(0, this.#reservedElsewhere - taken);
    if (this.#learnSpent(spent, takenAtMs)) return true;
    this.#spent += used;
    this.#learned += used;
    return false;
  }

  /** The same by their answer to what was brought in there, which may come after newer ones: no less is spent. */
  learnBrought(spent: number, atMs: number): void {
    this.#enter(atMs);
    if (atMs < this.#startMs) return;
    this.#told = Math.max(this.#told, spent);
    this.#spent = Math.max(this.#spent, spent);
    this.#learned = Math.max(this.#learned, spent);
  }

  #learnSpent(spent: number, atMs: number): boolean {
    // Of a period that is over.
    if (atMs < this.#startMs) return true;
    const isLess = spent < this.#told;
    this.#told = spent;
    if (isLess) return false;
    this.#spent = spent;
    this.#learned = spent;
    return true;
  }

  /** A call ended that is counted elsewhere, where it cannot be told now. */
  settleElsewhere(taken: number, used: number, takenAtMs: number): void {
    if (takenAtMs < this.#startMs) return;
    this.#reservedElsewhere = Math.max(0, this.#reservedElsewhere - taken);
    this.#spent += used;
  }

  #enter(nowMs: number): void {
    if (nowMs < this.#endMs) return;
    const { startMs, endMs } = PERIODS[this.#period](nowMs);
    this.#startMs = startMs;
    this.#endMs = endMs;
    this.#spent = 0;
    this.#reserved = 0;
    this.#learned = 0;
    this.#told = 0;
    this.#reservedElsewhere = 0;
  }
}

/** How often callers who have gone are looked for, and how long they must have been. */
const SWEEP_MS = 120_000;

/** All counters of this process by the ids of their limits. They outlive the configuration that made them. */
export class CounterBook {
  readonly #counters = new Map<string, Counter>();
  #sweptAtMs = 0;
  /** Tells tenants of one name apart, which share no counters: 0 for the first, any other number for a later one. */
  readonly lifeOf: (tenant: string) => number;

  constructor(lifeOf: CounterBook['lifeOf'] = () => 0) {
    this.lifeOf = lifeOf;
  }

  get(id: string, kind: LimitKind, period: Period | undefined): Counter {
    const known = this.#counters.get(id);
    if (known) return known;
    const counter = makeCounter(kind, period);
    this.#counters.set(id, counter);
    return counter;
  }

  find(id: string): Counter | undefined {
    return this.#counters.get(id);
  }

  /** To be called now and then; most times it does nothing. */
  sweep(nowMs: number): void {
    if (nowMs - this.#sweptAtMs < SWEEP_MS) return;
    this.#sweptAtMs = nowMs;
    for (const [id, counter] of this.#counters) {
      if (counter instanceof WindowCounter) counter.shrink(nowMs, SWEEP_MS);
      if (this.#isOfEarlierTenant(id)) this.#counters.delete(id);
    }
  }

  /** Calls of it that still run have its counters. */
  #isOfEarlierTenant(id: string): boolean {
    const [, tenant, life = '0'] = TENANT_IN_ID.exec(id) ?? [];
    return tenant !== undefined && this.lifeOf(tenant) !== Number(life);
  }
}

/** As `Limit` names counters. */
const TENANT_IN_ID = /^(?:tenant|key|tenant_model|tenant_prompt):([^/|#]+)(?:#(\d+))?[/|]/;

function makeCounter(kind: LimitKind, period: Period | undefined): Counter {
  switch (LIMIT_KINDS[kind].counts) {
    case 'window':
      return new WindowCounter();
    case 'slots':
      return new SlotCounter();
    case 'budget':
      return new BudgetCounter(period ?? 'total');
  }
}
