import { setImmediate } from 'node:timers/promises';
import type { Schedule } from '../../src/usage/ledger.ts';

/** A `Schedule` whose time stands still until it is moved. */
export class VirtualSchedule {
  nowMs = 0;
  readonly #settle: () => Promise<unknown>;
  readonly #tasks = new Map<() => void, number>();

  /** `settle`: resolves when what a task began has come as far as it does without the clock. */
  constructor(settle: () => Promise<unknown> = () => setImmediate()) {
    this.#settle = settle;
  }

  readonly schedule: Schedule = (task, delayMs) => {
    const run = () => task();
    this.#tasks.set(run, this.nowMs + delayMs);
    return () => this.#tasks.delete(run);
  };

  get waitingTasks(): number {
    return this.#tasks.size;
  }

  /** Moves the time on and runs what falls due, each at its time, with what it starts. */
  async advance(byMs: number): Promise<void> {
    const until = this.nowMs + byMs;
    for (;;) {
      await this.#settle();
      const next = [...this.#tasks].toSorted(([, a], [, b]) => a - b)[0];
      if (!next || next[1] > until) break;
      const [run, dueMs] = next;
      this.#tasks.delete(run);
      this.nowMs = dueMs;
      run();
    }
    this.nowMs = until;
    await this.#settle();
  }
}
