/** What is ended when its time is up. */
export interface Timed {
  /** Monotonic milliseconds. */
  dueMs: number;
  /** Its neighbours among those with as much time: `Deadlines` sets them. */
  earlier: Timed | undefined;
  later: Timed | undefined;
  expire(): void;
}

/** Those that have as much time, in the order of their ends. */
interface Queue {
  first: Timed | undefined;
  last: Timed | undefined;
  timer: NodeJS.Timeout | undefined;
  /** When the timer fires: monotonic milliseconds. */
  wakesMs: number;
  /** It fired late, and what came meanwhile is read first. */
  isLate: boolean;
}

/** Who wakes so much later than it was to stood still, and so did all that would have been read. */
const LATE_MS = 20;

/** What a timer takes at most. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * Ends what takes too long, never early and about a millisecond late. Where the process stood still (a busy machine, a container without its
 * share of it) what is there by then is read before anything is said to have taken too long. One timer for all that have as much time, which
 * is not set anew when the first of them is done: a timer of its own for each cost a call a microsecond.
 */
export class Deadlines {
  readonly #monotonicMs: () => number;
  readonly #queues = new Map<number, Queue>();

  constructor(monotonicMs: () => number) {
    this.#monotonicMs = monotonicMs;
  }

  /** `startMs`: when its time began, monotonic. Those that are added about in the order of their starts find their place at once. */
  add(timed: Timed, startMs: number, totalMs: number): void {
    let queue = this.#queues.get(totalMs);
    if (!queue) {
      queue = { first: undefined, last: undefined, timer: undefined, wakesMs: 0, isLate: false };
      this.#queues.set(totalMs, queue);
    }
    const dueMs = startMs + totalMs;
    let earlier = queue.last;
    while (earlier && earlier.dueMs > dueMs) earlier = earlier.earlier;
    const later = earlier ? earlier.later : queue.first;
    timed.dueMs = dueMs;
    timed.earlier = earlier;
    timed.later = later;
    if (earlier) earlier.later = timed;
    else queue.first = timed;
    if (later) later.earlier = timed;
    else queue.last = timed;
    if (queue.isLate) return;
    if (!queue.timer) this.#setTimer(queue, totalMs);
    else if (!earlier && dueMs < queue.wakesMs) {
      clearTimeout(queue.timer);
      this.#setTimer(queue, totalMs);
    }
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

  /** For the first, which is there. */
  #setTimer(queue: Queue, totalMs: number): void {
    const nowMs = this.#monotonicMs();
    const ms = Math.max((queue.first?.dueMs ?? nowMs) - nowMs, 0);
    queue.wakesMs = nowMs + ms;
    queue.timer = setTimeout(() => this.#wake(queue, totalMs), Math.min(Math.ceil(ms), MAX_TIMER_MS));
    // It outlives what it was set for.
    queue.timer.unref();
  }

  #wake(queue: Queue, totalMs: number): void {
    if (this.#monotonicMs() - queue.wakesMs <= LATE_MS) {
      this.#expire(queue, totalMs);
      return;
    }
    queue.timer = undefined;
    queue.isLate = true;
    // Behind the reading of sockets in this turn of the event loop.
    setImmediate(() => {
      queue.isLate = false;
      this.#expire(queue, totalMs);
    });
  }

  #expire(queue: Queue, totalMs: number): void {
    const nowMs = this.#monotonicMs();
    while (queue.first && queue.first.dueMs <= nowMs) {
      const due = queue.first;
      this.remove(due, totalMs);
      due.expire();
    }
    queue.timer = undefined;
    if (queue.first) this.#setTimer(queue, totalMs);
    else this.#queues.delete(totalMs);
  }
}
