import assert from 'node:assert/strict';
import type { GatewayError } from '../../src/conversation/gateway-error.ts';
import { type Bounds, RANKS, type Rank } from '../../src/overload/bounds.ts';
import type { Line, Waiter } from '../../src/overload/line.ts';
import { Places } from '../../src/overload/places.ts';
import { Holder, type Share } from '../../src/overload/share.ts';

export const NO_MODELS: ReadonlyMap<string, Bounds> = new Map();

export function boundsOf(maxRunning: number, maxQueued: number, maxQueueMs = 10_000): Bounds {
  return { maxRunning, maxQueued, maxQueueMs };
}

export class Tenant {
  readonly name: string;
  readonly rank: Rank;
  readonly holder = new Holder();

  constructor(name: string, priority: keyof typeof RANKS = 'normal') {
    this.name = name;
    this.rank = RANKS[priority];
  }
}

/** A call that notes what happens to it: it has one fate. */
export class TestCall implements Waiter {
  readonly tenant: Tenant;
  readonly model: string | undefined;
  place: Share | undefined;
  error: GatewayError | undefined;
  /** How often it was told of a place or of a refusal. */
  told = 0;
  waited = false;
  /** When it was let in from the queue. */
  takenMs: number | undefined;
  line: Line | undefined;
  ahead: Waiter | undefined;
  behind: Waiter | undefined;
  readonly deadlineMs: number;
  maxQueueMs = 0;
  dueMs = 0;
  earlier: Waiter | undefined;
  later: Waiter | undefined;
  readonly #venue: VirtualPlaces;

  constructor(
    venue: VirtualPlaces,
    tenant: Tenant,
    model: string | undefined,
    deadlineMs = Number.POSITIVE_INFINITY,
  ) {
    this.#venue = venue;
    this.deadlineMs = deadlineMs;
    this.tenant = tenant;
    this.model = model;
  }

  take(place: Share): void {
    this.told += 1;
    this.place = place;
    this.takenMs = this.#venue.nowMs;
    this.#venue.taken.push(this);
    this.#venue.onTake?.(this);
  }

  refuse(error: GatewayError): void {
    this.told += 1;
    this.error = error;
  }

  expire(): void {
    this.#venue.places.expire(this);
  }
}

/** Places on a clock that stands still until it is moved. */
export class VirtualPlaces {
  nowMs = 0;
  random = 0;
  readonly places: Places;
  /** Those that came from the queue, in their order. */
  readonly taken: TestCall[] = [];
  readonly told: { model: string | undefined; calls: number }[] = [];
  onTake: ((call: TestCall) => void) | undefined;
  readonly #timed = new Set<{ dueMs: number; expire(): void }>();

  constructor(all: Bounds, models = NO_MODELS) {
    this.places = new Places({
      bounds: { all, models },
      deadlines: {
        add: (timed, startMs, totalMs) => {
          timed.dueMs = startMs + totalMs;
          this.#timed.add(timed);
        },
        remove: (timed) => {
          this.#timed.delete(timed);
        },
      },
      monotonicMs: () => this.nowMs,
      random: () => this.random,
      tell: (refused) => this.told.push(refused),
    });
  }

  /** Those whose time runs. */
  get timed(): number {
    return this.#timed.size;
  }

  /** `patienceMs`: how long its client waits. */
  come(tenant: Tenant, model?: string, patienceMs = Number.POSITIVE_INFINITY): TestCall {
    const call = new TestCall(this, tenant, model, this.nowMs + patienceMs);
    call.place = this.places.tryTake(tenant.holder, model);
    if (call.place) return call;
    try {
      this.places.wait(call, tenant.holder, model, tenant.rank);
      call.waited = true;
    } catch (thrown) {
      call.refuse(thrown as GatewayError);
    }
    return call;
  }

  end(call: TestCall): void {
    assert.ok(call.place, 'only what has a place gives it back');
    const { place } = call;
    call.place = undefined;
    this.places.leave(place);
  }

  pass(ms: number): void {
    this.nowMs += ms;
    for (const timed of [...this.#timed].toSorted((a, b) => a.dueMs - b.dueMs)) {
      if (timed.dueMs <= this.nowMs) timed.expire();
    }
  }
}
