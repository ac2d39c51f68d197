import type { ControlNews } from './control/control-news.ts';
import type { Schedule } from './control/event-log.ts';
import type { Lane } from './routing/lane.ts';
import type { LaneOwner } from './routing/lane-book.ts';

/** Where servers come and go, it may be over before they said. */
const LONGEST_UNSEEN_MS = 5_000;

export interface CoolingNewsOptions {
  news: ControlNews;
  monotonicMs: () => number;
  schedule: Schedule;
}

/**
 * Tells when places begin to be left alone, for a time that their provider named or as long as others go first for a limit without one, and
 * when that is over: of each place once a minute, and of those that callers have named one for all. A later time that is named meanwhile is
 * no other beginning.
 */
export class CoolingNews {
  readonly #options: CoolingNewsOptions;
  /** Of those that are left alone, by their names: calls the look at their end off. */
  readonly #cooling = new Map<string, () => void>();

  constructor(options: CoolingNewsOptions) {
    this.#options = options;
  }

  /** The provider named a time, or a later one, or limited the place without one. */
  begin(lane: Lane, owner: LaneOwner): void {
    const place = nameOf(lane);
    if (this.#cooling.has(place) || lane.limitedMs(this.#options.monotonicMs()) === 0) return;
    const forMs = this.#await(lane, owner);
    const isNamed = lane.coolsMs(this.#options.monotonicMs()) > 0;
    const message = isNamed
      ? 'a place is left alone for as long as its provider says'
      : 'others go before a place for a while: it is limited, and its provider does not say for how long';
    const ofNamed = lane.namedFor === 'failing' ? 'failing' : 'rate_limited';
    const reason = isNamed ? ofNamed : 'rate_limited_no_time';
    this.#tell('cooling_began', message, lane, owner, { forSeconds: Math.ceil(forMs / 1000), reason });
  }

  close(): void {
    for (const cancel of this.#cooling.values()) cancel();
    this.#cooling.clear();
  }

  /** Gives how long that is. */
  #await(lane: Lane, owner: LaneOwner): number {
    const { schedule, monotonicMs } = this.#options;
    const forMs = lane.limitedMs(monotonicMs());
    const lookMs = lane.servers ? Math.min(forMs, LONGEST_UNSEEN_MS) : forMs;
    this.#cooling.set(
      nameOf(lane),
      schedule(() => this.#look(lane, owner), Math.ceil(lookMs)),
    );
    return forMs;
  }

  #look(lane: Lane, owner: LaneOwner): void {
    if (lane.limitedMs(this.#options.monotonicMs()) > 0) {
      this.#await(lane, owner);
      return;
    }
    this.#cooling.delete(nameOf(lane));
    this.#tell(
      'cooling_ended',
      'a place that was left alone may be called again like any other',
      lane,
      owner,
    );
  }

  #tell(
    kind: string,
    message: string,
    { target, account }: Lane,
    { provider, isNamed }: LaneOwner,
    more: { forSeconds?: number; reason?: string } = {},
  ): void {
    const details = { provider, account, target, ...more };
    const of = isNamed ? '' : `${account}\n${target}`;
    this.#options.news.tellOften('info', kind, message, details, details, of);
  }
}

function nameOf({ target, account }: Lane): string {
  return `${target}\n${account}`;
}
