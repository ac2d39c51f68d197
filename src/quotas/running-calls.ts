import type { LocalQuotas } from './local-quotas.ts';
import { type Reservation, USED_NOTHING } from './reservation.ts';
import { describeMove, describeRenewals, inBatches } from './script-calls.ts';
import type { ScriptCall } from './script-frame.ts';
import type { SharedCounters } from './shared-counters.ts';

export interface RunningCallsOptions {
  now: () => number;
  local: LocalQuotas;
  run: SharedCounters['run'];
}

/** Calls that run, and what of them is held in the shared counters. */
export class RunningCalls {
  readonly #options: RunningCallsOptions;
  /** And the ids of their calls. */
  readonly #running = new Map<Reservation, string>();
  /** Counted here, and perhaps there: that was asked for, and not answered yet. */
  readonly #moving = new WeakSet<Reservation>();

  constructor(options: RunningCallsOptions) {
    this.#options = options;
  }

  add(reservation: Reservation, callId: string): void {
    this.#running.set(reservation, callId);
  }

  /** Gives the id of its call, where it was there. */
  remove(reservation: Reservation): string | undefined {
    const callId = this.#running.get(reservation);
    this.#running.delete(reservation);
    return callId;
  }

  isMoving(reservation: Reservation): boolean {
    return this.#moving.has(reservation);
  }

  /**
   * Calls that still run and were counted here, or there until that was lost, are counted there from now on. What the others hold may be
   * lost in part: nobody can tell, and it is held once however often it is said.
   */
  async move(lost: boolean): Promise<void> {
    const moving = [...this.#running].filter(([{ sharedId }]) => lost || sharedId === undefined);
    for (const batch of inBatches(moving)) {
      await Promise.all(batch.map(([reservation, callId]) => this.#move(reservation, callId)));
    }
    await this.renew((call) => this.#options.run('renew', call));
  }

  /** One script after another: calls come between them, and those that ended meanwhile are not renewed. */
  async renew(run: (call: ScriptCall) => Promise<unknown>): Promise<void> {
    for (const batch of inBatches([...this.#running.keys()])) {
      const call = describeRenewals(
        batch.filter((reservation) => this.#running.has(reservation)),
        this.#options.now(),
      );
      if (call) await run(call);
    }
  }

  async #move(reservation: Reservation, id: string): Promise<void> {
    if (reservation.settled) return;
    const { now, local, run } = this.#options;
    const isAlone = reservation.sharedId === undefined;
    this.#moving.add(reservation);
    await run('move', describeMove(reservation, id, now()));
    if (reservation.settled) return;
    this.#moving.delete(reservation);
    // All that it took is there again, its place too.
    reservation.endedThere = false;
    reservation.sharedId = id;
    if (!isAlone) return;
    reservation.wasAlone = true;
    local.settle(reservation, USED_NOTHING);
    reservation.settled = false;
  }
}
