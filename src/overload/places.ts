import type { Deadlines } from '../upstream/deadlines.ts';
import type { Bounds, OverloadBounds, Rank } from './bounds.ts';
import type { Line, Waiter } from './line.ts';
import { findWay } from './make-way.ts';
import { describeRefusal, type RefusalReason } from './refusals.ts';
import { isBefore, Room, UNBOUNDED } from './room.ts';
import type { Holder, Share } from './share.ts';
import { Turns } from './turns.ts';

export interface PlacesOptions {
  bounds: OverloadBounds;
  deadlines: Pick<Deadlines, 'add' | 'remove'>;
  monotonicMs: () => number;
  /** From 0 to 1, without 1. */
  random: () => number;
  /** Told that calls were refused: of a model whose bound it was, or else of all; now and then, not of each. */
  tell: (refused: { model: string | undefined; calls: number }) => void;
}

/** What one model with a bound of its own has of all places. */
export interface ModelReading {
  model: string;
  running: number;
  waiting: number;
}

/** Calls that have about as much time share a timer. */
const TIMER_STEP_MS = 10;

/** Of calls that are refused the operator is told no more often than this. */
const TELL_EVERY_MS = 10_000;

/**
 * The one owner of how many calls run, in all and of each model that has a bound, and of those that wait for a place. A call takes a place
 * in all and in its model's room at once, or none. Wherever a place is free nobody waits for it: it is given on in the moment in which it
 * becomes free, so no call that comes can be before one that waits.
 */
export class Places {
  running = 0;
  waiting = 0;
  #all: Bounds;
  /** Of models that have no bound. */
  readonly #common = new Room(undefined, UNBOUNDED);
  readonly #byModel = new Map<string, Room>();
  #rooms: Room[] = [this.#common];
  readonly #turns = new Turns();
  /** Counts the places that were given to those who waited. */
  #turn = 0;
  readonly #options: PlacesOptions;

  constructor(options: PlacesOptions) {
    this.#options = options;
    this.#all = options.bounds.all;
    this.setBounds(options.bounds);
  }

  /**
   * From now on these hold. Whoever runs or waits goes on, also where fewer may: then none is let in until that is so. Calls of a model that had
   * no bound are not counted in its new one.
   */
  setBounds({ all, models }: OverloadBounds): void {
    this.#all = all;
    for (const [model, bounds] of models) {
      const room = this.#byModel.get(model);
      if (room) room.bounds = bounds;
      else this.#byModel.set(model, new Room(model, bounds));
    }
    for (const [model, room] of this.#byModel) {
      room.forgetIdle();
      if (models.has(model)) continue;
      // Its calls still know it, and are counted should it have a bound again.
      if (room.isIdle) this.#byModel.delete(model);
      else room.bounds = { ...UNBOUNDED, maxQueueMs: all.maxQueueMs };
    }
    this.#common.bounds = { ...UNBOUNDED, maxQueueMs: all.maxQueueMs };
    this.#rooms = [this.#common, ...this.#byModel.values()];
    this.#fill();
  }

  /** Of each model that has a bound of its own, or had one that its calls still know. */
  *readings(): Iterable<ModelReading> {
    for (const [model, { running, waiting }] of this.#byModel) yield { model, running, waiting };
  }

  /** A place for a call, where there is one free: nearly always. It is to be given back once, by `leave`. */
  tryTake(holder: Holder, model: string | undefined): Share | undefined {
    if (this.running >= this.#all.maxRunning) return undefined;
    const room = this.#roomOf(model);
    if (room.isFull) return undefined;
    const share = room.shareOf(holder);
    this.#occupy(share);
    return share;
  }

  /** A call that has ended gives its place back, and whoever waits for it has it. */
  leave(place: Share): void {
    this.running -= 1;
    place.running -= 1;
    place.holder.running -= 1;
    place.room.running -= 1;
    if (this.waiting > 0) this.#fill();
  }

  /**
   * Has a call wait for which there is no place. It is told when it has one, when its time is up, and when it makes way for another.
   *
   * @throws GatewayError `overloaded` where it may not even wait, or would in vain
   */
  wait(waiter: Waiter, holder: Holder, model: string | undefined, rank: Rank): void {
    const room = this.#roomOf(model);
    const share = room.shareOf(holder);
    const nowMs = this.#options.monotonicMs();
    const leftMs = waiter.deadlineMs - nowMs;
    if (leftMs < TIMER_STEP_MS || room.likelyWaitMs(share, rank, nowMs) > leftMs) {
      throw this.#refuse('in_vain', room, Math.max(0, inSteps(leftMs + TIMER_STEP_MS / 2)));
    }
    const way = this.#findWay(share, rank);
    if (way === 'refused') throw this.#refuse('full', room, 0);
    const victim = way?.last;
    if (victim) this.stopWaiting(victim);
    this.waiting += 1;
    room.add(waiter, share.lineOf(rank), nowMs);
    waiter.maxQueueMs = Math.min(room.bounds.maxQueueMs, inSteps(leftMs));
    this.#options.deadlines.add(waiter, nowMs, waiter.maxQueueMs);
    // Last, for it answers a client.
    if (victim && way) victim.refuse(this.#refuse('made_way', way.share.room, 0));
  }

  /** A call leaves the queue by itself: its client has gone, or it is ended. Nothing happens where it does not wait. */
  stopWaiting(waiter: Waiter): void {
    const { line } = waiter;
    if (!line) return;
    this.waiting -= 1;
    line.share.room.remove(waiter, line);
    this.#options.deadlines.remove(waiter, waiter.maxQueueMs);
  }

  /** The time of one that waits is up. */
  expire(waiter: Waiter): void {
    const { line } = waiter;
    if (!line) return;
    const { room } = line.share;
    this.stopWaiting(waiter);
    waiter.refuse(this.#refuse('waited', room, waiter.maxQueueMs));
  }

  #roomOf(model: string | undefined): Room {
    if (model === undefined || this.#byModel.size === 0) return this.#common;
    return this.#byModel.get(model) ?? this.#common;
  }

  #occupy(share: Share): void {
    this.running += 1;
    share.running += 1;
    share.holder.running += 1;
    share.room.running += 1;
  }

  /** Gives what is free to those who wait for it. */
  #fill(): void {
    const nowMs = this.waiting > 0 ? this.#options.monotonicMs() : 0;
    const late: { waiter: Waiter; room: Room }[] = [];
    for (;;) {
      const line = this.#next();
      const waiter = line?.first;
      if (!line || !waiter) break;
      if (nowMs >= waiter.deadlineMs) {
        // Its timer was about to say so.
        this.stopWaiting(waiter);
        late.push({ waiter, room: line.share.room });
        continue;
      }
      const { share } = line;
      this.#turn += 1;
      share.holder.servedAt = this.#turn;
      share.room.noteServed(line, this.#turn, nowMs);
      this.stopWaiting(waiter);
      this.#occupy(share);
      waiter.take(share);
    }
    // Last, for they answer clients.
    for (const { waiter, room } of late) waiter.refuse(this.#refuse('waited', room, waiter.maxQueueMs));
  }

  /** Whose turn it is, of those for whom there is a place. Each room says who is next in it; between rooms it is as between tenants. */
  #next(): Line | undefined {
    if (this.waiting === 0 || this.running >= this.#all.maxRunning) return undefined;
    const heads: Line[] = [];
    let present = 0;
    for (const room of this.#rooms) {
      const head = room.isFull ? undefined : room.next();
      if (!head) continue;
      heads.push(head);
      present |= 1 << head.rank;
    }
    if (heads.length <= 1) return heads[0];
    const rank = this.#turns.next(present);
    this.#turns.note(rank, present);
    let next: Line | undefined;
    for (const head of heads) {
      if (head.rank !== rank) continue;
      if (!next || isBefore(head.share.holder, next.share.holder)) next = head;
    }
    return next;
  }

  /** Which line makes way for a call, where one must. */
  #findWay(share: Share, rank: Rank): Line | 'refused' | undefined {
    const { room } = share;
    if (room.waiting >= room.bounds.maxQueued) {
      return findWay([room], room.bounds.maxQueued, share, rank) ?? 'refused';
    }
    if (this.waiting < this.#all.maxQueued) return undefined;
    return findWay(this.#rooms, this.#all.maxQueued, share, rank) ?? 'refused';
  }

  #refuse(reason: RefusalReason, room: Room, waitedMs: number) {
    const { random } = this.#options;
    const isModels = this.#isHeldBack(reason, room);
    const counted = isModels ? room : this.#common;
    counted.refused += 1;
    this.#tell(counted);
    return describeRefusal(reason, room, isModels, waitedMs, random);
  }

  /** Whether it is the bound of a room's model that a call of it did not get by; else it is that of all. */
  #isHeldBack(reason: RefusalReason, room: Room): boolean {
    if (room.model === undefined) return false;
    return room.isFull || (reason === 'full' && room.waiting >= room.bounds.maxQueued);
  }

  #tell(room: Room): void {
    const nowMs = this.#options.monotonicMs();
    if (nowMs - room.toldMs < TELL_EVERY_MS) return;
    this.#options.tell({ model: room.model, calls: room.refused });
    room.toldMs = nowMs;
    room.refused = 0;
  }
}

function inSteps(ms: number): number {
  return Math.floor(ms / TIMER_STEP_MS) * TIMER_STEP_MS;
}
