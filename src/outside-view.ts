import type { Config } from './config/resolve.ts';
import type { ControlNews } from './control/control-news.ts';
import { listRejected } from './gateway/credentials.ts';
import type { Gateway } from './gateway/gateway.ts';
import type { MetricsPage } from './http/operations-doors.ts';
import type { BreakerReading } from './routing/lane-book.ts';
import type { WorkerSeat } from './running-app.ts';
import type { Store } from './store/store.ts';
import { Alerts } from './telemetry/alerts.ts';
import { AttemptWindow } from './telemetry/attempt-window.ts';
import { CallMetrics } from './telemetry/call-metrics.ts';
import { describeHealth, type Health } from './telemetry/health.ts';
import type { KnownNames } from './telemetry/known-names.ts';
import { Metrics, type PlacesReading } from './telemetry/metrics.ts';
import { scheduleTimeout } from './usage/ledger.ts';
import type { UsageRecord } from './usage/record.ts';
import { type WebhookProblem, Webhooks } from './webhooks/webhooks.ts';

export interface OutsideSources {
  store: Store;
  news: ControlNews;
  /** What is in force. */
  config: () => Config;
  gateway: () => Gateway;
  revision: () => number;
  pendingRecords: () => number;
  places: () => PlacesReading;
  /** Routing's circuits, for metrics and health; absent as long as it has none. */
  breakers?: () => Iterable<BreakerReading>;
  /** Absent where the gateway is one process. */
  worker?: WorkerSeat | undefined;
  /** Unix milliseconds. */
  now: () => number;
}

/** What is seen of the gateway from outside: made of usage records when the ledger writes them, and of what is asked when somebody looks. */
export class OutsideView {
  readonly metrics: Metrics;
  readonly webhooks: Webhooks;
  readonly #gateway: () => Gateway;
  readonly #breakers: OutsideSources['breakers'];
  readonly #calls: CallMetrics;
  readonly #attempts: AttemptWindow;
  readonly #alerts: Alerts;
  readonly #now: () => number;
  readonly #worker: WorkerSeat | undefined;

  constructor(sources: OutsideSources) {
    const { store, news, config, gateway, breakers, places, revision, pendingRecords, now } = sources;
    const snapshot = () => gateway().snapshot;
    const names: KnownNames = {
      isModel: (name) => snapshot().routes.isConfigured(name),
      isTarget: (name) => snapshot().routes.isTarget(name),
    };
    this.#gateway = gateway;
    this.#breakers = breakers;
    this.#now = now;
    this.#worker = sources.worker;
    this.#calls = new CallMetrics(names);
    this.#attempts = new AttemptWindow(names, now);
    this.metrics = new Metrics({
      calls: this.#calls,
      callsInFlight: () => gateway().calls.size,
      places,
      pendingRecords,
      revision,
      rejectedCredentials: () => listRejected(snapshot()),
      ...(breakers && { breakers }),
    });
    this.webhooks = new Webhooks({
      ...{ db: store.db, now, random: Math.random, schedule: scheduleTimeout, fetch: globalThis.fetch },
      webhooks: () => config().webhooks,
      onProblem: (problem) => tellWebhookProblem(news, problem),
    });
    this.#alerts = new Alerts({
      ...{ now, schedule: scheduleTimeout },
      rules: () => config().alerts,
      tell: (severity, kind, message, details) => news.tell(severity, kind, message, details),
    });
  }

  /** What Prometheus is told: of all workers, where there are several. */
  get metricsPage(): MetricsPage {
    const { contentType } = this.metrics;
    const worker = this.#worker;
    return worker ? { contentType, render: () => worker.scrape() } : this.metrics;
  }

  /** The store is up to date, and what was left in it is sent. */
  start(): void {
    this.webhooks.start();
    this.#alerts.start();
  }

  /** Of each record once, as the ledger has it. */
  observe(records: readonly UsageRecord[]): void {
    this.#calls.observe(records);
    this.#attempts.observe(records);
    this.#alerts.observe(records);
  }

  describeHealth(): Health {
    const { routes } = this.#gateway().snapshot;
    return describeHealth({
      worker: this.#worker?.seat.number,
      upstreams: routes.upstreams.values(),
      models: routes.configured(),
      attempts: this.#attempts.all(),
      breakers: this.#breakers?.() ?? [],
      nowMs: this.#now(),
    });
  }

  /** Events that are noted from now on are sent at the next start. */
  async stop(): Promise<void> {
    this.metrics.close();
    this.#alerts.stop();
    await this.webhooks.stop();
  }
}

function tellWebhookProblem(news: ControlNews, problem: WebhookProblem): void {
  switch (problem.kind) {
    case 'webhook_failed': {
      const { kind, ...details } = problem;
      news.log.warn(
        { ...details, event: kind, about: problem.event },
        'a webhook did not take an event: it is sent again',
      );
      return;
    }
    case 'webhook_store_failed':
      news.log.error(
        { event: problem.kind, err: problem.error },
        'the store cannot be asked for what webhooks are to be sent',
      );
      return;
    case 'webhook_given_up': {
      const { kind, ...details } = problem;
      const message = `The webhook '${problem.webhook}' did not take an event: it is not sent any more.`;
      news.tellOften('warning', kind, message, details, details, problem.webhook);
      return;
    }
    case 'webhook_full': {
      const { kind, webhook } = problem;
      const message = `More events wait for the webhook '${webhook}' than are kept: the oldest are not sent.`;
      news.tellOften('warning', kind, message, { webhook }, { webhook }, webhook);
    }
  }
}
