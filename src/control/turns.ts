import { setTimeout as sleep } from 'node:timers/promises';

/** Tasks that run one at a time, in the order in which they came. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  run<T>(task: () => Promise<T>): Promise<T> {
    const done = this.#last.then(task);
    this.#last = done.catch(() => 'told to whoever asked');
    return done;
  }

  /** Resolves when what is under way is done: `true`; or when so much time has passed: `false`. */
  async settle(withinMs: number): Promise<boolean> {
    const limit = new AbortController();
    const late = sleep(withinMs, false, { signal: limit.signal }).catch(() => false);
    const isDone = await Promise.race([this.#last.then(() => true), late]);
    limit.abort();
    return isDone;
  }
}
