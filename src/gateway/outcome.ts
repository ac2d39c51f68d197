import { GatewayError } from '../conversation/gateway-error.ts';
import type { Lane } from '../routing/lane.ts';
import { cappedMs } from '../routing/limit.ts';
import { readHeadroom } from '../routing/read-headroom.ts';
import type { Target } from '../routing/target.ts';
import { TOTAL_TIMEOUT, verdictOf } from '../routing/verdict.ts';
import type { AnswerHeaders } from '../upstream/exchange.ts';
import type { Call } from './call.ts';
import { failAddress, hasOtherAddress, restAddress, type TakenAddress } from './choose-address.ts';
import { noteAcceptance, noteFailure, noteNothing } from './credentials.ts';
import type { Gateway } from './gateway.ts';
import type { PlannedAttempt } from './plan.ts';

/** What an attempt that went well says of the place and of the credential that it was made with. */
export function noteOk(gateway: Gateway, planned: PlannedAttempt, call: Call): void {
  const { lane } = planned;
  if (lane) {
    const { sentMs, startedMs, firstTokenMs, stream, begun } = call;
    const nowMs = gateway.monotonicMs();
    const tokenMs = firstTokenMs === undefined ? nowMs : startedMs + firstTokenMs;
    const tookMs = (stream ? tokenMs : nowMs) - sentMs;
    lane.succeed(nowMs, sentMs);
    // The first token of an answer that was gone on with was another's.
    if (!begun) {
      lane.noteLatency(stream, tookMs, nowMs);
      call.hedging?.note(stream, tookMs);
    }
  }
  if (gateway.gone.isAny) gateway.gone.answered(planned.target.name);
  if (planned.account.standing.watched) noteAcceptance(gateway, planned);
}

/** What it says of the place that another attempt was faster. */
export function noteLost(
  { monotonicMs }: Gateway,
  { lane }: PlannedAttempt,
  { hedging, stream, sentMs }: Call,
): void {
  // The second of two was begun later: that it lost says nothing.
  if (!hedging) return;
  const nowMs = monotonicMs();
  hedging.note(stream, nowMs - sentMs);
  lane?.noteLatencyAtLeast(stream, nowMs - sentMs, nowMs);
}

/** What an answer says of the limits of the account. */
export function noteHeadroom({ now, monotonicMs }: Gateway, lane: Lane, headers: AnswerHeaders): void {
  const headroom = readHeadroom(headers, now());
  if (headroom) lane.noteHeadroom(headroom, monotonicMs());
}

/** The same of one that failed, at a server of several where there is a choice. `reason`: as its record has it. */
export function noteFailed(
  gateway: Gateway,
  planned: PlannedAttempt,
  { sentMs, stream, firstTokenMs }: Pick<Call, 'sentMs' | 'stream' | 'firstTokenMs'>,
  failure: GatewayError,
  { taken, reason }: { taken: TakenAddress | undefined; reason: string },
): void {
  let { retryAfterMs } = failure;
  const nowMs = gateway.monotonicMs();
  const verdict = verdictOf(failure);
  // An attempt that had little of its call's time says nothing of the place, nor does one server of several that are well, nor a credential
  // on trial of what the account may spend.
  const hadLittle = failure.code === TOTAL_TIMEOUT && nowMs - sentMs < planned.target.timeouts.totalMs / 2;
  if (taken && !hadLittle) failAddress(taken, failure, verdict, { sentMs, nowMs, reason });
  const isAnothers =
    hadLittle ||
    (verdict.says === 'failing' && hasOtherAddress(planned, 1)) ||
    ((verdict.says === 'spent' || verdict.says === 'shut') && planned.account.standing.trial !== undefined);
  // What fails is a server, and so is what says when it will be well; a limit is the account's.
  if (verdict.says === 'failing' && retryAfterMs !== undefined) {
    if (restAddress(planned, cappedMs(retryAfterMs))) {
      retryAfterMs = undefined;
      planned.lane?.noteRest();
    }
  }
  if (isAnothers) planned.lane?.forget(nowMs, sentMs);
  else planned.lane?.fail(verdict, { nowMs, begunMs: sentMs, retryAfterMs });
  // One that broke off behind its first token was not waited for in vain.
  if (verdict.says === 'failing' && firstTokenMs === undefined)
    planned.lane?.noteLatencyAtLeast(stream, nowMs - sentMs, nowMs);
  noteFailure(gateway, planned, failure);
}

/** Nothing was sent, or the client left, or another attempt overtook (`overtaken`) the one that was sent at `sentMs`. */
export function noteUnknown(
  gateway: Gateway,
  planned: PlannedAttempt,
  sentMs: number,
  overtaken = false,
): void {
  planned.lane?.forget(gateway.monotonicMs(), sentMs, overtaken);
  noteNothing(planned);
}

/** The time of the whole call is over: its wait for a place, its attempts and the pauses between them. */
export function totalTimeout({ upstream, timeouts }: Target): GatewayError {
  return new GatewayError(
    'upstream_timeout',
    `The call did not finish within ${timeouts.totalMs / 1000} s, which is all that it may take (timeouts.total). It was for the provider '${upstream.name}' last.`,
    { code: TOTAL_TIMEOUT, reason: 'total_timeout' },
  );
}
