import { appendAll } from '../conversation/append-all.ts';
import { LIMIT_KINDS, type Limit } from './limit.ts';
import { concerns, type Reservation, type Used, usedOf } from './reservation.ts';
import { type Counted, describeBringIn, inBatches, keyOf, ttlOf } from './script-calls.ts';
import type { ScriptCall } from './script-frame.ts';
import type { Uncounted } from './uncounted.ts';
import { sliceAt, sliceExpiry } from './window.ts';

/** What is to be brought in by one script. */
interface Part {
  counted: Counted[];
  call: ScriptCall;
}

/** What calls used that ran without the shared counters, until it is brought in there. */
export class CountedAlone {
  readonly #uncounted: Uncounted;
  readonly #instance: string;
  /** By counter and slice. */
  readonly #counted = new Map<string, Counted>();
  /** Scripts of which it is not known whether they ran. */
  readonly #unconfirmed: Part[] = [];
  /** Names what is counted between two times that it is brought in. */
  #part = 1;

  constructor(uncounted: Uncounted, instance: string) {
    this.#uncounted = uncounted;
    this.#instance = instance;
  }

  /** How much waits. */
  get size(): number {
    return this.#counted.size + this.#unconfirmed.length;
  }

  note({ limits, demand, atMs }: Reservation, used: Used, nowMs: number): void {
    for (const limit of limits) {
      const amount = usedOf(limit, used);
      const { counts } = LIMIT_KINDS[limit.kind];
      if (!concerns(limit, demand) || counts === 'slots' || amount === 0) continue;
      const place = placeOf(limit, atMs);
      let counted = this.#counted.get(place);
      if (counted) counted.amount += amount;
      else {
        counted = { limit, amount, atMs, part: `part:${this.#instance}:${this.#part}` };
        this.#counted.set(place, counted);
      }
      if (counts !== 'budget') continue;
      this.#uncounted.note(place, counted.part, counted.amount, nowMs + ttlOf(limit, atMs, nowMs));
    }
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
    this.#part += 1;
    appendAll(
      this.#unconfirmed,
      batches.map((counted) => ({ counted, call: describeBringIn(counted, nowMs, nextMark()) })),
    );
    for (let left = this.#unconfirmed.length; left > 0; left--) {
      const part = this.#unconfirmed.shift();
      if (!part) return;
      try {
        await run(part.call);
      } catch (error) {
        // Whether it was counted is not known: the same call is sent again, and counts once.
        this.#unconfirmed.push(part);
        throw error;
      }
      for (const { limit, atMs, part: name } of part.counted) {
        if (LIMIT_KINDS[limit.kind].counts === 'budget') this.#uncounted.drop(keyOf(limit, atMs), name);
      }
    }
  }
}

/** Names what a limit counts at a moment: its counter, and of a minute the slice. */
function placeOf(limit: Limit, atMs: number): string {
  const isWindow = LIMIT_KINDS[limit.kind].counts === 'window';
  return isWindow ? `${keyOf(limit, atMs)}#${sliceAt(atMs)}` : keyOf(limit, atMs);
}
