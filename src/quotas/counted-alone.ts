import { appendAll } from '../conversation/append-all.ts';
import { LIMIT_KINDS, type Limit } from './limit.ts';
import { concerns, type Reservation, type Used, usedOf } from './reservation.ts';
import { type Counted, describeBringIn, inBatches, keyOf } from './script-calls.ts';
import type { ScriptCall } from './shared-counters.ts';
import { sliceAt, sliceExpiry } from './window.ts';

/** What calls used that ran without the shared counters, until it is brought in there. */
export class CountedAlone {
  /** By counter and slice. */
  readonly #counted = new Map<string, Counted>();
  /** Scripts of which it is not known whether they ran. */
  readonly #unconfirmed: ScriptCall[] = [];

  /** How much waits. */
  get size(): number {
    return this.#counted.size + this.#unconfirmed.length;
  }

  note({ limits, demand, atMs }: Reservation, used: Used): void {
    for (const limit of limits) {
      const amount = usedOf(limit, used);
      const isSlot = LIMIT_KINDS[limit.kind].counts === 'slots';
      if (!concerns(limit, demand) || isSlot || amount === 0) continue;
      const place = placeOf(limit, atMs);
      const known = this.#counted.get(place);
      if (known) known.amount += amount;
      else this.#counted.set(place, { limit, amount, atMs });
    }
  }

  /** Of these limits all up to now is known from elsewhere. */
  forget(limits: readonly Limit[], nowMs: number): void {
    for (const limit of limits) this.#counted.delete(placeOf(limit, nowMs));
  }

  /** Rates of more than a minute ago count nowhere. */
  forgetExpired(nowMs: number): void {
    for (const [place, { limit, atMs }] of this.#counted) {
      const isRate = LIMIT_KINDS[limit.kind].counts === 'window';
      if (isRate && sliceExpiry(sliceAt(atMs)) <= nowMs) this.#counted.delete(place);
    }
  }

  /** Brings in what was counted up to now; what comes meanwhile is for the next time, or it might never end. */
  async bringIn(
    run: (call: ScriptCall) => Promise<unknown>,
    nowMs: number,
    nextMark: () => string,
  ): Promise<void> {
    const batches = [...inBatches([...this.#counted.values()])];
    this.#counted.clear();
    appendAll(
      this.#unconfirmed,
      batches.map((batch) => describeBringIn(batch, nowMs, nextMark())),
    );
    for (let left = this.#unconfirmed.length; left > 0; left--) {
      const call = this.#unconfirmed.shift();
      if (!call) return;
      try {
        await run(call);
      } catch (error) {
        // Whether it was counted is not known: the same call is sent again, and counts once.
        this.#unconfirmed.push(call);
        throw error;
      }
    }
  }
}

/** Names what a limit counts at a moment: its counter, and of a minute the slice. */
function placeOf(limit: Limit, atMs: number): string {
  const isWindow = LIMIT_KINDS[limit.kind].counts === 'window';
  return `${keyOf(limit, atMs)}#${isWindow ? sliceAt(atMs) : ''}`;
}
