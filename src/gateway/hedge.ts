import { GatewayError } from '../conversation/gateway-error.ts';
import { verdictOf } from '../routing/verdict.ts';
import type { Timed } from '../upstream/deadlines.ts';
import { prepareAttempt } from './attempt.ts';
import type { AttemptMaker, MadeAttempt } from './attempt-maker.ts';
import type { Call, RunningAttempt } from './call.ts';
import type { Gateway } from './gateway.ts';
import type { PlannedAttempt } from './plan.ts';
import { toGatewayError } from './respond.ts';
import { setUsageAside } from './settle.ts';

export interface FailedAttempt {
  planned: PlannedAttempt;
  failure: GatewayError;
  used: boolean;
}

/** Who makes the attempts of a call, and knows of another place for one. */
export interface HedgingMaker extends AttemptMaker {
  /** A place for an attempt beside the one that is under way, if there is one. */
  takeOther(underWay: PlannedAttempt): PlannedAttempt | undefined;
  /** It was not made after all. */
  takeBack(planned: PlannedAttempt): void;
  /** None is under way any more. `failed`: in the order in which they are to be thought of; the last one is what is told. */
  failedAll(failed: readonly FailedAttempt[]): void;
}

/** One of two attempts that run beside each other, and the call that it leaves on what it finds. */
interface Runner {
  readonly call: Call;
  readonly planned: PlannedAttempt;
  readonly attempt: MadeAttempt;
}

/** Attempts that are about as slow share a timer. */
const TIMER_STEP_MS = 10;

/**
 * The first attempt of a call, and one beside it when that takes longer than most. The one that begins to answer first is the call's; the
 * other is dropped in the same moment. Where one fails the other goes on, and only where both have is another made after them. The
 * second runs on a copy of the call, so that neither sees what the other leaves there.
 */
export class Hedge implements AttemptMaker, RunningAttempt, Timed {
  readonly #gateway: Gateway;
  readonly #call: Call;
  readonly #maker: HedgingMaker;
  readonly #delayMs: number;
  #first: Runner | undefined;
  #second: Runner | undefined;
  /** The one of two that failed while the other goes on. */
  #failed: FailedAttempt | undefined;
  #isTimed = false;
  dueMs = 0;
  earlier: Timed | undefined;
  later: Timed | undefined;

  constructor(gateway: Gateway, call: Call, maker: HedgingMaker) {
    this.#gateway = gateway;
    this.#call = call;
    this.#maker = maker;
    this.#delayMs = Math.ceil((call.hedgeAfterMs ?? 0) / TIMER_STEP_MS) * TIMER_STEP_MS;
  }

  /** To be called before the first attempt is sent. */
  watch(attempt: MadeAttempt, planned: PlannedAttempt): void {
    this.#first = { call: this.#call, planned, attempt };
    this.#isTimed = true;
    this.#gateway.deadlines.add(this, this.#gateway.monotonicMs(), this.#delayMs);
  }

  /** The first attempt takes longer than most. */
  expire(): void {
    this.#isTimed = false;
    try {
      this.#makeSecond();
    } catch (thrown) {
      // Logs what nobody expected. The first attempt is none the worse for it.
      toGatewayError(this.#gateway, this.#call, thrown);
    }
  }

  #makeSecond(): void {
    const call = this.#call;
    const first = this.#first;
    // Without its start in the journal nothing of it was sent: it waits for a signature.
    if (!first || !call.started || !call.hedging?.mayHedge()) return;
    const planned = this.#maker.takeOther(first.planned);
    if (!planned) return;
    const copy = call.fork();
    let attempt: MadeAttempt;
    try {
      attempt = prepareAttempt(this.#gateway, copy, planned, this);
    } catch (thrown) {
      this.#maker.takeBack(planned);
      // What it cannot express the first one may.
      if (thrown instanceof GatewayError) return;
      throw thrown;
    }
    call.hedging.spend();
    this.#second = { call: copy, planned, attempt };
    call.running = this;
    attempt.send();
  }

  begins(planned: PlannedAttempt): void {
    this.#endTimer();
    const other = this.#otherThan(planned);
    if (!other || other.attempt.finished) return;
    if (other === this.#first) this.#call.acting = this.#second?.call;
    other.attempt.drop('lost', new GatewayError('cancelled', 'Another attempt answered first.'));
  }

  isRaced(planned: PlannedAttempt): boolean {
    return this.#otherThan(planned)?.attempt.finished === false;
  }

  /** Only as long as there is one: two would have to know what the other's client has. */
  continues(failure: GatewayError, hasSaid: boolean): boolean {
    return !this.#second && this.#maker.continues?.(failure, hasSaid) === true;
  }

  answered(planned: PlannedAttempt): void {
    this.#endTimer();
    this.#leave();
    this.#maker.answered(planned);
  }

  failed(planned: PlannedAttempt, failure: GatewayError, used: boolean): void {
    this.#endTimer();
    const one = { planned, failure, used };
    const other = this.#otherThan(planned);
    if (!other) {
      this.#maker.failedAll([one]);
      return;
    }
    this.#keepUsage(planned);
    if (!other.attempt.finished) {
      this.#failed = one;
      if (other === this.#second) this.#call.acting = other.call;
      return;
    }
    this.#leave();
    // What it had used stays with its attempt: the call goes on, or ends, as itself.
    this.#call.acting = undefined;
    this.#maker.failedAll(this.#failed ? inOrder(this.#failed, one) : [one]);
  }

  abandon(reason: Error): void {
    this.#endBoth('cancelled', reason, (attempt) => attempt.abandon(reason));
  }

  fail(error: GatewayError): void {
    this.#endBoth(error.kind, error, (attempt) => attempt.fail(error));
  }

  /** The first one ends the call, if it still runs; the second does if it alone is left. */
  #endBoth(outcome: GatewayError['kind'], reason: Error, end: (attempt: MadeAttempt) => void): void {
    const [first, second] = [this.#first?.attempt, this.#second?.attempt];
    if (first && !first.finished) {
      second?.drop(outcome, reason);
      end(first);
    } else if (second) end(second);
  }

  #otherThan(planned: PlannedAttempt): Runner | undefined {
    return planned === this.#second?.planned ? this.#first : this.#second;
  }

  #keepUsage(planned: PlannedAttempt): void {
    const { call } = (planned === this.#second?.planned ? this.#second : this.#first) ?? {};
    if (call?.usage) setUsageAside(this.#gateway, call, call.usage);
  }

  #leave(): void {
    if (this.#call.running === this) this.#call.running = undefined;
  }

  #endTimer(): void {
    if (!this.#isTimed) return;
    this.#isTimed = false;
    this.#gateway.deadlines.remove(this, this.#delayMs);
  }
}

/** A failure that is final is the one that is told, whichever came first: it is about the call, the other about its place. */
function inOrder(earlier: FailedAttempt, later: FailedAttempt): FailedAttempt[] {
  return verdictOf(earlier.failure).next === 'none' ? [later, earlier] : [earlier, later];
}
