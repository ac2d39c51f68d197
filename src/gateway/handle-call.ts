import { type ErrorKind, GatewayError } from '../conversation/gateway-error.ts';
import { admitCall, admitUpload } from './admit.ts';
import { makeAttempt } from './attempt.ts';
import type { Call } from './call.ts';
import { captureCall } from './capture-call.ts';
import { namesHeld, planHeld } from './check-held.ts';
import { countLocally, mustCountLocally } from './count-locally.ts';
import { credentialsRejected, noteNothing, noteStandIn, standInFor } from './credentials.ts';
import type { Gateway } from './gateway.ts';
import { MAX_ATTEMPTS, type PlannedAttempt, planAttempts } from './plan.ts';
import { planObject } from './plan-object.ts';
import { reserveQuota } from './reserve-quota.ts';
import { sendError, toGatewayError } from './respond.ts';
import { resumeCall } from './resume-call.ts';
import { settleCall } from './settle.ts';

/**
 * The way of a call: admit (and, where it goes on from an earlier answer, resume), plan, reserve what it needs of its
 * limits, attempt (which relays), settle. Relaying settles by itself just before the last byte of an answer; what ends without an answer is settled
 * with its error here.
 */
export async function handleCall(gateway: Gateway, call: Call): Promise<void> {
  gateway.calls.add(call);
  // A connection that is gone shows as 'close', too; without a listener an 'error' would end the process.
  call.response.on('error', (err) =>
    gateway.log.warn({ call: call.id, err }, 'an answer could not be written'),
  );
  call.response.on('close', () => {
    gateway.calls.remove(call);
    call.upload?.close();
    if (!call.settled || !call.response.writableFinished) cancelCall(gateway, call);
    if (call.tap) captureCall(gateway, call, call.tap);
  });
  try {
    const plan = await planCall(gateway, call);
    if (call.cancelled || call.settled) return;
    const waiting = reserveQuota(gateway, call, plan);
    if (waiting) await waiting;
    if (call.cancelled || call.settled) return;
    await attemptInTurn(gateway, call, plan);
  } catch (thrown) {
    if (!call.cancelled) sendError(gateway, call, toGatewayError(gateway, call, thrown));
  }
}

/** Admits a call and plans it. What calls a model with all that it needs in its body, as nearly all do, waits for nothing. */
function planCall(gateway: Gateway, call: Call): PlannedAttempt[] | Promise<PlannedAttempt[]> {
  if (call.object) return planObject(gateway, call, call.object);
  if (call.upload) return admitUpload(call, call.upload).then(() => planAttempts(call));
  admitCall(call);
  if (call.door.keepsAnswers) return resumeCall(gateway, call).then(() => planNamed(gateway, call));
  return planNamed(gateway, call);
}

function planNamed(gateway: Gateway, call: Call): PlannedAttempt[] | Promise<PlannedAttempt[]> {
  return namesHeld(call) ? planHeld(gateway, call) : planAttempts(call);
}

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
async function attemptInTurn(gateway: Gateway, call: Call, plan: PlannedAttempt[]): Promise<void> {
  let failure: GatewayError | undefined;
  let refusal: unknown;
  // What stands in for a credential is put behind it on the way.
  for (let index = 0; index < plan.length; index++) {
    const planned = plan[index];
    if (!planned) break;
    if (mustCountLocally(call, planned.target)) return countLocally(gateway, call, planned.target);
    if (!planned.account.standing.mayTry()) {
      refusal ??= credentialsRejected(planned.target.upstream);
      continue;
    }
    let attempt: Promise<GatewayError | undefined>;
    try {
      attempt = makeAttempt(gateway, call, planned);
    } catch (thrown) {
      noteNothing(planned);
      refusal ??= thrown;
      continue;
    }
    const before = failure;
    failure = await attempt;
    if (!failure && before && planned.insteadOf) noteStandIn(gateway, planned, before);
    if (!failure || call.cancelled) return;
    const standIn = call.attempts.length < MAX_ATTEMPTS ? standInFor(planned, failure) : undefined;
    if (!standIn && !FAILOVER_KINDS.has(failure.kind)) break;
    if (call.upload && !call.upload.canReplay) break;
    if (standIn) plan.splice(index + 1, 0, standIn);
  }
  throw failure ?? refusal;
}

/** Ends a call that may not go on, because the gateway stops: its client is told. */
export function interruptCall(call: Call, error: GatewayError): void {
  if (call.running) call.running.fail(error);
  else call.response.destroy();
}

/** The client went away before its answer was whole: the provider is told at once, and what was made is accounted. */
function cancelCall(gateway: Gateway, call: Call): void {
  if (call.cancelled) return;
  call.cancelled = true;
  call.running?.abandon(new GatewayError('cancelled', 'The client closed the connection.'));
  settleCall(gateway, call, 'cancelled', 499);
}
