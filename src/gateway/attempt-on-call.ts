import type { GatewayError } from '../conversation/gateway-error.ts';
import type { AttemptOutcome, AttemptRecord } from '../usage/record.ts';
import type { Call } from './call.ts';
import type { Gateway } from './gateway.ts';
import { tellDropped } from './name-dropped.ts';
import { noteAdapted } from './note-adapted.ts';
import type { PlannedAttempt } from './plan.ts';
import type { UpstreamRequest } from './prepare.ts';
import type { CommittingReceiver } from './receiver.ts';
import { sendError, toGatewayError } from './respond.ts';
import { settleCall, setUsageAside } from './settle.ts';

/** An attempt begins: the call is at its target from now on. Gives its record. */
export function beginOnCall(
  gateway: Gateway,
  call: Call,
  { target, account, lane }: PlannedAttempt,
  { dialect }: UpstreamRequest,
): AttemptRecord {
  call.sentMs = gateway.monotonicMs();
  lane?.beginWait(call.stream, call.sentMs);
  const record: AttemptRecord = {
    target: target.name,
    account: account.name,
    startedAfterMs: call.sentMs - call.startedMs,
    durationMs: 0,
    status: null,
    outcome: 'ok',
  };
  noteAdapted(record, call);
  if (call.usage) setUsageAside(gateway, call, call.usage);
  call.target = target;
  call.spoken = dialect;
  call.ends = undefined;
  call.attempt = record;
  call.attempts.push(record);
  return record;
}

/** The attempt is over. */
export function endOnCall(
  gateway: Gateway,
  call: Call,
  record: AttemptRecord,
  outcome: AttemptOutcome,
): void {
  record.durationMs = gateway.monotonicMs() - call.sentMs;
  record.outcome = outcome;
  if (call.droppedOfAnswer?.length) tellDropped(gateway, call, record);
}

/**
 * A step of the end of an attempt, which timers bring about, too: what is thrown there would end the process. Gives whether nothing was
 * thrown; what was is logged, for the call has its error already.
 */
export function tryStep(gateway: Gateway, call: Call, step: () => void): boolean {
  try {
    step();
    return true;
  } catch (thrown) {
    toGatewayError(gateway, call, thrown);
    return false;
  }
}

/** The answer broke off after bytes of it had gone to the client. */
export function breakOffOnCall(
  gateway: Gateway,
  call: Call,
  receiver: CommittingReceiver | undefined,
  error: GatewayError,
): void {
  const { id, target, response } = call;
  const { kind, message: reason } = error;
  gateway.log.warn({ call: id, target: target?.name, kind, reason }, 'an answer broke off');
  if (tryStep(gateway, call, () => receiver?.breakOff(error))) return;
  response.destroy();
  tryStep(gateway, call, () => settleCall(gateway, call, kind, 200));
}

/** What a step throws behind the end of its attempt: nobody else would ever end the call. */
export function endAfterAttempt(gateway: Gateway, call: Call, error: GatewayError): void {
  const { response, settled } = call;
  const isTold =
    !settled && !response.headersSent && tryStep(gateway, call, () => sendError(gateway, call, error));
  if (!isTold) response.destroy();
}
