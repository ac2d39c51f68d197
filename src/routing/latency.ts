/** What counts for a third of what came before it after this time, however few came. */
const MEMORY_MS = 30_000;

/** Of a new value at least so much counts. */
const LEAST_SHARE = 0.1;

/** An exponentially weighted average over time: how long something takes nowadays. Milliseconds, monotonic. */
export class Latency {
  #averageMs: number | undefined;
  #notedMs = 0;

  /** `undefined`: nothing is known. */
  get averageMs(): number | undefined {
    return this.#averageMs;
  }

  /** Something that was given up took so long: what is known to take longer stays so. */
  noteAtLeast(ms: number, nowMs: number): void {
    if (this.#averageMs !== undefined && ms > this.#averageMs) this.note(ms, nowMs);
  }

  note(ms: number, nowMs: number): void {
    const share = Math.max(LEAST_SHARE, 1 - Math.exp((this.#notedMs - nowMs) / MEMORY_MS));
    this.#averageMs = this.#averageMs === undefined ? ms : this.#averageMs + share * (ms - this.#averageMs);
    this.#notedMs = nowMs;
  }
}
