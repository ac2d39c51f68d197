import type { GatewayError } from '../conversation/gateway-error.ts';
import { verdictOf } from '../routing/verdict.ts';
import { noteAcceptance, noteFailure, noteNothing } from './credentials.ts';
import type { Gateway } from './gateway.ts';
import type { PlannedAttempt } from './plan.ts';

/** What an attempt that went well says of the place and of the credential that it was made with. `sentMs`: monotonic. */
export function noteOk(gateway: Gateway, planned: PlannedAttempt, sentMs: number): void {
  planned.lane?.succeed(gateway.monotonicMs(), sentMs);
  if (planned.account.standing.watched) noteAcceptance(gateway, planned);
}

/** The same of one that failed. */
export function noteFailed(
  gateway: Gateway,
  planned: PlannedAttempt,
  sentMs: number,
  failure: GatewayError,
): void {
  const { retryAfterMs } = failure;
  const nowMs = gateway.monotonicMs();
  planned.lane?.fail(verdictOf(failure), { nowMs, begunMs: sentMs, retryAfterMs });
  noteFailure(gateway, planned, failure);
}

/** Nothing was sent, or the client left. */
export function noteUnknown(gateway: Gateway, planned: PlannedAttempt): void {
  planned.lane?.forget(gateway.monotonicMs());
  noteNothing(planned);
}
