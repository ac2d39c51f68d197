import type { Rank } from './bounds.ts';
import { Line } from './line.ts';
import type { Room } from './room.ts';

/** What a tenant has of all places. It outlives configurations, as the calls do that it counts. */
export class Holder {
  running = 0;
  waiting = 0;
  /** The turn at which one of its calls was let in from a queue last. */
  servedAt = 0;
  /** Its share of the room that most models have in common: found without looking. */
  common: Share | undefined;
}

/** What a tenant has of the places of one room. A call that has a place has the share that it counts in. */
export class Share {
  readonly room: Room;
  readonly holder: Holder;
  running = 0;
  waiting = 0;
  servedAt = 0;
  readonly #lines: (Line | undefined)[] = [];

  constructor(room: Room, holder: Holder) {
    this.room = room;
    this.holder = holder;
  }

  lineOf(rank: Rank): Line {
    const line = this.#lines[rank] ?? new Line(this, rank);
    this.#lines[rank] = line;
    return line;
  }

  get isIdle(): boolean {
    return this.running === 0 && this.waiting === 0;
  }
}
