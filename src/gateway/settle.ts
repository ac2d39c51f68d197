import { addUsage, isPaidOtherwise, NO_USAGE, type Usage, wholeUsage } from '../conversation/usage.ts';
import { findBackground } from '../dialects/background.ts';
import { boundUsage } from '../usage/call-row.ts';
import { isPricedByAttempt, OPERATIONS, type UsageRecord } from '../usage/record.ts';
import { askedTierOf } from './asked-tier.ts';
import { takenInput, takenOutput } from './bound-call.ts';
import type { Call, Outcome } from './call.ts';
import { noteRollout } from './choose-side.ts';
import type { Gateway } from './gateway.ts';
import { judgeLater } from './judge-answer.ts';
import { settleQuota, settleQuotaLate } from './reserve-quota.ts';

/** Notes that a call starts; to be waited for before its first upstream request goes out. */
export function noteStart(gateway: Gateway, call: Call, account: string): void {
  const { operation } = call.door;
  const isFreeCall = operation === 'count' || call.object !== undefined;
  const isEstimable = OPERATIONS[operation].unsaid === 'estimate';
  call.started = gateway.ledger.noteStart({
    id: call.id,
    startedAt: call.startedAt,
    tenant: call.caller.tenant,
    key: call.caller.key,
    dialect: call.door.dialect.name,
    operation,
    model: call.model ?? null,
    target: call.target?.name ?? '',
    account,
    stream: call.stream,
    reservedInput: isEstimable ? takenInput(call) : null,
    reservedOutput: takenOutput(call),
    reservedCostMicroUsd: isFreeCall ? 0 : call.reservedCostMicroUsd,
    countedAlone: call.reservation?.sharedId === undefined,
    tier: isEstimable ? askedTierOf(call) : undefined,
    prompt: call.door.prompt,
  });
}

/**
 * What an attempt used that does not answer stays with it, at the prices that hold for it: when the next one begins, or another answers.
 * So does what is not paid at the price of its target alone.
 */
export function setUsageAside(gateway: Gateway, call: Call, usage: Usage): void {
  call.usage = undefined;
  const { attempt } = call;
  if (!attempt || unsaid(call, usage)) return;
  const isOtherwise = isPaidOtherwise(usage);
  attempt.usage = boundUsage(isOtherwise ? wholeUsage(usage) : usage);
  attempt.costMicroUsd = priceOf(gateway, call, attempt.target, isOtherwise ? usage : attempt.usage);
}

/** Of what no provider counted, and is not to be guessed. */
function unsaid({ door }: Call, { estimated }: Usage): boolean {
  return (
    door.operation === 'count' || (estimated === true && OPERATIONS[door.operation].unsaid !== 'estimate')
  );
}

function priceOf(gateway: Gateway, call: Call, target: string, usage: Usage): number | null {
  const isOwnKind = 'unpublished' in OPERATIONS[call.door.operation];
  return gateway.prices.costMicroUsd(target, usage, call.startedAt, isOwnKind);
}

/** Adds what other attempts used to a record of what the one did that ended the call. */
function addEarlier(gateway: Gateway, call: Call, record: UsageRecord): void {
  const { target, usage } = record;
  let cost = usage && target !== null ? priceOf(gateway, call, target, boundUsage(usage)) : 0;
  for (const attempt of call.attempts) {
    if (!attempt.usage) continue;
    record.usage = addUsage(record.usage ?? NO_USAGE, attempt.usage);
    // What has no price makes the whole one unknown.
    cost = cost === null || attempt.costMicroUsd == null ? null : cost + attempt.costMicroUsd;
  }
  // Of the one that ended it, as the target is; the others tell their own.
  const tier = usage ? usage.tier : call.attempt?.usage?.tier;
  if (tier !== undefined && record.usage) record.usage.tier = tier;
  record.costMicroUsd ??= cost;
}

/**
 * The last step: the usage record. Runs once a call, before the last byte of the answer is handed on (`endAnswer`), so
 * that no client has an answer that the ledger does not know.
 */
export function settleCall(gateway: Gateway, call: Call, outcome: Outcome, status: number): void {
  if (call.settled) return;
  call.settled = true;
  if (call.origin) call.origin.settled = true;
  leavePlace(gateway, call.origin ?? call);
  // Counting costs nothing, whatever was guessed for a call that was given up.
  const isCount = call.door.operation === 'count';
  const isEstimable = OPERATIONS[call.door.operation].unsaid === 'estimate' && !runsOn(call);
  if (call.usage && isPaidOtherwise(call.usage)) setUsageAside(gateway, call, call.usage);
  const record: UsageRecord = {
    id: call.id,
    startedAt: call.startedAt,
    tenant: call.caller.tenant,
    key: call.caller.key,
    dialect: call.door.dialect.name,
    operation: call.door.operation,
    model: call.model ?? null,
    target: call.target?.name ?? null,
    stream: call.stream,
    usage: isCount || (call.usage?.estimated && !isEstimable) ? null : (call.usage ?? null),
    costMicroUsd: isCount || call.object || (call.saved && !isPricedByAttempt(call)) ? 0 : null,
    outcome,
    status,
    latencyMs: gateway.monotonicMs() - call.startedMs,
    firstTokenMs: call.firstTokenMs ?? null,
    attempts: call.attempts,
  };
  const rollout = noteRollout(call, outcome);
  if (rollout && call.rollout) record.rollout = call.rollout.note = rollout;
  if (call.door.prompt !== undefined) record.prompt = call.door.prompt;
  if (call.saved) record.saved = call.saved;
  const hasEarlier = isPricedByAttempt(record);
  if (hasEarlier) addEarlier(gateway, call, record);
  // What an answer that broke off had used is known by what came through, not by what was asked.
  const recount =
    outcome === 'ok' && isEstimable && !hasEarlier && !call.saved ? gateway.lateCounts.plan(call) : undefined;
  const { reservation } = call;
  const late = reservation && recount ? settleQuotaLate(gateway, reservation, record, recount) : undefined;
  if (reservation && !late) settleQuota(gateway, reservation, record);
  gateway.ledger.append(record, judgeLater(gateway, call, record, late ?? recount), call.started);
  late?.begin();
  call.onSettled?.(record);
}

/** Before its client has the last byte: whoever calls one by one never meets its own last call. */
function leavePlace({ places }: Gateway, call: Call): void {
  const { place } = call;
  if (!place) return;
  call.place = undefined;
  places.leave(place);
}

/** Whether what it comes to is not over with the call: what was asked and answered says nothing of that. */
export function runsOn({ body, spans, door }: Call): boolean {
  return door.operation === 'generate' && findBackground(body, spans, door.dialect.name) !== undefined;
}

/** Hands on the end of an answer of a call that is settled, when its record is in the journal: no client has it whole before. */
export function endAnswer(
  gateway: Gateway,
  call: Call,
  last?: Buffer | string,
  encoding: BufferEncoding = 'utf8',
): void {
  if (last !== undefined) call.tap?.push(last, encoding);
  call.last = last;
  call.lastEncoding = encoding;
  gateway.ledger.wait(call);
}
