import { listRejected } from './gateway/credentials.ts';
import type { Gateway } from './gateway/gateway.ts';
import { CallMetrics } from './telemetry/call-metrics.ts';
import { Metrics } from './telemetry/metrics.ts';
import type { UsageRecord } from './usage/record.ts';

export interface OutsideSources {
  gateway: () => Gateway;
  revision: () => number;
  pendingRecords: () => number;
}

/** What is seen of the gateway from outside: made of usage records when the ledger writes them, and of what is asked when somebody looks. */
export class OutsideView {
  readonly metrics: Metrics;
  readonly #calls: CallMetrics;

  constructor({ gateway, revision, pendingRecords }: OutsideSources) {
    const snapshot = () => gateway().snapshot;
    this.#calls = new CallMetrics({
      isModel: (name) => snapshot().routes.isConfigured(name),
      isTarget: (name) => snapshot().routes.isTarget(name),
    });
    this.metrics = new Metrics({
      calls: this.#calls,
      callsInFlight: () => gateway().calls.size,
      pendingRecords,
      revision,
      rejectedCredentials: () => listRejected(snapshot()),
    });
  }

  /** Of each record once, as the ledger has it. */
  observe(records: readonly UsageRecord[]): void {
    this.#calls.observe(records);
  }

  close(): void {
    this.metrics.close();
  }
}
