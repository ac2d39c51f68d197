import { type Bounds, FROM_LOWEST, type Rank } from './bounds.ts';
import type { Line, Waiter } from './line.ts';
import { type Holder, Share } from './share.ts';
import { PATIENCE, type Present, Turns } from './turns.ts';

/** How much the newest of the times between two places counts in their mean. */
const NEWEST = 0.2;

/** When nobody waited for so long, how it was then says nothing of now. */
const FORGOTTEN_MS = 60_000;

export const UNBOUNDED: Bounds = Object.freeze({
  maxRunning: Number.POSITIVE_INFINITY,
  maxQueued: Number.POSITIVE_INFINITY,
  maxQueueMs: Number.POSITIVE_INFINITY,
});

/** The places of one model that has bounds, or of all others, and who waits for them. */
export class Room {
  /** `undefined`: of what has no bounds of its own. */
  readonly model: string | undefined;
  bounds: Bounds;
  running = 0;
  waiting = 0;
  /** Milliseconds between two places that became free for those who wait, as a mean; 0 where nothing is known. */
  paceMs = 0;
  /** Refused since that was told last, and when it was. */
  refused = 0;
  toldMs = Number.NEGATIVE_INFINITY;
  #servedMs = 0;
  readonly #turns = new Turns();
  readonly #shares = new Map<Holder, Share>();
  /** By priority, those in which somebody waits, and how many do. */
  readonly #lines: readonly Line[][] = [[], [], []];
  readonly #queued = [0, 0, 0];

  constructor(model: string | undefined, bounds: Bounds) {
    this.model = model;
    this.bounds = bounds;
  }

  get isFull(): boolean {
    return this.running >= this.bounds.maxRunning;
  }

  get isIdle(): boolean {
    return this.running === 0 && this.waiting === 0;
  }

  shareOf(holder: Holder): Share {
    if (this.model === undefined) {
      holder.common ??= new Share(this, holder);
      return holder.common;
    }
    let share = this.#shares.get(holder);
    if (!share) {
      share = new Share(this, holder);
      this.#shares.set(holder, share);
    }
    return share;
  }

  /** Tenants that are no more would stay for ever. */
  forgetIdle(): void {
    for (const [holder, share] of this.#shares) if (share.isIdle) this.#shares.delete(holder);
  }

  queued(rank: Rank): number {
    return this.#queued[rank] ?? 0;
  }

  get present(): Present {
    let present = 0;
    for (const rank of FROM_LOWEST) if (this.queued(rank) > 0) present |= 1 << rank;
    return present;
  }

  add(waiter: Waiter, line: Line, nowMs: number): void {
    if (this.waiting === 0) {
      if (nowMs - this.#servedMs > FORGOTTEN_MS) this.paceMs = 0;
      this.#servedMs = nowMs;
    }
    if (line.length === 0) this.#lines[line.rank]?.push(line);
    line.push(waiter);
    this.#count(line, 1);
  }

  remove(waiter: Waiter, line: Line): void {
    line.remove(waiter);
    this.#count(line, -1);
    const lines = this.#lines[line.rank];
    if (line.length === 0 && lines) lines.splice(lines.indexOf(line), 1);
  }

  /** Whose turn it is: of the tenants of the priority that is next the one that has the fewest places, and was served the longest ago. */
  next(): Line | undefined {
    if (this.waiting === 0) return undefined;
    let next: Line | undefined;
    let nextStanding: Standing | undefined;
    for (const line of this.linesOf(this.#turns.next(this.present))) {
      const standing = this.#standing(line.share);
      if (nextStanding && !isBefore(standing, nextStanding)) continue;
      next = line;
      nextStanding = standing;
    }
    return next;
  }

  /** The first of a line is served; to be called before it is taken out. */
  noteServed({ rank, share }: Line, turn: number, nowMs: number): void {
    this.#turns.note(rank, this.present);
    share.servedAt = turn;
    const sinceMs = nowMs - this.#servedMs;
    this.paceMs = this.#meanWith(sinceMs);
    this.#servedMs = nowMs;
  }

  /** How long a call that comes now is likely to wait, by how fast places became free of late; 0 where that is not known. */
  likelyWaitMs(share: Share, rank: Rank, nowMs: number): number {
    // Who would be alone in waiting waits: or nobody would ever see that places become free faster again.
    if (this.waiting === 0) return 0;
    const sinceMs = nowMs - this.#servedMs;
    const paceMs = sinceMs > this.paceMs ? this.#meanWith(sinceMs) : this.paceMs;
    return paceMs * (this.#ahead(share, rank) + 1);
  }

  /** How many of those that wait are likely to go before a call that comes now. */
  #ahead(share: Share, rank: Rank): number {
    const own = share.lineOf(rank).length;
    const standing = this.#standing(share);
    let ahead = own;
    for (const line of this.linesOf(rank)) {
      // The tenants of a priority take turns.
      if (line.share === share) continue;
      ahead += Math.min(line.length, isBefore(this.#standing(line.share), standing) ? own + 1 : own);
    }
    let higher = 0;
    for (const other of FROM_LOWEST) if (other < rank) higher += this.queued(other);
    return ahead + Math.min(higher, (ahead + 1) * PATIENCE);
  }

  linesOf(rank: Rank): readonly Line[] {
    return this.#lines[rank] ?? [];
  }

  /** The room that has no bound is full only when all is: there it counts what a tenant has in all. */
  #standing(share: Share): Standing {
    return this.model === undefined ? share.holder : share;
  }

  #meanWith(newestMs: number): number {
    return this.paceMs === 0 ? newestMs : (1 - NEWEST) * this.paceMs + NEWEST * newestMs;
  }

  #count({ share, rank }: Line, by: 1 | -1): void {
    this.waiting += by;
    this.#queued[rank] = this.queued(rank) + by;
    share.waiting += by;
    share.holder.waiting += by;
  }
}

type Standing = Pick<Holder, 'running' | 'servedAt'>;

export function isBefore(a: Standing, b: Standing): boolean {
  return a.running === b.running ? a.servedAt < b.servedAt : a.running < b.running;
}
