import { setTimeout as sleep } from 'node:timers/promises';

/** Tasks that run one at a time, in the order in which they came; urgent ones before all others that wait. */
export class Turns {
  readonly #urgent: (() => Promise<void>)[] = [];
  readonly #others: (() => Promise<void>)[] = [];
  #isRunning = false;

  run<T>(task: () => Promise<T>, urgency: 'urgent' | 'in turn' = 'in turn'): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const waiting = urgency === 'urgent' ? this.#urgent : this.#others;
    waiting.push(() => task().then(resolve, reject));
    if (!this.#isRunning) void this.#runAll();
    return promise;
  }

  /** Resolves when what is under way is done: `true`; or when so much time has passed: `false`. */
  async settle(withinMs: number): Promise<boolean> {
    const limit = new AbortController();
    const late = sleep(withinMs, false, { signal: limit.signal }).catch(() => false);
    const isDone = await Promise.race([this.run(async () => true), late]);
    limit.abort();
    return isDone;
  }

  /** Never rejects: whoever asked for a task is told. */
  async #runAll(): Promise<void> {
    this.#isRunning = true;
    for (;;) {
      const next = this.#urgent.shift() ?? this.#others.shift();
      if (!next) break;
      await next();
    }
    this.#isRunning = false;
  }
}
