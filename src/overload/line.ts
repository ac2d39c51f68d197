import type { GatewayError } from '../conversation/gateway-error.ts';
import type { Timed } from '../upstream/deadlines.ts';
import type { Rank } from './bounds.ts';
import type { Share } from './share.ts';

/** What waits for a place. All but the methods is the queue's to set. */
export interface Waiter extends Timed {
  /** Where it stands; `undefined` where it does not wait, or not any more. */
  line: Line | undefined;
  ahead: Waiter | undefined;
  behind: Waiter | undefined;
  /** Monotonic milliseconds: whoever is answered later is not there any more. `Infinity` where nothing is known of that. */
  readonly deadlineMs: number;
  /** The time that it has. */
  maxQueueMs: number;
  /** It has a place, and gives it back some time. Others are being given theirs: it may do neither before this returns. */
  take(place: Share): void;
  /** It has left the queue without one. */
  refuse(error: GatewayError): void;
}

/** The calls of one tenant and one priority that wait in one room, in the order in which they came. */
export class Line {
  readonly share: Share;
  readonly rank: Rank;
  first: Waiter | undefined;
  last: Waiter | undefined;
  length = 0;

  constructor(share: Share, rank: Rank) {
    this.share = share;
    this.rank = rank;
  }

  push(waiter: Waiter): void {
    waiter.line = this;
    waiter.ahead = this.last;
    waiter.behind = undefined;
    if (this.last) this.last.behind = waiter;
    else this.first = waiter;
    this.last = waiter;
    this.length += 1;
  }

  remove(waiter: Waiter): void {
    const { ahead, behind } = waiter;
    if (ahead) ahead.behind = behind;
    else this.first = behind;
    if (behind) behind.ahead = ahead;
    else this.last = ahead;
    waiter.line = undefined;
    waiter.ahead = undefined;
    waiter.behind = undefined;
    this.length -= 1;
  }
}
