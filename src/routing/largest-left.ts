/** A limit that was lowered is known by the second of these at the latest. Those that say nothing of their size are a minute's. */
const PERIOD_MS = 600_000;

/** The most that was seen to be left of each limit whose size its provider does not say, within ten to twenty minutes. */
export class LargestLeft {
  #now = new Map<string, number>();
  #before = new Map<string, number>();
  #endsMs = 0;

  /** So much is left of a limit. Gives the most that was. `nowMs`: monotonic. */
  note(limit: string, left: number, nowMs: number): number {
    if (nowMs >= this.#endsMs) {
      this.#before = nowMs < this.#endsMs + PERIOD_MS ? this.#now : new Map();
      this.#now = new Map();
      this.#endsMs = nowMs + PERIOD_MS;
    }
    const largest = Math.max(this.#now.get(limit) ?? 0, left);
    this.#now.set(limit, largest);
    return Math.max(largest, this.#before.get(limit) ?? 0);
  }
}
