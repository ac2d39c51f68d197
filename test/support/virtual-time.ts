/** A clock that jumps from one thing that is to happen to the next: hours pass in seconds, and always in the same order. */
export class VirtualTime {
  nowMs = 0;
  /** A heap by time, then by order of asking. */
  readonly #due: { atMs: number; order: number; run: () => void }[] = [];
  #order = 0;

  after(ms: number, run: () => void): void {
    this.#push({ atMs: this.nowMs + ms, order: this.#order++, run });
  }

  /** Runs all that falls due until then. */
  runUntil(untilMs: number): void {
    for (let next = this.#due[0]; next && next.atMs <= untilMs; next = this.#due[0]) {
      this.#pop();
      this.nowMs = next.atMs;
      next.run();
    }
    this.nowMs = untilMs;
  }

  #isBefore(one: number, other: number): boolean {
    const [a, b] = [this.#at(one), this.#at(other)];
    return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
  }

  #at(place: number) {
    const found = this.#due[place];
    if (!found) throw new RangeError(`nothing is at ${place}`);
    return found;
  }

  #swap(one: number, other: number): void {
    const [a, b] = [this.#at(one), this.#at(other)];
    this.#due[one] = b;
    this.#due[other] = a;
  }

  #push(entry: { atMs: number; order: number; run: () => void }): void {
    let place = this.#due.push(entry) - 1;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (!this.#isBefore(place, parent)) break;
      this.#swap(place, parent);
      place = parent;
    }
  }

  #pop(): void {
    const last = this.#due.pop();
    if (!last || this.#due.length === 0) return;
    this.#due[0] = last;
    let place = 0;
    for (;;) {
      const [left, right] = [2 * place + 1, 2 * place + 2];
      let least = place;
      if (left < this.#due.length && this.#isBefore(left, least)) least = left;
      if (right < this.#due.length && this.#isBefore(right, least)) least = right;
      if (least === place) return;
      this.#swap(place, least);
      place = least;
    }
  }
}
