import { GatewayError } from '../conversation/gateway-error.ts';
import type { Lane } from '../routing/lane.ts';
import { cappedMs } from '../routing/limit.ts';
import { readHeadroom } from '../routing/read-headroom.ts';
import type { Target } from '../routing/target.ts';
import { TOTAL_TIMEOUT, type Verdict, verdictOf } from '../routing/verdict.ts';
import type { AnswerHeaders } from '../upstream/exchange.ts';
import type { AttemptOutcome } from '../usage/record.ts';
import type { Call } from './call.ts';
import { failAddress, hasOtherAddress, restAddress, type TakenAddress } from './choose-address.ts';
import { noteAcceptance, noteFailure, noteNothing } from './credentials.ts';
import type { Gateway } from './gateway.ts';
import type { PlannedAttempt } from './plan.ts';

/** What an attempt says of its place with the first output of a stream, or else with its whole answer. It may still break off. */
export function noteAnswered(
  { lane }: PlannedAttempt,
  call: Call,
  { taken, nowMs }: { taken: TakenAddress | undefined; nowMs: number },
): void {
  taken?.pool.succeed(taken.address);
  if (!lane) return;
  lane.endWait(call.stream, true);
  lane.succeed(nowMs, call.sentMs);
  if (call.stream) noteLatency(lane, call, nowMs);
}

/** What an attempt that went well to its end says of the place and of the credential that it was made with. */
export function noteOk(
  gateway: Gateway,
  planned: PlannedAttempt,
  call: Call,
  taken: TakenAddress | undefined,
): void {
  const { lane } = planned;
  taken?.pool.complete(taken.address);
  lane?.complete();
  if (lane && !call.stream) noteLatency(lane, call, gateway.monotonicMs());
  if (gateway.gone.isAny) gateway.gone.answered(planned.target.name);
  if (planned.account.standing.watched) noteAcceptance(gateway, planned);
}

function noteLatency(lane: Lane, { sentMs, stream, begun, hedging }: Call, nowMs: number): void {
  // What the client waited for was the beginning of an answer that is gone on with, and that was another's.
  if (begun) return;
  lane.noteLatency(stream, nowMs - sentMs, nowMs);
  hedging?.note(stream, nowMs - sentMs);
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
  const nowMs = monotonicMs();
  const noteLargest = (limit: string, left: number) => lane.noteLeft(limit, left, nowMs);
  const headroom = readHeadroom(headers, now(), noteLargest);
  if (headroom) lane.noteHeadroom(headroom, nowMs);
}

interface FailedAt {
  taken: TakenAddress | undefined;
  /** As its record has it. */
  reason: string;
  /** When it was answered, where it broke off behind that. */
  answeredMs: number | undefined;
  /** What was said of the place by the head of its answer already. */
  saidByHead: Verdict['says'] | undefined;
}

/** The same of one that failed, at a server of several where there is a choice. */
export function noteFailed(
  gateway: Gateway,
  planned: PlannedAttempt,
  { startedMs, sentMs, stream }: Pick<Call, 'startedMs' | 'sentMs' | 'stream'>,
  failure: GatewayError,
  { taken, reason, answeredMs, saidByHead }: FailedAt,
): void {
  let { retryAfterMs } = failure;
  const nowMs = gateway.monotonicMs();
  const verdict = verdictOf(failure);
  if (verdict.says === saidByHead) {
    noteFailure(gateway, planned, failure);
    return;
  }
  // An attempt that had little of its call's time says nothing of the place, nor does one server of several that are well, nor a credential
  // on trial of what the account may spend.
  // What it had counts to when that time was over: a busy gateway looks later.
  const { totalMs } = planned.target.timeouts;
  const hadLittle = failure.code === TOTAL_TIMEOUT && startedMs + totalMs - sentMs < totalMs / 2;
  const wasAnswered = answeredMs !== undefined;
  if (taken && !hadLittle) failAddress(taken, failure, verdict, { sentMs, nowMs, reason, wasAnswered });
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
  if (!isAnothers) planned.lane?.fail(verdict, { nowMs, begunMs: sentMs, retryAfterMs, answeredMs });
  else if (!wasAnswered) planned.lane?.forget(nowMs, sentMs);
  // One that broke off behind its first token was not waited for in vain.
  if (verdict.says === 'failing' && !wasAnswered)
    planned.lane?.noteLatencyAtLeast(stream, nowMs - sentMs, nowMs);
  noteFailure(gateway, planned, failure);
}

/** Nothing was sent. */
export function noteUnsent(gateway: Gateway, planned: PlannedAttempt): void {
  const nowMs = gateway.monotonicMs();
  planned.lane?.forget(nowMs, nowMs);
  noteNothing(planned);
}

interface GivenUp {
  taken: TakenAddress | undefined;
  outcome: AttemptOutcome;
  /** Of the answer, where its head had come. */
  status: number | null;
  /** More is known of the place already. */
  wasTold: boolean;
}

/** The client left, or another attempt was faster (`lost`). */
export function noteGivenUp(
  gateway: Gateway,
  planned: PlannedAttempt,
  { sentMs, stream }: Pick<Call, 'sentMs' | 'stream'>,
  { taken, outcome, status, wasTold }: GivenUp,
): void {
  const nowMs = gateway.monotonicMs();
  const { lane } = planned;
  const isUnanswered = !wasTold && outcome === 'cancelled' && status === null;
  // It is a server that hangs where another of its account is well, and else the place.
  if (isUnanswered && lane?.isLong(stream, nowMs - sentMs)) {
    if (taken?.pool.leave(taken.address)) lane.forget(nowMs, sentMs);
    else lane.leave(nowMs, sentMs);
  } else if (!wasTold) lane?.forget(nowMs, sentMs, outcome === 'lost');
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
