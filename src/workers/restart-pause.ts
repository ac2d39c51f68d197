/** A worker that lived so long did not die of its start. */
const LONG_MS = 60_000;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;

/**
 * How long to wait before a worker is replaced: not at all after a single death, and longer each time where one after another dies soon
 * after its start.
 */
export class RestartPause {
  #soonDeaths = 0;

  /** @param livedMs of the worker that died */
  next(livedMs: number): number {
    this.#soonDeaths = livedMs >= LONG_MS ? 0 : this.#soonDeaths + 1;
    if (this.#soonDeaths < 2) return 0;
    return Math.min(FIRST_PAUSE_MS * 2 ** (this.#soonDeaths - 2), LONGEST_PAUSE_MS);
  }
}
