import { OPERATIONS, type UsageRecord } from '../usage/record.ts';
import type { Call, Outcome } from './call.ts';
import type { Gateway } from './gateway.ts';
import { isFree } from './object-call.ts';
import { settleQuota } from './reserve-quota.ts';

/**
 * The last step: the usage record. Runs once a call, before the last byte of the answer is handed on, so that no
 * client has an answer that the ledger does not know.
 */
export function settleCall(gateway: Gateway, call: Call, outcome: Outcome, status: number): void {
  if (call.settled) return;
  call.settled = true;
  // Counting costs nothing, whatever was guessed for a call that was given up.
  const isCount = call.door.operation === 'count';
  const isEstimable = OPERATIONS[call.door.operation].unsaid === 'estimate';
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
    costMicroUsd: isCount || (call.object && isFree(call.object)) ? 0 : null,
    outcome,
    status,
    latencyMs: gateway.monotonicMs() - call.startedMs,
    firstTokenMs: call.firstTokenMs ?? null,
    attempts: call.attempts,
  };
  if (call.reservation) settleQuota(gateway, call.reservation, record);
  // What an answer that broke off had used is known by what came through, not by what was asked.
  gateway.ledger.append(record, outcome === 'ok' && isEstimable ? gateway.lateCounts.plan(call) : undefined);
}
