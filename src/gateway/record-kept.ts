import type { ServerResponse } from 'node:http';
import { GatewayError } from '../conversation/gateway-error.ts';
import type { UsageRecord } from '../usage/record.ts';
import type { Gateway } from './gateway.ts';
import type { Caller } from './snapshot.ts';

/** What is known of a call about a kept response before it is answered. */
export interface KeptCall {
  id: string;
  caller: Caller;
  response: ServerResponse;
  /** `provider/model-version` of what is kept, once it was found. */
  target?: string;
}

/** Answers a call about a kept response and records it: no model runs, so it costs nothing. */
export async function recordKept<Answer>(
  gateway: Gateway,
  call: KeptCall,
  answer: () => Promise<Answer>,
): Promise<Answer> {
  const startedAt = gateway.now();
  const startedMs = gateway.monotonicMs();
  const record = (outcome: UsageRecord['outcome'], status: number) =>
    gateway.ledger.append({
      id: call.id,
      startedAt,
      tenant: call.caller.tenant,
      key: call.caller.key,
      dialect: 'responses',
      operation: 'response',
      model: null,
      target: call.target ?? null,
      stream: false,
      usage: null,
      costMicroUsd: 0,
      outcome,
      status,
      latencyMs: gateway.monotonicMs() - startedMs,
      firstTokenMs: null,
      attempts: [],
    });
  try {
    const answered = await answer();
    const { response } = call;
    const isGone = response.destroyed && !response.writableFinished;
    record(isGone ? 'cancelled' : 'ok', isGone ? 499 : response.statusCode);
    return answered;
  } catch (thrown) {
    const error = thrown instanceof GatewayError ? thrown : new GatewayError('internal', '');
    record(error.kind, error.status);
    throw thrown;
  }
}
