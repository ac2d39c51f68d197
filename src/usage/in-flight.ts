/** What knows its place among those that are in flight. */
export interface Placed {
  slot: number;
}

/**
 * What has begun and has not ended, for thousands a second that come and go.
 *
 * Neither a `Set` nor an array that grows and shrinks, which would be the natural things: V8 moves both to new tables
 * again and again, and the abandoned ones, old by then, keep what they still name alive into the old generation. That
 * made a fifth of the CPU time of a busy gateway garbage collection. This table only ever grows to the most that there
 * were at once.
 */
export class InFlight<T extends Placed> {
  readonly #slots: (T | undefined)[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(one: T): void {
    one.slot = this.#size;
    this.#slots[this.#size] = one;
    this.#size += 1;
  }

  /** Once for each that was added. The last one takes the place of the one that goes. */
  remove(one: T): void {
    this.#size -= 1;
    const last = this.#slots[this.#size];
    this.#slots[this.#size] = undefined;
    if (!last || last === one) return;
    this.#slots[one.slot] = last;
    last.slot = one.slot;
  }

  /** A copy: ending what is in flight removes it. */
  list(): T[] {
    return this.#slots.slice(0, this.#size).filter((one) => one !== undefined);
  }
}
