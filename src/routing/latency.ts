/** What counts for a third of what came before it after this time, however few came. */
const MEMORY_MS = 30_000;

/** Of a new value at least so much counts. */
const LEAST_SHARE = 0.1;

/** An exponentially weighted average over time: how long something takes nowadays. Milliseconds, monotonic. */
export class Latency {
  #averageMs: number | undefined;
  #notedMs = 0;
  #underWay = 0;
  /** When the first of those was begun that are under way, and were begun since one ended last as it should. */
  #waitsSinceMs: number | undefined;

  /** `undefined`: nothing is known. */
  get averageMs(): number | undefined {
    return this.#averageMs;
  }

  begin(nowMs: number): void {
    this.#underWay += 1;
    this.#waitsSinceMs ??= nowMs;
  }

  /** To be told once for each `begin`. `isDone`: it was not given up. */
  end(isDone: boolean): void {
    this.#underWay = Math.max(0, this.#underWay - 1);
    if (isDone || this.#underWay === 0) this.#waitsSinceMs = undefined;
  }

  /**
   * For how long what is under way has been waited for; `undefined` where nothing is, or others ended that were begun later: what takes
   * longer than they do says little.
   */
  waitedMs(nowMs: number): number | undefined {
    return this.#waitsSinceMs === undefined ? undefined : nowMs - this.#waitsSinceMs;
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
