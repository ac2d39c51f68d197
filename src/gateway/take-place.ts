import type { GatewayError } from '../conversation/gateway-error.ts';
import type { Line, Waiter } from '../overload/line.ts';
import type { Share } from '../overload/share.ts';
import type { Call, RunningAttempt } from './call.ts';
import { callDeadlineMs } from './call-deadline.ts';
import type { Gateway } from './gateway.ts';
import { failCall } from './respond.ts';

/** What a call does when it has its place. */
type GoOn = (gateway: Gateway, call: Call) => void;

/**
 * The second step: a call takes a place among those that run, in all and of its model, and goes on: at once where one is free, as
 * nearly always, which makes no promise and no object; else when it is its turn. It comes before all that costs something, the
 * reading of the store, the plan and the reservations, so that whoever waits holds nothing but its request, and goes by a fresh plan
 * then. Calls about a list of the gateway's own books, which ask nobody, need no place. It is given back when the call is settled.
 *
 * @throws GatewayError `overloaded`: too many wait already, or it would be its turn too late
 */
export function takePlace(gateway: Gateway, call: Call, goOn: GoOn): void {
  if (call.cancelled || call.settled) return;
  if (call.object?.does === 'list') {
    goOn(gateway, call);
    return;
  }
  call.place = gateway.places.tryTake(call.caller.holder, modelOf(call));
  // What is refused anyway need not wait for that: the plan says why.
  if (call.place || isRefusedAnyway(call)) goOn(gateway, call);
  else new WaitingCall(gateway, call, goOn).wait();
}

/** Counting takes no time of the model. */
function modelOf({ door, model }: Call): string | undefined {
  return door.operation === 'count' ? undefined : model;
}

function isRefusedAnyway({ model, caller, snapshot }: Call): boolean {
  if (model === undefined) return false;
  return !caller.mayCall(model) || snapshot.routes.resolve(model) === undefined;
}

class WaitingCall implements Waiter, RunningAttempt {
  readonly #gateway: Gateway;
  readonly #call: Call;
  readonly #goOn: GoOn;
  readonly #sinceMs: number;
  line: Line | undefined;
  ahead: Waiter | undefined;
  behind: Waiter | undefined;
  readonly deadlineMs: number;
  maxQueueMs = 0;
  dueMs = 0;
  earlier: Waiter | undefined;
  later: Waiter | undefined;

  constructor(gateway: Gateway, call: Call, goOn: GoOn) {
    this.#gateway = gateway;
    this.#call = call;
    this.#goOn = goOn;
    this.#sinceMs = gateway.monotonicMs();
    this.deadlineMs = callDeadlineMs(call);
  }

  wait(): void {
    const { caller } = this.#call;
    this.#gateway.places.wait(this, caller.holder, modelOf(this.#call), caller.rank);
    this.#call.running = this;
  }

  take(place: Share): void {
    const call = this.#call;
    call.place = place;
    // Not from within the end of the call whose place it was.
    queueMicrotask(() => {
      if (call.running === this) call.running = undefined;
      if (call.cancelled || call.settled) return;
      call.queuedMs = this.#gateway.monotonicMs() - this.#sinceMs;
      try {
        this.#goOn(this.#gateway, call);
      } catch (thrown) {
        failCall(this.#gateway, call, thrown);
      }
    });
  }

  refuse(error: GatewayError): void {
    this.#call.running = undefined;
    failCall(this.#gateway, this.#call, error);
  }

  expire(): void {
    this.#gateway.places.expire(this);
  }

  /** The client has gone. */
  abandon(): void {
    this.#gateway.places.stopWaiting(this);
  }

  /** The gateway stops. */
  fail(error: GatewayError): void {
    this.#gateway.places.stopWaiting(this);
    this.refuse(error);
  }
}
