/**
 * What happened within the last while, in slices of time: the oldest goes as a whole when its time is over, so that
 * a window holds up to one slice less than its length, and never more.
 */
export class SlicedWindow<Slice> {
  readonly #sliceMs: number;
  readonly #create: () => Slice;
  readonly #slices: { number: number; slice: Slice }[] = [];
  readonly #most: number;

  constructor(lengthMs: number, slices: number, create: () => Slice) {
    this.#sliceMs = lengthMs / slices;
    this.#most = slices;
    this.#create = create;
  }

  /** The slice that a moment belongs to; `undefined` where it is too old by now. Both in Unix milliseconds. */
  at(moment: number, now: number): Slice | undefined {
    this.#forget(now);
    const number = this.#numberOf(moment);
    if (number <= this.#numberOf(now) - this.#most) return undefined;
    const known = this.#slices.find((one) => one.number === number);
    if (known) return known.slice;
    const slice = this.#create();
    this.#slices.push({ number, slice });
    return slice;
  }

  /** What is within the window now, in no order. */
  *all(now: number): Iterable<Slice> {
    this.#forget(now);
    for (const { slice } of this.#slices) yield slice;
  }

  #forget(now: number): void {
    const oldest = this.#numberOf(now) - this.#most + 1;
    for (let at = this.#slices.length - 1; at >= 0; at -= 1) {
      const one = this.#slices[at];
      if (one && one.number < oldest) this.#slices.splice(at, 1);
    }
  }

  #numberOf(moment: number): number {
    return Math.floor(moment / this.#sliceMs);
  }
}
