import type { Call } from './call.ts';

/**
 * The calls under way, for draining.
 *
 * Not a `Set`, which would be the natural thing: V8 moves a set that had thousands of entries come and go to a new
 * table again and again, and the abandoned tables, old by then, keep the calls that they still name alive into the
 * old generation. That made a seventh of the CPU time of a busy gateway garbage collection.
 */
export class RunningCalls {
  readonly #calls: Call[] = [];

  get size(): number {
    return this.#calls.length;
  }

  add(call: Call): void {
    call.slot = this.#calls.length;
    this.#calls.push(call);
  }

  /** The last call takes the place of the one that goes. */
  remove(call: Call): void {
    const last = this.#calls.pop();
    if (!last || last === call) return;
    this.#calls[call.slot] = last;
    last.slot = call.slot;
  }

  /** A copy: ending a call removes it. */
  list(): Call[] {
    return [...this.#calls];
  }
}
