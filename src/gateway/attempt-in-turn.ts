import { type ErrorKind, GatewayError } from '../conversation/gateway-error.ts';
import { type AttemptMaker, prepareAttempt } from './attempt.ts';
import type { Call } from './call.ts';
import { countLocally, mustCountLocally } from './count-locally.ts';
import { credentialsRejected, noteNothing, noteStandIn, standInFor } from './credentials.ts';
import type { Gateway } from './gateway.ts';
import { leadsElsewhere, MAX_ATTEMPTS, type PlannedAttempt } from './plan.ts';
import { failCall } from './respond.ts';

/** Failures after which another target may do better. */
const FAILOVER_KINDS: ReadonlySet<ErrorKind> = new Set([
  'upstream_unavailable',
  'upstream_timeout',
  'upstream_rate_limited',
]);

/**
 * Makes attempts until one answers, as long as nothing has been answered. A target that cannot express the call is
 * passed over; that is the caller's to know only where no other was tried.
 */
export function attemptInTurn(gateway: Gateway, call: Call, plan: PlannedAttempt[]): void {
  new Turns(gateway, call, plan).next();
}

/** Told by attempts instead of waiting for promises: what is answered by the first, as nearly all is, makes none. */
class Turns implements AttemptMaker {
  readonly #gateway: Gateway;
  readonly #call: Call;
  /** What stands in for a credential is put behind it on the way. */
  readonly #plan: PlannedAttempt[];
  /** Of what comes next. */
  #index = 0;
  #failure: GatewayError | undefined;
  #refusal: unknown;

  constructor(gateway: Gateway, call: Call, plan: PlannedAttempt[]) {
    this.#gateway = gateway;
    this.#call = call;
    this.#plan = plan;
  }

  next(): void {
    const gateway = this.#gateway;
    const call = this.#call;
    for (;;) {
      const planned = this.#plan[this.#index++];
      if (!planned) break;
      if (mustCountLocally(call, planned.target)) {
        countLocally(gateway, call, planned.target).catch((thrown) => failCall(gateway, call, thrown));
        return;
      }
      if (!planned.account.standing.mayTry()) {
        this.#refusal ??= credentialsRejected(planned.target.upstream);
        continue;
      }
      try {
        prepareAttempt(gateway, call, planned, this).send();
        return;
      } catch (thrown) {
        noteNothing(planned);
        this.#refusal ??= thrown;
      }
    }
    failCall(gateway, call, this.#told());
  }

  /**
   * Where a thread's provider fails, what its client answers by sending the whole conversation, which may be answered elsewhere; else
   * the failure.
   */
  #told(): unknown {
    const { pinned } = this.#call;
    if (!this.#failure) return this.#refusal;
    if (this.#refusal instanceof GatewayError && this.#refusal.details) return this.#refusal;
    return pinned?.refuse && leadsElsewhere(this.#call, pinned) ? pinned.refuse() : this.#failure;
  }

  answered(planned: PlannedAttempt): void {
    if (planned.insteadOf && this.#failure) noteStandIn(this.#gateway, planned, this.#failure);
  }

  failed(planned: PlannedAttempt, failure: GatewayError): void {
    // Not from within the connection that has just failed.
    queueMicrotask(() => {
      try {
        this.#goOn(planned, failure);
      } catch (thrown) {
        failCall(this.#gateway, this.#call, thrown);
      }
    });
  }

  #goOn(planned: PlannedAttempt, failure: GatewayError): void {
    const call = this.#call;
    this.#failure = failure;
    if (call.cancelled) return;
    const standIn = call.attempts.length < MAX_ATTEMPTS ? standInFor(planned, failure) : undefined;
    const mayGoOn = standIn !== undefined || FAILOVER_KINDS.has(failure.kind);
    if (!mayGoOn || (call.upload && !call.upload.canReplay)) {
      failCall(this.#gateway, call, failure);
      return;
    }
    if (standIn) this.#plan.splice(this.#index, 0, standIn);
    this.next();
  }
}
