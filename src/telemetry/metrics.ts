import { Counter, Gauge, Registry } from 'prom-client';
import type { BreakerReading } from '../routing/lane-book.ts';
import { Buckets, CALL_BOUNDS, FIRST_TOKEN_BOUNDS } from './buckets.ts';
import type { CallMetrics } from './call-metrics.ts';
import { CountedHistogram } from './counted-histogram.ts';
import type { MetricReading, Together } from './metric-reading.ts';
import { addProcessMetrics } from './process-metrics.ts';

/** The calls that have a place and those that wait for one, in all and of each model with a bound of its own. */
export interface PlacesReading {
  readonly running: number;
  readonly waiting: number;
  readings(): Iterable<{ model: string; running: number; waiting: number }>;
}

/** What is asked when somebody scrapes. */
export interface MetricsSources {
  calls: CallMetrics;
  callsInFlight(): number;
  places(): PlacesReading;
  /** Usage records that are not in the store yet. */
  pendingRecords(): number;
  revision(): number;
  /** Accounts whose credential its provider does not take. */
  rejectedCredentials(): Iterable<{ provider: string; account: string }>;
  /** Of every circuit that was used. Absent as long as routing has none. */
  breakers?: () => Iterable<BreakerReading>;
}

type Values = Iterable<{ labels: Record<string, string>; value: number }>;

/** Everything that Prometheus is told, read when it asks: nothing is done for it on the way of a call. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #endProcessMetrics: () => void;

  constructor(sources: MetricsSources) {
    this.#addCalls(sources.calls);
    this.#addAttempts(sources.calls);
    this.#addPlaces(sources);
    this.#addState(sources);
    this.#endProcessMetrics = addProcessMetrics(this.#registry);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** In the text format of Prometheus, version 0.0.4. */
  render(): Promise<string> {
    return this.#registry.metrics();
  }

  /** The same as values, for whoever puts those of several processes together. */
  async read(): Promise<MetricReading[]> {
    return (await this.#registry.getMetricsAsJSON()) as unknown as MetricReading[];
  }

  close(): void {
    this.#endProcessMetrics();
  }

  #addCalls(metrics: CallMetrics): void {
    const calls = () => [...metrics.calls()];
    this.#counter(
      'fairlead_calls_total',
      'Calls that ended.',
      ['tenant', 'model', 'operation', 'outcome'],
      () => calls().map(({ labels, values }) => ({ labels, value: values.calls })),
    );
    this.#counter('fairlead_tokens_total', 'Tokens by kind.', ['tenant', 'model', 'kind'], () =>
      calls().flatMap(({ labels: { tenant, model }, values }) =>
        Object.entries(values.tokens)
          .filter(([, count]) => count > 0)
          .map(([kind, value]) => ({ labels: { tenant, model, kind }, value })),
      ),
    );
    this.#counter('fairlead_cost_usd_total', 'Cost of calls whose price is known.', ['tenant', 'model'], () =>
      calls().map(({ labels: { tenant, model }, values }) => ({
        labels: { tenant, model },
        value: values.costMicroUsd / 1e6,
      })),
    );
    this.#counter('fairlead_unpriced_calls_total', 'Calls whose price is not known.', ['model'], () =>
      calls().map(({ labels: { model }, values }) => ({ labels: { model }, value: values.unpriced })),
    );
    this.#histogram(
      'fairlead_call_duration_seconds',
      'From the arrival of a call to its last byte.',
      ['model', 'operation', 'outcome'],
      CALL_BOUNDS,
      () =>
        calls().map(({ labels: { model, operation, outcome }, values }) => ({
          labels: { model, operation, outcome: outcome === 'ok' ? 'ok' : 'failed' },
          buckets: values.durations,
        })),
    );
    this.#histogram(
      'fairlead_first_token_seconds',
      'From the arrival of a streamed call to the first output of its model.',
      ['model'],
      FIRST_TOKEN_BOUNDS,
      () =>
        calls()
          .filter(({ values }) => values.firstTokens.count > 0)
          .map(({ labels: { model }, values }) => ({ labels: { model }, buckets: values.firstTokens })),
    );
  }

  #addAttempts(metrics: CallMetrics): void {
    const attempts = () => [...metrics.attempts()];
    this.#counter('fairlead_attempts_total', 'Requests to providers.', ['target', 'account', 'outcome'], () =>
      attempts().map(({ labels, values }) => ({ labels, value: values.attempts })),
    );
    this.#histogram(
      'fairlead_attempt_duration_seconds',
      'From the request to a provider to the end of its answer.',
      ['target'],
      CALL_BOUNDS,
      () =>
        attempts().map(({ labels: { target }, values }) => ({
          labels: { target },
          buckets: values.durations,
        })),
    );
  }

  #addPlaces({ places }: MetricsSources): void {
    for (const kind of ['running', 'waiting'] as const) {
      const what = kind === 'running' ? 'that have a place' : 'that wait for a place';
      this.#gauge(`fairlead_calls_${kind}`, `Calls ${what}.`, [], () => [
        { labels: {}, value: places()[kind] },
      ]);
      this.#gauge(
        `fairlead_model_calls_${kind}`,
        `Calls ${what}, of models with an overload bound of their own.`,
        ['model'],
        () =>
          [...places().readings()].map((reading) => ({
            labels: { model: reading.model },
            value: reading[kind],
          })),
      );
    }
  }

  #addState(sources: MetricsSources): void {
    this.#gauge('fairlead_calls_in_flight', 'Calls that are under way.', [], () => [
      { labels: {}, value: sources.callsInFlight() },
    ]);
    this.#gauge('fairlead_pending_records', 'Usage records that are not in the store yet.', [], () => [
      { labels: {}, value: sources.pendingRecords() },
    ]);
    this.#gauge(
      'fairlead_config_revision',
      'The revision that is in force.',
      [],
      () => [{ labels: {}, value: sources.revision() }],
      'min',
    );
    this.#gauge(
      'fairlead_credential_rejected',
      'Accounts whose credential their provider does not take.',
      ['provider', 'account'],
      () =>
        [...sources.rejectedCredentials()].map(({ provider, account }) => ({
          labels: { provider, account },
          value: 1,
        })),
      'max',
    );
    const { breakers } = sources;
    if (!breakers) return;
    this.#gauge(
      'fairlead_breaker_state',
      'Circuits of targets and accounts: 1 for the state that one is in.',
      ['target', 'account', 'state'],
      () =>
        [...breakers()].map(({ target, account, state }) => ({
          labels: { target, account, state },
          value: 1,
        })),
      'max',
    );
    this.#gauge(
      'fairlead_cooling_seconds',
      'How long targets and accounts are left alone yet for what their providers said, their limits or their credit; 0 where they are not.',
      ['target', 'account'],
      () =>
        [...breakers()].map(({ target, account, cooling }) => ({
          labels: { target, account },
          value: (cooling?.forMs ?? 0) / 1000,
        })),
      'max',
    );
  }

  #counter(name: string, help: string, labelNames: string[], read: () => Values): void {
    new Counter({
      ...{ name, help, labelNames, registers: [this.#registry] },
      collect() {
        this.reset();
        for (const { labels, value } of read()) this.inc(labels, value);
      },
    });
  }

  /** `aggregator`: what several processes have together. */
  #gauge(
    name: string,
    help: string,
    labelNames: string[],
    read: () => Values,
    aggregator: Together = 'sum',
  ): void {
    new Gauge({
      ...{ name, help, labelNames, aggregator, registers: [this.#registry] },
      collect() {
        this.reset();
        for (const { labels, value } of read()) this.set(labels, value);
      },
    });
  }

  /** `read`: may give several of the same labels, which are added up. */
  #histogram(
    name: string,
    help: string,
    labelNames: string[],
    bounds: readonly number[],
    read: () => { labels: Record<string, string>; buckets: Buckets }[],
  ): void {
    const readMerged = () => {
      const merged = new Map<string, { labels: Record<string, string>; buckets: Buckets }>();
      for (const { labels, buckets } of read()) {
        const key = Object.values(labels).join('\n');
        const sum = merged.get(key) ?? { labels, buckets: new Buckets(bounds) };
        sum.buckets.merge(buckets);
        merged.set(key, sum);
      }
      return merged.values();
    };
    this.#registry.registerMetric(new CountedHistogram({ name, help, labelNames, read: readMerged }));
  }
}
