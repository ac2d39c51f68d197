import type { Call, Outcome } from './call.ts';
import type { Gateway } from './gateway.ts';

/**
 * The last step: the usage record. Runs once a call, before the last byte of the answer is handed on, so that no
 * client has an answer that the ledger does not know.
 */
export function settleCall(gateway: Gateway, call: Call, outcome: Outcome, status: number): void {
  if (call.settled) return;
  call.settled = true;
  gateway.ledger.append({
    id: call.id,
    startedAt: call.startedAt,
    tenant: call.caller.tenant,
    key: call.caller.key,
    dialect: call.door.dialect.name,
    operation: call.door.operation,
    model: call.model ?? null,
    target: call.target?.name ?? null,
    stream: call.stream,
    usage: call.usage ?? null,
    costMicroUsd: null,
    outcome,
    status,
    latencyMs: gateway.monotonicMs() - call.startedMs,
    firstTokenMs: call.firstTokenMs ?? null,
    attempts: call.attempts,
  });
}
