import { listRejected } from './gateway/credentials.ts';
import type { Gateway } from './gateway/gateway.ts';
import { AttemptWindow } from './telemetry/attempt-window.ts';
import { CallMetrics } from './telemetry/call-metrics.ts';
import { describeHealth, type Health } from './telemetry/health.ts';
import type { KnownNames } from './telemetry/known-names.ts';
import { Metrics } from './telemetry/metrics.ts';
import type { UsageRecord } from './usage/record.ts';

export interface OutsideSources {
  gateway: () => Gateway;
  revision: () => number;
  pendingRecords: () => number;
  /** Unix milliseconds. */
  now: () => number;
}

/** What is seen of the gateway from outside: made of usage records when the ledger writes them, and of what is asked when somebody looks. */
export class OutsideView {
  readonly metrics: Metrics;
  readonly #gateway: () => Gateway;
  readonly #calls: CallMetrics;
  readonly #attempts: AttemptWindow;

  constructor({ gateway, revision, pendingRecords, now }: OutsideSources) {
    const snapshot = () => gateway().snapshot;
    const names: KnownNames = {
      isModel: (name) => snapshot().routes.isConfigured(name),
      isTarget: (name) => snapshot().routes.isTarget(name),
    };
    this.#gateway = gateway;
    this.#calls = new CallMetrics(names);
    this.#attempts = new AttemptWindow(names, now);
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
    this.#attempts.observe(records);
  }

  describeHealth(): Health {
    const { routes } = this.#gateway().snapshot;
    return describeHealth({
      upstreams: routes.upstreams.values(),
      models: routes.configured(),
      attempts: this.#attempts.all(),
      // Routing's, as soon as it has circuits; `Metrics` takes them, too.
      breakers: [],
    });
  }

  close(): void {
    this.metrics.close();
  }
}
