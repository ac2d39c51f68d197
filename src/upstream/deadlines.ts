/** What is ended when its time is up. */
export interface Timed {
  /** Monotonic milliseconds. */
  dueMs: number;
  /** Its neighbours among those with as much time: `Deadlines` sets them. */
  earlier: Timed | undefined;
  later: Timed | undefined;
  expire(): void;
}

/** Those that have as much time, in the order in which they began, which is that of their ends. */
interface Queue {
  first: Timed | undefined;
  last: Timed | undefined;
  timer: NodeJS.Timeout | undefined;
}

/** What a timer takes at most. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * Ends what takes too long, never early and about a millisecond late. One timer for all that have as much time, which
 * is not set anew when the first of them is done: a timer of its own for each cost a call a microsecond.
 */
export class Deadlines {
  readonly #monotonicMs: () => number;
  readonly #queues = new Map<number, Queue>();

  constructor(monotonicMs: () => number) {
    this.#monotonicMs = monotonicMs;
  }

  /** `startMs`: monotonic, and not before that of one that was added earlier. */
  add(timed: Timed, startMs: number, totalMs: number): void {
    let queue = this.#queues.get(totalMs);
    if (!queue) {
      queue = { first: undefined, last: undefined, timer: undefined };
      this.#queues.set(totalMs, queue);
    }
    const { last } = queue;
    timed.dueMs = startMs + totalMs;
    timed.earlier = last;
    if (last) last.later = timed;
    else queue.first = timed;
    queue.last = timed;
    if (!queue.timer) this.#setTimer(queue, totalMs, totalMs);
  }

  /** Once for each that was added, also for one that has expired. */
  remove(timed: Timed, totalMs: number): void {
    const queue = this.#queues.get(totalMs);
    if (!queue) return;
    const { earlier, later } = timed;
    if (earlier) earlier.later = later;
    else if (queue.first === timed) queue.first = later;
    if (later) later.earlier = earlier;
    else if (queue.last === timed) queue.last = earlier;
    timed.earlier = undefined;
    timed.later = undefined;
  }

  #setTimer(queue: Queue, totalMs: number, ms: number): void {
    queue.timer = setTimeout(() => this.#expire(queue, totalMs), Math.min(Math.ceil(ms), MAX_TIMER_MS));
    // It outlives what it was set for.
    queue.timer.unref();
  }

  #expire(queue: Queue, totalMs: number): void {
    const nowMs = this.#monotonicMs();
    while (queue.first && queue.first.dueMs <= nowMs) {
      const due = queue.first;
      this.remove(due, totalMs);
      due.expire();
    }
    queue.timer = undefined;
    if (queue.first) this.#setTimer(queue, totalMs, queue.first.dueMs - nowMs);
    else this.#queues.delete(totalMs);
  }
}
