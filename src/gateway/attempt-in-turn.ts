import { GatewayError } from '../conversation/gateway-error.ts';
import { LARGER_THAN_LIMIT } from '../dialects/larger-than-limit.ts';
import { Itinerary, type Next } from '../routing/itinerary.ts';
import { divertedRefusal, saysForeignReasoning } from '../routing/refusals.ts';
import { type Verdict, verdictOf, verdictOfContinuation } from '../routing/verdict.ts';
import type { Timed } from '../upstream/deadlines.ts';
import { allCool } from './all-cool.ts';
import { prepareAttempt } from './attempt.ts';
import type { Call, RunningAttempt } from './call.ts';
import { hasAddress, hasOtherAddress, noAddress } from './choose-address.ts';
import { behindCandidate, isForCandidate, isRefusedCandidate } from './choose-side.ts';
import { endBegun } from './continue-stream.ts';
import { countLocally, countsInstead, mustCountLocally } from './count-locally.ts';
import { credentialsRejected, noteNothing, noteStandIn, standInFor } from './credentials.ts';
import { withFirstTime } from './first-time.ts';
import type { Gateway } from './gateway.ts';
import { mayGoOnAt } from './go-on-from.ts';
import { type FailedAttempt, Hedge, type HedgingMaker } from './hedge.ts';
import { noteUnsent, totalTimeout } from './outcome.ts';
import { leadsElsewhere, MAX_ATTEMPTS, type PlannedAttempt } from './plan.ts';
import { mayRepair } from './repair-output.ts';
import { failCall } from './respond.ts';

/** Nobody is told to try again at once. */
const LEAST_RETRY_MS = 1_000;

/**
 * Makes attempts until one answers, as long as nothing has been answered. A target that cannot express the call is
 * passed over; that is the caller's to know only where no other was tried.
 */
export function attemptInTurn(gateway: Gateway, call: Call, plan: PlannedAttempt[]): void {
  new Turns(gateway, call, plan).next();
}

/** Told by attempts instead of waiting for promises: what is answered by the first, as nearly all is, makes none. */
class Turns implements HedgingMaker, RunningAttempt, Timed {
  readonly #gateway: Gateway;
  readonly #call: Call;
  readonly #plan: readonly PlannedAttempt[];
  readonly #itinerary: Itinerary<PlannedAttempt>;
  readonly #divertsBlocked: boolean;
  #failure: GatewayError | undefined;
  /** That the call is larger than the limit of an account, where its model has fallbacks for what is too long. */
  #tooLarge: GatewayError | undefined;
  /** That for which the call was led elsewhere. */
  #diverted: GatewayError | undefined;
  #refusal: unknown;
  /** Whose provider has said that it does not count it. */
  #uncounted: PlannedAttempt['target'] | undefined;
  /** The attempt that is to be made when its pause is over. */
  #waiting: Next<PlannedAttempt> | undefined;
  #isWaiting = false;
  #waitMs = 0;
  dueMs = 0;
  earlier: Timed | undefined;
  later: Timed | undefined;

  constructor(gateway: Gateway, call: Call, plan: PlannedAttempt[]) {
    this.#gateway = gateway;
    this.#call = call;
    this.#plan = plan;
    this.#divertsBlocked = plan.some(({ only }) => only === 'contentPolicy');
    this.#itinerary = new Itinerary(plan.some(({ only }) => only) ? plan.filter(({ only }) => !only) : plan, {
      retries: call.retries,
      recoveryMs: call.recoveryMs,
      random: gateway.random,
      mayTry: (planned) => this.#mayTry(planned),
    });
  }

  next(): void {
    for (;;) {
      const next = this.#itinerary.next(this.#gateway.monotonicMs()) ?? this.#nextForLength();
      if (!next) {
        if (this.#waitsForRecovery()) return;
        break;
      }
      if (next.waitMs > 0) {
        if (next.waitMs < this.#leftMs(next.stop)) {
          this.#wait(next.waitMs, next);
          return;
        }
        // It would come too late. A credential that it was to probe is for the next call.
        noteNothing(next.stop);
        this.#itinerary.takeBack();
        continue;
      }
      if (this.#attempt(next.stop)) return;
    }
    if (this.#uncounted) this.#countLocally(this.#uncounted);
    else this.#end(this.#told());
  }

  /** Where a call goes that is too large for the limits of accounts, when all other places have had their turn. */
  #nextForLength(): Next<PlannedAttempt> | undefined {
    if (!this.#tooLarge || this.#diverted) return undefined;
    this.#diverted = this.#tooLarge;
    this.#itinerary.divert(this.#plan.filter(({ only }) => only === 'contextLength'));
    return this.#itinerary.next(this.#gateway.monotonicMs());
  }

  #countLocally(target: PlannedAttempt['target']): void {
    countLocally(this.#gateway, this.#call, target).catch((thrown) =>
      failCall(this.#gateway, this.#call, thrown),
    );
  }

  /** Gives whether the call is under way. */
  #attempt(planned: PlannedAttempt): boolean {
    const gateway = this.#gateway;
    const call = this.#call;
    if (mustCountLocally(call, planned.target)) {
      this.#countLocally(planned.target);
      return true;
    }
    try {
      call.divertsBlocked = this.#divertsBlocked && planned.only === undefined;
      const isHedged = call.hedgeAfterMs !== undefined && call.attempts.length === 0;
      const hedge = isHedged ? new Hedge(gateway, call, this) : undefined;
      const attempt = prepareAttempt(gateway, call, planned, hedge ?? this);
      hedge?.watch(attempt, planned);
      attempt.send();
      return true;
    } catch (thrown) {
      this.takeBack(planned);
      this.#refusal ??= thrown;
      // What its candidate cannot be told stays with the model, and is on no side.
      if (isForCandidate(call, planned)) call.rollout = undefined;
      return false;
    }
  }

  #mayTry(planned: PlannedAttempt): boolean {
    const { account, target } = planned;
    if (this.#call.begun && !mayGoOnAt(this.#call, planned)) return false;
    if (this.#leftMs(planned) <= 0) {
      this.#refusal ??= totalTimeout(target);
      return false;
    }
    // Who asks nobody needs neither a server nor a credential.
    if (mustCountLocally(this.#call, target)) return true;
    if (!hasAddress(planned)) {
      this.#refusal ??= noAddress(target.upstream);
      return false;
    }
    if (account.standing.mayTry()) return true;
    this.#refusal ??= credentialsRejected(target.upstream);
    return false;
  }

  /** How much of the call's time is left for a target. */
  #leftMs({ target }: PlannedAttempt): number {
    return this.#call.startedMs + target.timeouts.totalMs - this.#gateway.monotonicMs();
  }

  /**
   * Whether a place is waited for that may be back in time. Those who wait for a place among the calls that run have it before: then what is
   * held back for that is tried at once.
   */
  #waitsForRecovery(): boolean {
    const pauseMs = this.#itinerary.recoveryPauseMs();
    if (pauseMs === undefined) return false;
    const isInTime = this.#plan.some((planned) => pauseMs < this.#leftMs(planned));
    if (isInTime && this.#gateway.places.waiting === 0) {
      this.#wait(pauseMs);
      return true;
    }
    this.#itinerary.endRecovery();
    this.next();
    return true;
  }

  /** `next`: what is to come then; absent: it is to be looked for. */
  #wait(waitMs: number, next?: Next<PlannedAttempt>): void {
    // Waits that are about as long share a timer.
    this.#waitMs = Math.ceil(waitMs / 10) * 10;
    this.#isWaiting = true;
    this.#waiting = next;
    this.#call.running = this;
    this.#gateway.deadlines.add(this, this.#gateway.monotonicMs(), this.#waitMs);
  }

  /** The pause before an attempt is over. */
  expire(): void {
    const next = this.#waiting;
    this.#isWaiting = false;
    this.#waiting = undefined;
    this.#call.running = undefined;
    if (this.#call.cancelled) return;
    try {
      if (!next) {
        this.next();
        return;
      }
      const isThere = this.#itinerary.arrive(next, this.#gateway.monotonicMs());
      // Its credential was to be probed: that is for the next call then.
      if (!isThere) noteNothing(next.stop);
      if (!isThere || !this.#attempt(next.stop)) this.next();
    } catch (thrown) {
      this.#end(thrown);
    }
  }

  /** The client has gone while the call waited for its next attempt. */
  abandon(): void {
    this.#endWait();
  }

  fail(error: GatewayError): void {
    this.#endWait();
    this.#end(error);
  }

  #endWait(): void {
    if (!this.#isWaiting) return;
    if (this.#waiting) noteNothing(this.#waiting.stop);
    this.#isWaiting = false;
    this.#waiting = undefined;
    this.#call.running = undefined;
    this.#gateway.deadlines.remove(this, this.#waitMs);
  }

  /**
   * Where a thread's provider fails, what its client answers by sending the whole conversation, which may be answered elsewhere; where
   * those fail that a refused call was led to, the refusal: sent again, the call would be refused again; else the failure.
   */
  #told(): unknown {
    const { pinned } = this.#call;
    if (!this.#failure) return this.#refusal ?? this.#leftAlone();
    if (this.#diverted && this.#failure.kind !== 'upstream_rejected') return this.#diverted;
    if (this.#refusal instanceof GatewayError && this.#refusal.details) return this.#refusal;
    if (pinned?.refuse && leadsElsewhere(this.#call, pinned)) return pinned.refuse();
    const places = this.#plan.filter(({ only }) => !only);
    return withFirstTime(this.#failure, places, this.#gateway.monotonicMs());
  }

  /** Every place wants to be left alone. */
  #leftAlone(): GatewayError {
    const leftMs = this.#itinerary.coolsMs(this.#gateway.monotonicMs()) ?? 0;
    const names = new Set(this.#plan.map(({ target }) => target.upstream.name));
    // One whose time is over may come too late for this call.
    return allCool([...names], this.#itinerary.namedFor, leftMs > 0 ? leftMs : LEAST_RETRY_MS);
  }

  continues(failure: GatewayError, hasSaid: boolean): boolean {
    const call = this.#call;
    const verdict = call.begun && !hasSaid ? verdictOfContinuation(failure) : verdictOf(failure);
    if (!call.continues || verdict.next === 'none') return false;
    return call.attempts.length < MAX_ATTEMPTS && this.#plan.some((planned) => mayGoOnAt(call, planned));
  }

  /** Ends the call without an answer, or without the rest of one. */
  #end(thrown: unknown): void {
    const { begun } = this.#call;
    if (!begun) failCall(this.#gateway, this.#call, thrown);
    else if (!this.#call.cancelled) endBegun(this.#gateway, this.#call, begun, thrown);
  }

  answered(planned: PlannedAttempt): void {
    if (planned.insteadOf && this.#failure) noteStandIn(this.#gateway, planned, this.#failure);
  }

  failed(planned: PlannedAttempt, failure: GatewayError, used: boolean): void {
    this.failedAll([{ planned, failure, used }]);
  }

  /** `failed`: in the order in which they did. */
  failedAll(failed: readonly FailedAttempt[]): void {
    // Not from within the connection that has just failed.
    queueMicrotask(() => {
      try {
        this.#goOn(failed);
      } catch (thrown) {
        this.#end(thrown);
      }
    });
  }

  /** Where a call goes on that was refused for what it is, if its model has such targets. They are not diverted from again. */
  #divertedFor(planned: PlannedAttempt, failure: GatewayError): PlannedAttempt[] | undefined {
    const { only } = planned;
    const behind = isRefusedCandidate(this.#call, planned, failure) && behindCandidate(this.#plan, planned);
    if (behind && behind.length > 0) return behind;
    const refusal = only === undefined ? divertedRefusal(failure) : undefined;
    const isPlace = (other: PlannedAttempt) =>
      other.only === refusal && (!this.#call.begun || mayGoOnAt(this.#call, other));
    const places = refusal && this.#plan.filter(isPlace);
    return places && places.length > 0 ? places : undefined;
  }

  #goOn(failed: readonly FailedAttempt[]): void {
    const call = this.#call;
    if (call.cancelled) return;
    if (call.upload && !call.upload.canReplay) {
      this.#end(failed.at(-1)?.failure);
      return;
    }
    if (call.begun) {
      this.#itinerary.keepOnly((planned) => mayGoOnAt(call, planned));
      // A client is not kept waiting in the midst of an answer: no attempt is saved for later.
      this.#itinerary.endRecovery();
    }
    // What was made beside it tells nothing more.
    const repairable = failed.find(({ failure }) => mayRepair(call, failure));
    for (const one of repairable ? [repairable] : failed) this.#learn(one);
    this.next();
  }

  /** What a failure says of where the call goes on. */
  #learn({ planned, failure, used }: FailedAttempt): void {
    const verdict = this.#call.begun ? verdictOfContinuation(failure) : verdictOf(failure);
    // What is refused of an answer that others began is nothing that the client asked for.
    const isOfOthers = this.#call.begun !== undefined && verdict.says === 'well';
    if (!isOfOthers) this.#failure = failure;
    if (failure.reason === LARGER_THAN_LIMIT && this.#plan.some(({ only }) => only === 'contextLength')) {
      this.#tooLarge ??= failure;
    }
    if (countsInstead(this.#call, planned.target, failure)) this.#uncounted ??= planned.target;
    const room = MAX_ATTEMPTS - this.#call.attempts.length;
    if (room > 0 && this.#leavesReasoning(planned, failure)) return;
    if (room > 0 && mayRepair(this.#call, failure)) {
      this.#call.repairs = [...(this.#call.repairs ?? []), failure];
      this.#itinerary.prepend(planned);
      return;
    }
    const standIn = room > 0 ? standInFor(planned, failure) : undefined;
    // What was generated is billed, though nobody saw it: the same is not bought there twice.
    const again = verdict.again && !used && (!this.#call.begun || mayGoOnAt(this.#call, planned));
    const diverted = this.#divertedFor(planned, failure);
    if (diverted) {
      if (!isOfOthers) this.#diverted = failure;
      this.#itinerary.divert(diverted);
    } else if (standIn) this.#itinerary.prepend(standIn);
    else if (
      verdict.says === 'failing' &&
      hasOtherAddress(planned, room) &&
      this.#mayGoOnAt(planned, verdict)
    )
      this.#itinerary.goOnAt(planned, verdict.unreachable === true || verdict.lost === true);
    else this.#itinerary.failed(planned, { ...verdict, again });
  }

  /**
   * A thread with reasoning that its provider does not take: one that a rollout had moved stays where it began, any other goes without.
   * Gives whether the call goes on so.
   */
  #leavesReasoning(planned: PlannedAttempt, failure: GatewayError): boolean {
    const call = this.#call;
    if (call.disownsReasoning || call.upload || !saysForeignReasoning(failure)) return false;
    const behind = isForCandidate(call, planned) ? behindCandidate(this.#plan, planned) : [];
    if (call.rollout && behind.length > 0) {
      const release = call.rollout.moved?.rollout.origin?.stable.number;
      call.rollout = { ...call.rollout, side: 'stable', release, isByRule: true, isElsewhere: true };
      this.#itinerary.divert(behind);
    } else {
      call.disownsReasoning = true;
      this.#itinerary.prepend(planned);
    }
    return true;
  }

  /** Another server costs nothing where there was no connection to the one before; else it takes no other target's turn. */
  #mayGoOnAt(planned: PlannedAttempt, { unreachable }: Verdict): boolean {
    return unreachable === true || this.#itinerary.canSpare(planned, this.#gateway.monotonicMs());
  }

  takeOther(underWay: PlannedAttempt): PlannedAttempt | undefined {
    if (this.#call.attempts.length >= MAX_ATTEMPTS) return undefined;
    return this.#itinerary.beside(this.#gateway.monotonicMs(), underWay);
  }

  takeBack(planned: PlannedAttempt): void {
    noteUnsent(this.#gateway, planned);
    this.#itinerary.takeBack();
  }
}
