import { isBudget } from './budget-index.ts';
import type { CounterBook } from './counters.ts';
import { type Demand, type Limit, spareOf } from './limit.ts';
import {
  concerns,
  type Quotas,
  type Refusal,
  Reservation,
  type Spending,
  type Used,
  usedOf,
} from './reservation.ts';

/** Counts calls in this process alone. */
export class LocalQuotas implements Quotas {
  readonly #counters: CounterBook;
  readonly #now: () => number;

  constructor(counters: CounterBook, now: () => number) {
    this.#counters = counters;
    this.#now = now;
  }

  /** All or nothing: nothing else runs between the question and the taking. */
  reserve(limits: readonly Limit[], demand: Demand): Reservation | Refusal {
    const nowMs = this.#now();
    this.#counters.sweep(nowMs);
    for (const limit of limits) {
      if (!concerns(limit, demand)) continue;
      const { counter, max, measure } = limit;
      const amount = demand[measure];
      const available = counter.available(max, nowMs);
      // What is spent lets nothing through, not even what reserves nothing beforehand (an image).
      if (amount + spareOf(limit, demand) > available || available <= 0) {
        return { limit, amount, available, waitMs: counter.waitMs(amount, max, nowMs), atMs: nowMs };
      }
    }
    return this.take(limits, demand, nowMs);
  }

  /** Takes without asking. */
  take(limits: readonly Limit[], demand: Demand, nowMs: number): Reservation {
    const reservation = new Reservation(limits, demand, nowMs);
    for (const limit of limits) {
      if (!concerns(limit, demand)) continue;
      const { counter, max, measure } = limit;
      const available = counter.available(max, nowMs);
      counter.take(demand[measure], nowMs);
      reservation.noteLeft(limit, available - demand[measure]);
    }
    return reservation;
  }

  settle(reservation: Reservation, used: Used): void {
    if (reservation.settled) return;
    reservation.settled = true;
    const { limits, ended } = reservation;
    const nowMs = this.#now();
    for (const limit of limits) if (!ended || isBudget(limit)) settleIn(limit, reservation, used, nowMs);
  }

  end(reservation: Reservation, used: Used): void {
    if (reservation.ended || reservation.settled) return;
    reservation.ended = true;
    const nowMs = this.#now();
    for (const limit of reservation.limits) {
      if (!isBudget(limit)) settleIn(limit, reservation, used, nowMs);
    }
  }

  async open(): Promise<void> {}

  async learn(): Promise<void> {}

  async noteUncounted(): Promise<void> {}

  async sumUncounted(): Promise<ReadonlyMap<string, number>> {
    return new Map();
  }

  async noteRecovered(): Promise<void> {}

  /** What another process counted was counted in its memory alone. */
  async recover(): Promise<void> {}

  async charge(spendings: readonly Spending[]): Promise<void> {
    const nowMs = this.#now();
    for (const { limit, amount, atMs } of spendings) limit.counter.settle(0, amount, atMs, nowMs);
  }

  async close(): Promise<void> {}
}

function settleIn(limit: Limit, { demand, atMs }: Reservation, used: Used, nowMs: number): void {
  if (!concerns(limit, demand)) return;
  limit.counter.settle(demand[limit.measure], usedOf(limit, used), atMs, nowMs);
}
