/** What knows its place among those that are in flight. */
export interface Placed {
  slot: number;
}

/**
 * What has begun and has not ended, for thousands a second that come and go.
 *
 * Not a `Set`, which would be the natural thing: V8 moves a set that had thousands of entries come and go to a new
 * table again and again, and the abandoned tables, old by then, keep what they still name alive into the old generation.
 */
export class InFlight<T extends Placed> {
  readonly #placed: T[] = [];

  get size(): number {
    return this.#placed.length;
  }

  add(one: T): void {
    one.slot = this.#placed.length;
    this.#placed.push(one);
  }

  /** The last one takes the place of the one that goes. */
  remove(one: T): void {
    const last = this.#placed.pop();
    if (!last || last === one) return;
    this.#placed[one.slot] = last;
    last.slot = one.slot;
  }

  /** A copy: ending what is in flight removes it. */
  list(): T[] {
    return [...this.#placed];
  }
}
